#include "drivers/container/paths.h"

#include "os/files.h"

#include <algorithm>

namespace skerry::drivers::container {

Result<void> Paths::ensure() const {
    for (auto& [folder, mode] : {std::pair(state, 0711U), std::pair(run, 0711U), std::pair(images(), 0700U),
                                 std::pair(layers(), 0700U), std::pair(instances(), 0711U), std::pair(logs(), 0700U),
                                 std::pair(runtime_root(), 0700U), std::pair(exits(), 0700U), std::pair(bundles(), 0700U)})
        TRY_VOID(os::mkdirs(folder, mode));
    return {};
}

Result<void> check_name(std::string_view name) {
    bool good = !name.empty() && name.size() <= 64 && name.front() != '-' && name.back() != '-' &&
                std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
    if (good) return {};
    return fail(Code::invalid,
                "instance name \"" + std::string(name.substr(0, 100)) + "\" is not 1 to 64 of a-z, 0-9 and inner dashes");
}

} // namespace skerry::drivers::container
