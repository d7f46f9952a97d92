#pragma once

#include "sync/frame.h"

#include <cstdint>
#include <optional>
#include <unordered_map>
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
    void drop();

    /// Takes a frame into the index. Frames while a list is on its way, or beyond the bounds, are errors.
    Result<Apply> take(Batch&&, IncarnationId sender);
    /// The next part of the list that the sender waits for, or none.
    std::optional<Digests> next_list();
    /// Starts the list: announced in the acknowledgement of the frame that asked for it.
    bool list_is_due() const { return list_due_; }
    void begin_list();
    bool is_listing() const { return listing_; }
    /// Digests differed right after a complete exchange of digests: a bug, which another exchange would not mend.
    bool is_beyond_repair() const { return beyond_repair_; }

    /// The item does not stand in our store after all: the next comparison brings it back. Whether it was in the index.
    bool forget(const ItemKey&);

    void restart() { batch_open_ = list_due_ = listing_ = compared_ = beyond_repair_ = false, pending_list_.clear(); }
    Digest held() const { return sum_; }
    std::size_t size() const { return index_.size(); }
    const std::optional<Cursor>& cursor() const { return cursor_; }
    void closed(const Cursor& cursor) { cursor_ = cursor; }
    bool batch_open() const { return batch_open_; }
    bool holds(const ItemKey& key) const { return index_.contains(key_hash(key_, key)); }

private:
    struct Entry {
        ItemKey key;
        Digest digest;
    };

    Entry* find(std::uint64_t low);

    Lane lane_;
    std::uint64_t key_;
    std::unordered_map<Digest, Entry, DigestHash> index_;
    Digest sum_;
    std::optional<Cursor> cursor_;
    bool batch_open_ = false;
    bool list_due_ = false;
    bool listing_ = false;
    bool compared_ = false;
    bool beyond_repair_ = false;
    std::vector<Listed> pending_list_; ///< in reverse
};

} // namespace skerry::sync
