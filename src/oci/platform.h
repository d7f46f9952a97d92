#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace skerry::oci {

/// What an image was built for, in Go's words (amd64, arm64, arm with variant v7), which the OCI specification uses.
struct Platform {
    std::string os = "linux";
    std::string architecture;
    std::string variant;
    bool operator==(const Platform&) const = default;
};

/// From what `uname -m` prints: x86_64 → amd64, aarch64 → arm64, armv7l → arm/v7; others as they are.
Platform host_platform(std::string_view machine);

/// "linux/arm/v7".
std::string text(const Platform&);

/// How well an image for `offer` runs on `host`: 0 not at all, higher is better. An arm host runs every older variant, a variant
/// that is absent counts as the architecture's base (arm64 v8, arm v7, amd64 v1).
int suits(const Platform& offer, const Platform& host);

} // namespace skerry::oci
