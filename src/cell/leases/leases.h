#pragma once

#include "base/time.h"

#include <string>
#include <string_view>

namespace skerry::cell {

/// Until when work of policy atMostOnce may run under this cell (rules F1 to F5), as its roles see it.
class Leases {
public:
    struct Own {
        Instant until;       ///< never: this cell has no parent, and needs none. The past: there is none
        Duration length{};   ///< of the grant; what is asked to stop has a third of it at most
        std::string trouble; ///< why there is none, as a sentence; empty while one runs
        bool runs(Instant now) const { return now < until; }
    };
    virtual ~Leases() = default;
    virtual Own own() const = 0;
    /// The loop of that name has work that needs a lease, or no longer has. While any has, the beats to the parent ask for one;
    /// the loop is woken when one is granted, renewed or refused.
    virtual void want(std::string_view loop, bool wanted) = 0;
    /// What an earlier process of this boot was granted, as the leash still knows.
    virtual void recall(Instant until, Duration length) = 0;
    /// Grants children nothing, for this reason, until told otherwise with an empty one (rule H3).
    virtual void grant_nothing(std::string why) = 0;
    /// Lets children that ask wait, while true: what they should hold is about to change.
    virtual void hold(bool) = 0;
};

} // namespace skerry::cell
