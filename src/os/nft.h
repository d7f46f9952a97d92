#pragma once

#include "base/json.h"
#include "base/result.h"

#include <string>
#include <vector>

/// nftables by the `nft` program, in the calling thread's network namespace.
namespace skerry::os {

/// Applies a text of nft(8) commands as one transaction: all of it, or nothing and an error that quotes nft.
Result<void> apply_nft(const std::string& ruleset);

/// One `nft -j list …`; the items of its "nftables" array (libnftables-json(5)). `not_found` where the named object does not
/// exist.
Result<Json::Array> list_nft(std::vector<std::string> what);

} // namespace skerry::os
