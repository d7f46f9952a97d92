#include "cli/manifests.h"

#include "cli/client/client.h"
#include "model/text/yaml.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace skerry::cli {

namespace {

namespace fs = std::filesystem;
constexpr std::size_t most_files = 10'000;

bool is_manifest(const fs::path& path) {
    return path.extension() == ".yaml" || path.extension() == ".yml" || path.extension() == ".json";
}

template<class Iterator>
Result<std::vector<std::string>> manifests_under(const std::string& folder) {
    std::vector<std::string> files;
    std::error_code error;
    Iterator it(folder, error), end;
    for (; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        if (is_manifest(it->path()) && it->is_regular_file(ignored)) files.push_back(it->path().string());
        if (files.size() > most_files)
            return fail(Code::exhausted, folder + ": holds more than " + std::to_string(most_files) + " manifests");
    }
    if (error) return fail_errno("read folder " + folder, error.value());
    std::ranges::sort(files);
    if (files.empty())
        return fail(Code::not_found, folder + ": holds no *.yaml, *.yml or *.json" +
                                         (std::is_same_v<Iterator, fs::directory_iterator> ? " (folders in it: -R)" : ""));
    return files;
}

Result<void> read_one(const std::string& path, std::vector<Manifest>& into) {
    bool input = path == "-";
    std::string source = input ? "standard input" : path;
    auto objects = model::parse_manifest(TRY(read_file(input ? "-" : path)));
    if (!objects) return fail(objects.error().code, source + ": " + objects.error().message);
    for (Json& object : *objects) into.push_back({source, std::move(object)});
    return {};
}

} // namespace

std::vector<Option> manifest_options() {
    return {{.names = "-f,--filename",
             .value = "FILE|DIR|-",
             .help = "manifests in YAML or JSON; may be repeated",
             .repeatable = true},
            {.names = "-R,--recursive", .value = "", .help = "also the folders in the folder"}};
}

Result<std::vector<Manifest>> read_manifests(const Invocation& call) {
    std::vector<Manifest> manifests;
    for (const std::string& path : call.all("filename")) {
        if (path.starts_with("http://") || path.starts_with("https://"))
            return fail(Code::unsupported, path + ": addresses are not read; try curl -fsSL " + path + " | skerry apply -f -");
        std::error_code ignored;
        if (path == "-" || !fs::is_directory(path, ignored)) {
            TRY_VOID(read_one(path, manifests));
            continue;
        }
        auto files = call.has("recursive") ? TRY(manifests_under<fs::recursive_directory_iterator>(path))
                                           : TRY(manifests_under<fs::directory_iterator>(path));
        for (auto& file : files) TRY_VOID(read_one(file, manifests));
    }
    if (manifests.empty()) return fail(Code::invalid, "no objects to work on: the manifests are empty");
    return manifests;
}

} // namespace skerry::cli
