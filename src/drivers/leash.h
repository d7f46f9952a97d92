#pragma once

#include "base/time.h"
#include "drivers/driver.h"

#include <optional>
#include <string>
#include <vector>

namespace skerry::drivers {

/// Ends instances at a moment, whatever becomes of the daemon meanwhile (rule F3): work of policy atMostOnce is on it before it
/// starts.
///
/// There is one leash per node while there is something to keep, and none otherwise. It outlives the daemon, not the machine's
/// boot. All calls block, briefly, and are made on workers, one at a time.
class Leash {
public:
    struct Hold {
        Instant until;     ///< boot-time clock
        Duration length{}; ///< of the lease that ends then; only remembered
        std::vector<InstanceName> names;
        bool operator==(const Hold&) const = default;
    };
    virtual ~Leash() = default;

    /// What an earlier daemon of this boot left on it; none: nothing is. Called first.
    virtual Result<std::optional<Hold>> recall() = 0;
    /// From now on exactly these end at `until`, and are ended again should they come up after it. On error what held before may
    /// hold still, and nothing must be started that was not in it.
    virtual Result<void> hold(const Hold&) = 0;
    /// Nothing is held any more. Repeatable.
    virtual Result<void> release() = 0;
};

} // namespace skerry::drivers
