#pragma once

#include "cell/leases/leases.h"
#include "env/env.h"
#include "sync/lease.h"

#include <functional>
#include <set>
#include <string>

namespace skerry::cell {

/// The lease that this cell holds from its parent, over all links, and who needs it.
class OwnLease {
public:
    /// `changed`: the parent's link must ask, or no longer. `wake`: turns the loop of that name.
    OwnLease(const env::Clock& clock, bool has_parent, std::function<void()> changed,
             std::function<void(const std::string& loop)> wake)
        : clock_(clock), has_parent_(has_parent), changed_(std::move(changed)), wake_(std::move(wake)) {}

    Leases::Own view() const;
    bool wanted() const { return has_parent_ && !wanting_.empty(); }
    void want(std::string_view who, bool wanted);
    void recall(Instant until, Duration length);
    /// What the link to the parent says now.
    void heard(const sync::HeldLease&, const std::string& refused);

private:
    void tell();

    const env::Clock& clock_;
    bool has_parent_;
    std::function<void()> changed_;
    std::function<void(const std::string&)> wake_;
    std::set<std::string, std::less<>> wanting_;
    Instant until_{};
    Duration length_{};
    std::string refused_;
    bool ever_ = false; ///< one was granted, or recalled, since this process started
};

} // namespace skerry::cell
