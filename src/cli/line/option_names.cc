#include "cli/line/option_names.h"

#include <set>

namespace skerry::cli {

std::string Invocation::get(std::string_view option) const {
    auto found = options.find(option);
    return found == options.end() || found->second.empty() ? std::string() : found->second.back();
}

std::vector<std::string> Invocation::all(std::string_view option) const {
    auto found = options.find(option);
    return found == options.end() ? std::vector<std::string>() : found->second;
}

std::vector<std::string> split_names(std::string_view names) {
    std::vector<std::string> out;
    while (!names.empty()) {
        std::size_t comma = std::min(names.find(','), names.size());
        out.emplace_back(names.substr(0, comma));
        names.remove_prefix(std::min(comma + 1, names.size()));
    }
    return out;
}

std::string key_of(const Option& option) {
    std::string key;
    for (const std::string& name : split_names(option.names))
        if (name.starts_with("--") || key.empty()) key = name.substr(name.find_first_not_of('-'));
    return key;
}

const Option* find_option(const Command& command, std::string_view name) {
    for (const Option& option : command.options)
        for (const std::string& each : split_names(option.names))
            if (each == name) return &option;
    return nullptr;
}

std::vector<const Option*> shared_options(std::span<const Command> commands) {
    std::vector<const Option*> out;
    std::set<std::string> seen;
    for (const Command& command : commands)
        for (const Option& option : command.options)
            if (option.shared && seen.insert(option.names).second) out.push_back(&option);
    return out;
}

std::string_view noun_of(const Command& command) {
    std::size_t space = command.name.find(' ');
    return space == std::string::npos ? std::string_view() : std::string_view(command.name).substr(0, space);
}

std::string_view first_word(const Command& command) { return std::string_view(command.name).substr(0, command.name.find(' ')); }

} // namespace skerry::cli
