#pragma once

#include "base/queue.h"
#include "sync/courier.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace skerry::sync {

using Ticket = std::uint64_t;

/// What the receiver of a slice has to make durable in one transaction (rules L2, S4), then answers with `Session::applied`.
struct Apply {
    Lane lane = Lane::desired;
    Ticket ticket = 0;
    std::vector<Item> items;
    std::vector<ItemKey> removed;
    /// The batch ends here, in agreement: the cursor moves with this very transaction.
    std::optional<Cursor> close;
    /// More of the batch follows, which is as of there in the sender's history.
    std::optional<Cursor> open = {};
};

/// The receiving side of one slice: which items we hold and the sum of their digests. Bytes are elsewhere.
///
/// The index runs ahead of the disk by what is being applied. If applying fails the index is wrong: it is dropped, and loaded
/// afresh from what is durable before the next hello.
class Inbound {
public:
    Inbound(Lane lane, std::uint64_t link_key) : lane_(lane), key_(link_key) {}

    /// From what is durable, before the first hello and after `drop`.
    void load(const Item&);
    void load_cursor(std::optional<Cursor> cursor) { cursor_ = cursor; }
    void load_open(std::optional<Cursor> open) { open_ = open; }
    void drop();

    /// Takes a frame into the index. Frames beyond the bounds are errors.
    Result<Apply> take(Batch&&, IncarnationId sender);
    /// The digest of the last close differed: the acknowledgement says so, once everything before it is durable.
    bool differs() const { return differs_; }
    void told_difference() { differs_ = false; }
    /// Digests differed after this many descents: a bug, which another descent would not mend.
    bool is_beyond_repair() const;

    /// What a courier file's slice has and we do not, and the other way round. Changes nothing.
    struct Difference {
        std::vector<BatchItem> items;
        std::size_t fresh = 0;        ///< of them not held in any version
        std::vector<Digest> unlisted; ///< what refers to others first
        std::size_t lacking = 0;      ///< listed, and neither here nor among the items
    };
    Difference compare(const CarriedSlice&) const;

    /// The sender of the slice asks what we hold in some ranges. Answers are made when there is room for them on the wire; more
    /// asks at once than the window are an error.
    Result<void> asked(Ranges&&);
    /// The next frame of the oldest answer we owe, or none.
    std::optional<Ranges> next_answer();
    bool owes_answers() const { return !asks_.empty(); }

    /// The item does not stand in our store after all: the next comparison brings it back. Whether it was in the index.
    bool forget(const ItemKey&);

    void restart() { batch_open_ = differs_ = false, differing_ = 0, asks_.clear(); }
    Digest held() const { return index_.sum(); }
    std::size_t size() const { return index_.size(); }
    const std::optional<Cursor>& cursor() const { return cursor_; }
    void closed(const Cursor& cursor) { cursor_ = cursor; }
    bool batch_open() const { return batch_open_; }
    /// Some of a batch is held, and its end is not: as of where it is in the sender's history. Also after the connection is lost.
    const std::optional<Cursor>& open() const { return open_; }
    bool holds(const ItemKey& key) const { return index_.find(key_hash(key_, key)) != nullptr; }
    /// What is held under this hash; null: nothing.
    const ItemKey* find(const Digest& hash) const {
        const auto* slot = index_.find(hash);
        return slot ? &slot->entry : nullptr;
    }

private:
    /// What the sender of the slice asked, and how far it is answered.
    struct Ask {
        Ranges ranges;
        std::size_t range = 0;
        std::uint32_t part = 0;
    };

    RangeSums describe(const Range&, unsigned word) const;

    Lane lane_;
    std::uint64_t key_;
    Radix<ItemKey> index_;
    std::optional<Cursor> cursor_, open_;
    bool batch_open_ = false;
    bool differs_ = false;
    unsigned differing_ = 0; ///< closes in a row
    Queue<Ask> asks_;
};

} // namespace skerry::sync
