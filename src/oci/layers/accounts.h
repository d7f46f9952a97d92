#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::oci {

/// Who a process in a container is, in numbers.
struct Account {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups; ///< supplementary, the primary one included; sorted
    std::string home = "/";
};

/// Resolves an image's or a component's user (`name`, `uid`, `name:group`, `uid:gid`; empty: root) with the texts of the image's
/// own /etc/passwd and /etc/group, either of which may be empty. A uid without an entry has gid 0, as in Docker; an unknown name
/// is `invalid`.
Result<Account> resolve_account(std::string_view user, std::string_view passwd, std::string_view group);

} // namespace skerry::oci
