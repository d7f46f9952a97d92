#include "main/machine/folders.h"

#include <algorithm>
#include <array>
#include <filesystem>

namespace skerry::main {

namespace {

std::string absolute(const std::string& path) {
    std::string whole = std::filesystem::absolute(path).lexically_normal().string();
    while (whole.size() > 1 && whole.ends_with('/')) whole.pop_back();
    return whole;
}

/// Never inside another one, and another name for every state.
std::string run_folder_of(const std::string& state) {
    std::string name;
    for (char c : state) {
        if (c == '-' || c == '_') name += '_';
        name += c == '/' ? '-' : c;
    }
    return "/run/skerry" + name;
}

} // namespace

Folders Folders::at(std::optional<std::string> state, std::optional<std::string> run) {
    Folders folders;
    if (state && absolute(*state) != folders.state) {
        folders.state = absolute(*state);
        folders.run = run_folder_of(folders.state);
    }
    if (run) folders.run = absolute(*run);
    return folders;
}

bool Folders::is_ours(std::string_view name) {
    static constexpr std::array names{"lock",  "claims.json", "ballast", "store.db",         "keys",
                                      "depot", "container",   "network", "admin.kubeconfig", "leash"};
    return std::ranges::any_of(names, [&](std::string_view ours) {
        if (!name.starts_with(ours)) return false;
        std::string_view rest = name.substr(ours.size());
        return rest.empty() || rest.front() == '.' || rest.front() == '-';
    });
}

} // namespace skerry::main
