#include "oci/platform.h"

#include <algorithm>
#include <array>
#include <utility>

namespace skerry::oci {

Platform host_platform(std::string_view machine) {
    constexpr std::array<std::array<std::string_view, 3>, 12> known{{{"x86_64", "amd64", ""},
                                                                     {"amd64", "amd64", ""},
                                                                     {"aarch64", "arm64", "v8"},
                                                                     {"arm64", "arm64", "v8"},
                                                                     {"armv8l", "arm", "v8"},
                                                                     {"armv7l", "arm", "v7"},
                                                                     {"armv6l", "arm", "v6"},
                                                                     {"i686", "386", ""},
                                                                     {"i586", "386", ""},
                                                                     {"i386", "386", ""},
                                                                     {"ppc64le", "ppc64le", ""},
                                                                     {"loongarch64", "loong64", ""}}};
    for (auto& [from, architecture, variant] : known)
        if (from == machine) return {"linux", std::string(architecture), std::string(variant)};
    return {"linux", std::string(machine), ""};
}

std::string text(const Platform& platform) {
    return platform.os + "/" + platform.architecture + (platform.variant.empty() ? "" : "/" + platform.variant);
}

namespace {

/// "v7" → 7; absent → the architecture's base; anything else → 0.
int level(const Platform& platform) {
    std::string_view variant = platform.variant;
    if (variant.empty()) {
        if (platform.architecture == "arm64") return 8;
        if (platform.architecture == "arm") return 7;
        return 1;
    }
    if (variant.size() == 2 && variant[0] == 'v' && variant[1] >= '1' && variant[1] <= '9') return variant[1] - '0';
    return 0;
}

} // namespace

int suits(const Platform& offer, const Platform& host) {
    if (offer.os != host.os || offer.architecture != host.architecture) return 0;
    int offered = level(offer), own = level(host);
    if (offered == 0 || offered > own) return 0;
    return offered;
}

} // namespace skerry::oci
