#pragma once

#include "store/store.h"
#include "store/tables.h"

#include <optional>
#include <unordered_map>

namespace skerry::store {

/// What keys will hold once everything that is queued or being written is visible: against this a new transaction is checked, so
/// that two that expect the same state cannot both pass, however many are grouped.
class Ahead {
public:
    struct Refusal {
        Error error;
        bool behind_queue = false; ///< lost against a transaction that is not visible yet
    };

    /// Records the transaction's writes, or says why it cannot be.
    std::optional<Refusal> admit(const Transaction&, const Tables&);
    /// One write of this key, admitted earlier, has become visible.
    void settle(const Key&);

private:
    struct Fate {
        bool exists = false;
        Uid uid;
        Number wish = 0; ///< `on_its_way` where no number has been given yet
        std::size_t writes = 0;
    };
    static constexpr Number on_its_way = ~Number{0};

    std::optional<Refusal> check(const Transaction::Write&, const Fate&) const;

    std::unordered_map<Key, Fate> fates_;
};

} // namespace skerry::store
