#pragma once

#include "base/result.h"

#include <functional>
#include <set>
#include <string>

namespace skerry::node {

/// Bytes of images on this machine. `main` makes it of the depot and the bulk lane, the simulator of a table. Deciding thread
/// only.
class Images {
public:
    virtual ~Images() = default;

    /// Makes the image of this index or manifest digest complete on this machine, and tells when it is; never calls back before
    /// it returns. Asking again while a transfer runs joins it. Waits as long as there is a way to get it (a parent that is away
    /// comes back), and keeps what has arrived; an error means that trying again at once is no use (`not_found`: nobody up the
    /// tree has it; `unavailable`: no way to ask now). A digest that is here already answers soon and without any link.
    virtual void ensure(const std::string& digest, std::function<void(Result<void>)> done) = 0;
    /// What an `ensure` under way is doing, for people: `12.0 MiB of 31.4 MiB, waiting for the link`. Empty when there is nothing
    /// to say.
    virtual std::string progress(const std::string& digest) = 0;
    /// The digests that some instance of this node needs; others may be dropped, not before the next call. Called when the set
    /// changes.
    virtual void keep(const std::set<std::string>& digests) = 0;
};

} // namespace skerry::node
