#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "trust/authority.h"
#include "trust/succession.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::trust {

/// How long certificates of sites and nodes are good, where nothing else is said. They are renewed when a third of it is left.
inline constexpr Duration member_life = 24h * 90;
/// Of a site's authority, reissued with each renewal: clients of the site's API (kubectl) look at its end, cells do not.
inline constexpr Duration site_authority_life = 24h * 3652;

/// What a parent keeps of each child: whose keys may speak for it (rule T2).
struct Member {
    CellId cell;
    std::string key;           ///< fingerprint, of the cell's own key
    std::string authority_key; ///< of a site's authority; empty for nodes
    WallTime ends;             ///< of the certificate it was given last
    std::string issued_by;     ///< key that signed that certificate
    std::string follows;       ///< newest key of our authority that it is known to have pinned
    bool operator==(const Member&) const = default;
    Json json() const;
    static Result<Member> from_json(const Json&);
};

/// What a child asks its parent for, over TLS with the certificate it has (rules T1 and T2): always the time, and new
/// certificates for the same keys where it brings requests.
struct RenewalRequest {
    Id nonce;                      ///< drawn for this request alone
    std::string follows;           ///< fingerprint of the newest of the parent's keys that it has pinned
    std::string request;           ///< for the cell's key, PEM; empty: no new certificate
    std::string authority_request; ///< sites only, along with `request`
    std::string heard = {};        ///< digest of the revocations that it was told last and has acted on durably
    Json json() const;
    static Result<RenewalRequest> from_json(const Json&);
};

/// Said by a parent of a site: no key that this node had when the site hears of it may speak again.
struct NodeRevocation {
    Id id; ///< of this saying; the site acts on it once
    std::string node, reason;
    bool operator==(const NodeRevocation&) const = default;
};
inline constexpr std::size_t most_node_revocations = 1'024;
/// Names a whole list of them.
std::string digest_of(const std::vector<NodeRevocation>&);

struct RenewalAnswer {
    std::optional<WallTime> time; ///< none: the parent does not know it well enough to tell
    std::string signature;        ///< over nonce, cell and time, by the parent's authority
    Duration life{};              ///< of the certificates it gives out
    std::string chain;            ///< empty: none was asked for
    std::string authority_chain;
    Succession succession; ///< of the parent's authority, from the key on that the child follows
    std::vector<NodeRevocation> revocations;
    Json json() const;
    static Result<RenewalAnswer> from_json(const Json&);
};

/// Answers; everything but the end of the child's certificate was verified, `member` is on record. `forbidden` for a request with
/// another key than the one on record. Returns the record to store, too. Pure: `now` is the parent's clock, `time` what it tells.
struct Renewed {
    RenewalAnswer answer;
    Member member;
};
struct RenewalTerms {
    WallTime now;
    std::optional<WallTime> time;
    Duration life = member_life;
};
Result<Renewed> renew(const Identity&, const Member&, const RenewalRequest&, const Authority& parent, const Succession&,
                      const RenewalTerms&);

/// The child's check of the time in an answer: signed for this nonce and cell by `authority` (PEM). None where none was told.
Result<std::optional<WallTime>> verified_time(const RenewalAnswer&, Id nonce, CellId cell, std::string_view authority);
/// The child's check of what it was given: for its keys and itself, by the parent's authority, and not over already.
Result<void> accept(const Identity& self, const RenewalRequest&, const RenewalAnswer&, std::string_view authority, WallTime mark);

} // namespace skerry::trust
