#pragma once

#include "base/queue.h"
#include "sync/courier.h"

#include <functional>
#include <optional>
#include <span>
#include <unordered_set>
#include <vector>

namespace skerry::sync {

/// The sending side of one slice: what the receiver should hold, what it does hold as far as we know, and the way from the second
/// to the first.
///
/// There is no queue of changes. Each item knows the digest of its newest version (`current`) and of the version that the
/// receiver holds (the digest of its slot); those where the two differ are dirty. A thousand edits while a batch is open or the
/// link is down make one dirty item, and what left the slice is an item without a current version.
///
///   put, drop ─► dirty ─(cut at r)─► queue ─► frames in flight (at most `window`) ─(ack)─► held
///                  ▲                                     │ connection lost
///                  └── not found in the receiver's digest ┘
///
/// The sum of all that is held is kept, so the receiver's digest in its hello tells which of the frames in flight became durable:
/// after a mere loss of connection nothing is sent twice. A sender that restarted knows nothing of what is held and goes by the
/// receiver's cursor (rule S3), or supposes that it holds everything and descends to where that is wrong (rule L3); the digest of
/// the closing frame checks either (rule L2).
class Outbound {
public:
    Outbound(Lane lane, std::uint64_t link_key) : lane_(lane), key_(link_key) {}

    /// The newest version of an item of the slice. Equal to the one before: changes nothing.
    void put(const ItemKey&, std::uint32_t generation, Blob, Number);
    /// The item left the slice, at this number of our history.
    void drop(const ItemKey&, Number);

    /// How the receiver's cursor looks to our store.
    enum class Place {
        none,      ///< it showed none
        known,     ///< rule S3
        forgotten, ///< older than our tombstones
        ahead,     ///< beyond our head, or of an incarnation that we never had: our history went back (rule H3)
    };
    /// What was deleted here since the receiver's cursor, if that is known. Costs a look through our history.
    using ErasedSince = std::function<std::optional<std::vector<ItemKey>>()>;
    /// A connection starts, and the receiver showed this. `erased_since` is asked only where the receiver has a known cursor and
    /// holds something else than we remember: a crowd that returns in agreement is answered from memory. With `keep_unknown`, what the receiver holds and we do not know stays there (rule H3: absence without a tombstone deletes
    /// nothing).
    void resume(const Held&, Place, const ErasedSince& erased_since, bool keep_unknown);

    /// The next frame, or none for now: nothing to send, window full, descending. `may_cut`: whether a new batch may start. `room`:
    /// what it may take on the way; of a new batch, what does not fit into that stays dirty, and with nothing that fits there is
    /// none.
    std::optional<Batch> next(bool may_cut, std::uint64_t room = ~std::uint64_t{0});
    /// The next question of a descent, or none.
    std::optional<Ranges> next_ask();
    /// The receiver has made so many more frames durable. A count beyond those in flight is an error. `differs`: the digest of
    /// the close does, so we descend; for ever is an error.
    Result<void> acknowledged(std::uint32_t frames, bool differs);
    /// The slice as it is now, for a courier file: listed whole, with the items that are later than `base`, or all.
    CarriedSlice carry(std::optional<Number> base) const;
    /// From the next descent on; see `resume`.
    void keep_unknown(bool keep) { keep_unknown_ = keep; }
    /// Part of an answer. Unasked for, or endless: an error.
    Result<void> answered(Ranges&&);

    // Recovery (rule H3): a descent that keeps what is unknown has found items that the receiver holds and we do not, or not so.
    // Before anything else is sent we ask for them, some at a time.
    /// The next to ask for; none: nothing, or an answer is under way.
    std::vector<Digest> next_recall();
    /// Came back. Unasked for: an error.
    Result<void> came_back(const ItemKey&);
    /// That was all of an answer: what did not come is no wish, and goes. Whether nothing more is to be asked for.
    bool recall_answered();
    /// What came back has been taken in, or will not be: the slice goes on.
    void recall_done();
    bool recalling() const { return recalling_; }
    /// What only the receiver has of this goes, or all that only it has.
    void let_go(const ItemKey&);
    void let_go_of_orphans();

    /// No batch closes beyond this number, so that no cursor names one that a crash of ours may forget (rule S1).
    void durable_up_to(Number number) { durable_ = number; }

    /// An empty batch with a digest goes out when the lane is quiet.
    void verify() { verify_ = true; }

    /// Something waits to be cut into a batch.
    bool wants() const { return !dirty_.empty() || verify_; }
    /// No batch open, nothing unacknowledged.
    bool quiet() const { return state_ == State::idle && flights_.empty() && !recalling_; }
    bool clean() const { return quiet() && !wants(); }

    /// Of what the receiver holds, once all that is in flight is durable.
    Digest held() const { return entries_.sum(); }
    /// Of what it should hold.
    Digest wanted() const { return current_sum_; }
    std::size_t size() const { return current_count_; }
    /// Number up to which the receiver has everything: r of the last batch it closed, or the slice's newest number if that is in
    /// agreement.
    Number acknowledged_number() const { return clean() ? newest_ : acknowledged_; }
    Number newest() const { return newest_; }
    /// r of the last batch that the receiver closed in agreement.
    Number closed() const { return acknowledged_; }
    /// Items that the receiver holds, that we do not know, and that stay there (rule H3).
    std::size_t orphans() const { return orphans_; }

private:
    /// Its slot's digest is of the version that the receiver holds; zero: none.
    struct Entry {
        ItemKey key;
        std::uint32_t generation = 0;
        bool key_known = true;
        bool orphan = false;
        bool recalled = false; ///< it was asked for
        Blob bytes;            ///< null: not in the slice
        Number number = 0;
        Digest current; ///< zero: not in the slice
    };
    /// As of the cut.
    struct Cut {
        Digest hash;
        Digest digest;
        Blob bytes; ///< null: a removal
        std::uint32_t kind = 0;
        std::uint32_t generation = 0;
        std::uint8_t part = 0;
        Number number = 0;
    };
    struct Flight {
        std::vector<Listed> before; ///< what was held
        std::optional<Number> close;
    };
    enum class State {
        idle,
        open,    ///< cut, not all frames sent
        closing, ///< all sent, not all acknowledged
        descent, ///< asking what the receiver holds
    };

    using Slot = Radix<Entry>::Slot;
    /// A question that waits for its answer.
    struct Asked {
        std::vector<std::pair<Range, std::uint8_t>> ranges; ///< and in how many parts we told it
        std::uint64_t answered = 0;                         ///< up to which prefix of 32 bits
    };

    void mark(const Slot&);
    void roll_back(const Digest& receiver);
    void assume_nothing_held();
    void assume_all_held();
    void assume_held_up_to(Number, const std::vector<ItemKey>& erased);
    void mark_all();
    void forget_departed();
    void cut(std::uint64_t room);
    bool all_sent() const { return sent_ == queue_.size(); }
    void forget_cut() {
        queue_ = {};
        sent_ = 0;
    }
    std::size_t fitting_into(std::uint64_t room) const;
    void begin_descent();
    void begin_recall(bool only_orphans);
    std::uint8_t word() const { return static_cast<std::uint8_t>((descents_ - 1) % words); }
    Result<void> take_sums(const RangeSums&);
    Result<void> take_list(const RangeSums&);

    Lane lane_;
    std::uint64_t key_;
    Radix<Entry> entries_;
    std::unordered_set<Digest, DigestHash> dirty_;
    Digest current_sum_;
    std::size_t current_count_ = 0, orphans_ = 0;
    Number newest_ = 0, acknowledged_ = 0;
    Number durable_ = ~Number{0};

    State state_ = State::idle;
    std::vector<Cut> queue_; ///< in order of sending
    std::size_t sent_ = 0;   ///< of those
    Number cut_ = 0;
    Queue<Flight> flights_;
    bool verify_ = false; ///< close an empty batch
    bool keep_unknown_ = false;

    Queue<Asked> asked_;
    Queue<Range> to_ask_;
    bool recalling_ = false;
    Queue<Digest> to_recall_;
    std::vector<Digest> recall_asked_; ///< and not come back
    bool recall_sent_ = false;         ///< an answer is under way

    unsigned descents_ = 0;   ///< since the last agreement
    std::size_t unknown_ = 0; ///< found in this descent
};

} // namespace skerry::sync
