#pragma once

#include "cell/cell.h"
#include "env/corrected_clock.h"
#include "http/server.h"
#include "main/membership/membership.h"
#include "main/membership/register.h"

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace skerry::main {

/// The parent's side of time and keys (rules T1 to T3):
///
///     POST /renewal/v1      trust::RenewalRequest → RenewalAnswer    for children by certificate, ended or not
///     GET  /succession/v1   ?key=F → [{from, cross, to}, …]          for whoever asks
///     GET  /authority/v1    → {key, changes, members, revoked}         for administrators, as the next two
///     POST /authority/v1    {dryRun, compromised} → the same         a core's: gives its authority a new key
///     POST /revocations/v1  {kind, name, reason} → {kind, name, keys, note}   a child's keys never speak again, its open tokens end
///
/// A core that revokes a node of a site tells the site, which knows the node's key: note "ID" of space "revoked-node". Until then
/// the site's links are refused, which makes it ask.
class TrustDesk {
public:
    struct Options {
        cell::Cell& cell;
        store::Store& store;
        Membership& membership;
        Register& members;
        env::CorrectedClock& clock;
        std::string site; ///< of this cell; empty: a core without a site
        Duration life;    ///< of children's certificates
        std::function<Result<trust::Identity>(const http::Request&)> identify;
        /// What this cell shows has changed.
        std::function<Result<void>()> authority_changed;
        /// Ends what this child has open.
        std::function<void(env::Peer::Role, const std::string& name, const std::string& why)> dismiss;
    };
    explicit TrustDesk(Options);

    /// False: not one of these paths.
    bool answer(const http::Request&, const std::shared_ptr<http::Responder>&);
    /// The parent of this site revoked nodes of it; heard again, nothing happens. `done` when all of it is durable; not called
    /// where the disk refuses some, so that it is asked for again.
    void revoke_nodes(const std::vector<trust::NodeRevocation>&, std::function<void(bool news)> done);
    /// A child joined anew, under keys that are not revoked.
    void joined(const trust::Identity&);
    /// It has to hear something before it may link: `unauthenticated` says so.
    Result<void> may_link(const trust::Identity&) const;

private:
    void renew(const http::Request&, const std::shared_ptr<http::Responder>&);
    void succession(const http::Request&, const std::shared_ptr<http::Responder>&);
    void change_authority(const http::Request&, const std::shared_ptr<http::Responder>&);
    void revoke(const http::Request&, const std::shared_ptr<http::Responder>&);
    Result<void> administrator(const http::Request&) const;
    Json status() const;
    /// Both keys of the child, from now on.
    std::vector<std::string> revoke_keys(store::Transaction&, const trust::Identity&, const trust::Member&,
                                         const std::string& reason);
    void void_tokens(store::Transaction&, const std::string& name) const;
    void mark_revoked(env::Peer::Role, const std::string& name, const std::string& reason);
    std::vector<trust::NodeRevocation> revocations_of(const std::string& site) const;
    void mark_told(store::Transaction&, const std::string& site) const;
    bool has_news(const std::string& site) const;
    void dismiss_all();

    Options options_;
    std::set<std::string, std::less<>> news_; ///< sites that have not heard yet which of their nodes were revoked
    std::vector<std::unique_ptr<env::Timer>> dismissing_;
};

} // namespace skerry::main
