#pragma once

#include "store/store.h"

#include <cstdint>

namespace skerry::model {
class Epoch;
}

namespace skerry::cell {

/// The fencing numbers that this cell gives to its allocations (rule H4), kept in its store:
///
///     notes space "epoch":  "term" → the term   "count" → the highest count given in it
///
/// Where one of them cannot be read, it goes on above all that its allocations show, in a term of its own.
///
/// Counts are the cell's, not an allocation's, so that one which is made again after its deletion is above what it was before.
class Epochs {
public:
    explicit Epochs(store::Store& store);

    std::uint32_t term() const { return term_; }
    /// The next number. It is durable together with what the transaction gives it to; one that fails leaves a gap.
    model::Epoch next(store::Transaction&);
    /// After a recovery: a term above this cell's and above `seen`, the highest that any peer showed. Effective at once, for all
    /// numbers from here on; nothing may leave the cell before the transaction is durable.
    void raise(std::uint32_t seen, store::Transaction&);

private:
    std::uint32_t term_ = 1;
    std::uint32_t count_ = 0;
    bool is_new_term_ = false; ///< not noted yet
};

} // namespace skerry::cell
