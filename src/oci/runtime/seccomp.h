#pragma once

#include "base/json.h"

#include <span>
#include <string>
#include <string_view>

namespace skerry::oci {

/// `linux.seccomp` of a runtime config: a list of allowed system calls equal in effect to what podman and Docker allow by
/// default, widened by what the given capabilities permit; everything else fails with ENOSYS, so that programs fall back, and
/// known-dangerous calls with EPERM. `architecture` in Go's words ("amd64").
Json seccomp_profile(std::string_view architecture, std::span<const std::string> capabilities);

} // namespace skerry::oci
