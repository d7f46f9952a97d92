#pragma once

#include "base/json.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <vector>

/// nftables by the `nft` program, in the calling thread's network namespace.
namespace skerry::os {

/// Applies a text of nft(8) commands as one transaction: all of it, or nothing and an error that quotes nft.
Result<void> apply_nft(const std::string& ruleset);

/// A number that changes with every change of the rules in this network namespace, whoever made it. Cheap: no program is run.
Result<std::uint32_t> nft_generation();

/// One `nft -j list …`; the items of its "nftables" array (libnftables-json(5)). `not_found` where the named object does not
/// exist.
Result<Json::Array> list_nft(std::vector<std::string> what);

} // namespace skerry::os
