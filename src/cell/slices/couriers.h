#pragma once

#include "base/result.h"
#include "env/env.h"
#include "sync/courier.h"

#include <cstdint>
#include <functional>

namespace skerry::cell {

/// Courier files instead of a wire (rule C1): what goes into one for a neighbour, and what one of its brings. Sealing, signatures
/// and bytes of images are for others. No wire is needed, nor need there have been one since the start; one that is up makes room
/// for a file and comes back.
class Couriers {
public:
    virtual ~Couriers() = default;

    enum class Neighbour : std::uint8_t { parent, child };
    /// `everything`: without a base, for a receiver that lost count.
    enum class Extent : std::uint8_t { difference, everything };
    /// Answers from memory. Never has leases or grants in it. Refused while this cell recovers from a loss of its history (rule H3).
    virtual Result<sync::CarriedSlices> pack(Neighbour, const env::Peer&, Extent) = 0;

    struct Outcome {
        sync::Taken taken;
        std::size_t refused = 0; ///< of the items: this cell keeps them out (a name is taken here, or it knows later ones)
    };
    enum class How : std::uint8_t { look, apply };
    /// Of this neighbour, which the caller has made sure of. Interrupted anywhere it can simply be done again.
    virtual void apply(Neighbour, const env::Peer&, sync::CarriedSlices, How, std::function<void(Result<Outcome>)> then) = 0;
};

} // namespace skerry::cell
