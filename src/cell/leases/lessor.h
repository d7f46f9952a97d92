#pragma once

#include "cell/leases/own_lease.h"
#include "store/store.h"
#include "sync/session.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::cell {

/// Grants leases to children (rules F1 to F5). Whom a lease is for, and the longest length in use, is in the store's notes before
/// the first grant:
///
///     notes space "lease":  <tag of the child> → incarnation, boot id, longest length
///
/// so that after a restart every lease counts as granted at the start. Renewals write nothing.
class Lessor {
public:
    Lessor(env::Env, store::Store&, OwnLease&);

    /// Looks whether the child's session asks for a lease, and answers if it can now. `again` calls this once more, when what had
    /// to become durable is; the caller sees to it that the session is still there.
    void look(const std::string& tag, Duration length, sync::Session&, std::function<void()> again);
    /// See PeerView::lease_over.
    std::optional<Instant> over(const std::string& tag) const;
    /// Whether the last lease was granted to this opening of the child's store.
    bool is_holder(const std::string& tag, IncarnationId) const;
    /// Children with a lease that is not over, called or not.
    std::vector<std::string> holders() const;
    void grant_nothing(std::string why) { why_nothing_ = std::move(why); }
    /// A lease of this length may have been granted that the store knows nothing of, since it may be a backup: counts as granted at
    /// the start (rule F4).
    void suppose(Duration length);
    void hold(bool held) { held_ = held; }
    /// The longest lease that was ever granted, or asked for since nothing is granted (rule H4).
    Duration longest() const;

private:
    struct Child {
        sync::Granting granting;
        bool noting = false; ///< a note is on its way to disk
    };
    void needed(Duration lasts);

    env::Env env_;
    store::Store& store_;
    OwnLease& own_;
    Instant start_;
    std::map<std::string, Child, std::less<>> children_;
    std::string why_nothing_;
    bool held_ = false;
    Duration longest_asked_{};
    Instant fresh_from_{};
    Instant needed_until_{};
    std::unique_ptr<env::Timer> timer_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

} // namespace skerry::cell
