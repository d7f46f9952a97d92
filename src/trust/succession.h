#pragma once

#include "base/json.h"
#include "base/result.h"
#include "trust/authority.h"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::trust {

/// One change of an authority's key (rule T3), as PEM certificates:
///
///     from    the authority until then
///     cross   the new key, certified by the old one
///     to      the authority from then on (a root signs itself; a site's is issued by its parent)
///
/// `cross` is what convinces: whoever pinned the old key may pin the new one. It also leads clients that hold only `from` (an old
/// kubeconfig) to what the new key issued, where it is shown in the handshake.
struct Step {
    std::string from, cross, to;
    bool operator==(const Step&) const = default;
};

/// All changes of one authority's key, oldest first; kept for ever.
using Succession = std::vector<Step>;
inline constexpr std::size_t longest_succession = 256;

/// `conflict` where the two have the same key, `forbidden` where they are not the same cell's.
Result<Step> succeed(const Authority& from, const Authority& to);

/// Whom to believe who pinned `key` (a key's fingerprint): the certificates that followed it, oldest first. Every step is
/// verified; clocks play no part. `unauthenticated` where no step leaves that key, or one does not hold.
Result<std::vector<std::string>> follow(std::string_view key, const Succession&);
/// From the step that leaves this key on; empty where there is none.
Succession since(std::string_view key, const Succession&);
/// Certificates for a handshake: newest first, at most two.
std::string crosses(const Succession&);

Json json(const Succession&);
Result<Succession> parse_succession(const Json&);

} // namespace skerry::trust
