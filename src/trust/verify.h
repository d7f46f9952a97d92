#pragma once

#include "base/result.h"
#include "base/time.h"
#include "trust/identity.h"
#include "trust/walked.h"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace skerry::trust {

/// PEM certificates, the peer's own first, then what it sent with it.
using Chain = std::span<const std::string>;

enum class Use : std::uint8_t { client, server };

struct Judgement {
    Use use = Use::client;
    /// The clock to hold against validity; none: validity is ignored (a child with a wrong clock, a renewal). What is trusted as
    /// an anchor is trusted whatever its own end.
    std::optional<WallTime> at;
    /// Refuses what ended before this moment, also where validity is ignored: time known to have passed (rule T3).
    WallTime mark;
    /// Whether a key (by fingerprint) was revoked.
    std::function<bool(const std::string&)> revoked;
    /// Remembers where chains led; none: nobody does.
    Walked* walked = nullptr;
};

/// Judges a peer by the chain it sent.
///
/// A cell takes as anchors its own authority's certificate (and, to recognise the users of its fleet, the root's). Accepted are
/// leaves issued by an anchor, or by the authority of a site that an anchor issued; longer chains are not, so that a captured
/// site can speak for nothing beyond itself:
///
///     anchor ── core | site | user, and node of the anchor's own site
///     anchor ── site S's authority ── site S itself (same cell), node of S
///
/// `unauthenticated` with the reason otherwise.
Result<Identity> verify_peer(Chain, std::span<const std::string> anchors, const Judgement&);

/// The same, with what the peer's own certificate says besides.
struct Shown {
    Identity identity;
    std::string key; ///< fingerprint
    WallTime ends;
    std::string name; ///< by which the chain is known again; empty where nobody remembers
};
Result<Shown> examine_peer(Chain, std::span<const std::string> anchors, const Judgement&);
/// The same of a chain that was examined before and is not here any more, by its name. `not_found` where it is not remembered, or
/// where other anchors are trusted since.
Result<Shown> examine_again(std::string_view name, std::span<const std::string> anchors, const Judgement&);

/// A child's judgement of its parent (rule T3): the chain leads to an authority whose key is pinned by fingerprint, and the peer
/// is the very cell to which that authority belongs. Clocks are ignored. A certificate of the pinned key must be in the chain.
Result<Identity> verify_parent(Chain, std::span<const std::string> pinned_keys, WallTime mark = {}, Walked* = nullptr);

/// A cell that asks for a new certificate (rule T2): everything but notAfter is verified, and the key must be the one on record.
Result<Identity> verify_renewal(Chain, std::span<const std::string> anchors, std::string_view key_fingerprint_on_record);

/// That one of the anchors issued the chain's first certificate, a cell's or an authority's. Clocks are ignored.
Result<void> verify_issued(Chain, std::span<const std::string> anchors);
/// Of `Authority::sign`, by the key of this certificate.
Result<void> verify_signature(std::string_view certificate_pem, std::string_view text, std::string_view signature);

} // namespace skerry::trust
