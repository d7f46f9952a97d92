#include "sync/outbound.h"

#include "base/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::sync {

namespace {

/// Stands for the unknown version of something the receiver may still hold and must let go.
constexpr Digest some_version{0, 1};

} // namespace

void Outbound::mark(const Digest& hash, const Entry& entry) {
    if (entry.current != entry.sent && !entry.orphan)
        dirty_.insert(hash);
    else
        dirty_.erase(hash);
}

void Outbound::set_sent(Entry& entry, const Digest& digest) {
    sent_sum_ -= entry.sent;
    sent_sum_ += digest;
    entry.sent = digest;
}

void Outbound::put(const ItemKey& key, std::uint32_t generation, Blob bytes, Number number) {
    CHECK(bytes);
    newest_ = std::max(newest_, number);
    Digest hash = key_hash(key_, key);
    Digest digest = item_digest(key_, key, generation, *bytes);
    auto [at, fresh] = entries_.try_emplace(hash);
    Entry& entry = at->second;
    entry.number = number;
    if (entry.current == digest) return;
    if (!entry.bytes) {
        ++current_count_;
        entry.key = key;
        entry.key_known = true;
        orphans_ -= entry.orphan;
        entry.orphan = false;
    }
    current_sum_ -= entry.current;
    current_sum_ += digest;
    entry.current = digest;
    entry.generation = generation;
    entry.bytes = std::move(bytes);
    mark(hash, entry);
}

void Outbound::drop(const ItemKey& key, Number number) {
    Digest hash = key_hash(key_, key);
    auto at = entries_.find(hash);
    if (at == entries_.end() || !at->second.bytes) return;
    newest_ = std::max(newest_, number);
    Entry& entry = at->second;
    current_sum_ -= entry.current;
    --current_count_;
    entry.current = {};
    entry.bytes = nullptr;
    entry.number = number;
    mark(hash, entry);
    bool in_flight = std::ranges::any_of(flights_, [&](const Flight& flight) {
        return std::ranges::any_of(flight.before, [&](const Listed& change) { return change.hash == hash; });
    });
    if (entry.sent == Digest{} && !in_flight) {
        dirty_.erase(hash);
        entries_.erase(at);
    }
}

void Outbound::roll_back(const Digest& receiver) {
    while (!flights_.empty() && sent_sum_ != receiver) {
        for (const Listed& change : flights_.back().before) {
            auto at = entries_.find(change.hash);
            if (at != entries_.end()) set_sent(at->second, change.digest);
        }
        flights_.pop_back();
    }
    flights_.clear();
}

void Outbound::forget_departed() {
    for (auto at = entries_.begin(); at != entries_.end();) {
        if (at->second.bytes) {
            ++at;
            continue;
        }
        sent_sum_ -= at->second.sent;
        at = entries_.erase(at);
    }
    orphans_ = 0;
}

void Outbound::mark_all() {
    dirty_.clear();
    for (auto& [hash, entry] : entries_)
        if (entry.current != entry.sent && !entry.orphan) dirty_.insert(hash);
}

void Outbound::assume_nothing_held() {
    forget_departed();
    for (auto& [hash, entry] : entries_) entry.sent = {};
    sent_sum_ = {};
}

void Outbound::assume_all_held() {
    forget_departed();
    for (auto& [hash, entry] : entries_) entry.sent = entry.current;
    sent_sum_ = current_sum_;
}

void Outbound::assume_held_up_to(Number number, const std::vector<ItemKey>& erased) {
    for (auto& [hash, entry] : entries_) {
        if (!entry.bytes) continue; // left the slice while we watched: goes
        set_sent(entry, entry.number <= number ? entry.current : Digest{});
    }
    for (const ItemKey& key : erased) {
        auto [at, fresh] = entries_.try_emplace(key_hash(key_, key));
        if (!fresh) continue;
        at->second.key = key;
        set_sent(at->second, some_version);
    }
}

void Outbound::resume(const Held& held, Place place, const std::optional<std::vector<ItemKey>>& erased, bool keep_unknown) {
    bool was_list = state_ == State::list;
    state_ = State::idle;
    queue_.clear();
    verify_ = compare_ = false;
    keep_unknown_ = keep_unknown || place == Place::ahead;
    roll_back(held.digest);
    if (sent_sum_ == held.digest && !was_list) {
        // as we remember it, or nothing on either side
    } else if (held.count == 0 && held.digest == Digest{}) {
        assume_nothing_held();
    } else if (held.digest == current_sum_) {
        assume_all_held();
    } else if (place == Place::known && erased) {
        assume_held_up_to(held.cursor->number, *erased);
    } else {
        compare_ = true;
    }
    for (auto at = entries_.begin(); at != entries_.end();)
        at = !at->second.bytes && at->second.sent == Digest{} ? entries_.erase(at) : std::next(at);
    mark_all();
    // Told by the cursor that it has everything, though its digest says something else.
    if (dirty_.empty() && sent_sum_ != held.digest) compare_ = true;
}

void Outbound::cut() {
    queue_.clear();
    for (const Digest& hash : dirty_) {
        const Entry& entry = entries_.at(hash);
        queue_.push_back({.hash = hash,
                          .digest = entry.current,
                          .bytes = entry.bytes,
                          .kind = entry.key.kind,
                          .generation = entry.generation,
                          .part = entry.key.part,
                          .number = entry.number});
    }
    // What is referred to before what refers to it (rule L2); removals behind, the other way round.
    std::ranges::sort(queue_, [](const Cut& a, const Cut& b) {
        if (!a.bytes != !b.bytes) return !b.bytes;
        if (a.kind != b.kind) return a.bytes ? a.kind < b.kind : a.kind > b.kind;
        if (a.part != b.part) return a.bytes ? a.part < b.part : a.part > b.part;
        return std::pair(a.number, a.hash) < std::pair(b.number, b.hash);
    });
    cut_ = newest_;
    state_ = State::open;
    verify_ = false;
}

std::optional<Batch> Outbound::next(bool may_cut) {
    if (state_ == State::idle && compare_) {
        compare_ = false;
        state_ = State::closing;
        flights_.push_back({});
        return Batch{.lane = lane_, .compare = true};
    }
    if (state_ == State::idle && may_cut && wants()) cut();
    if (state_ != State::open || flights_.size() >= window) return {};

    Batch batch{.lane = lane_};
    Flight flight;
    std::size_t bytes = 0;
    while (!queue_.empty() && flight.before.size() < max_frame_items) {
        Cut& cut = queue_.front();
        auto at = entries_.find(cut.hash);
        bool changed_since = at == entries_.end() || at->second.current != cut.digest;
        // Changed since the cut: the next batch has the newest. But what the receiver lacks altogether goes now, since others may
        // refer to it.
        if (changed_since && (at == entries_.end() || !cut.bytes || at->second.sent != Digest{})) {
            queue_.pop_front();
            continue;
        }
        Entry& entry = at->second;
        std::size_t size = cut.bytes ? cut.bytes->size() + 64 +
                                           (entry.sent == Digest{} ? entry.key.project.size() + entry.key.name.size() + 48 : 0)
                                     : 18;
        if (bytes > 0 && bytes + size > frame_target) break;
        bytes += size;
        if (cut.bytes) {
            BatchItem item{.hash = {}, .item = {.key = {}, .generation = cut.generation, .bytes = cut.bytes}};
            if (entry.sent != Digest{})
                item.hash = cut.hash.low;
            else
                item.item.key = entry.key;
            batch.items.push_back(std::move(item));
        } else {
            batch.removed.push_back(cut.hash);
        }
        flight.before.push_back({cut.hash, entry.sent});
        set_sent(entry, cut.digest);
        mark(cut.hash, entry);
        queue_.pop_front();
    }
    // What comes behind may all have changed since the cut.
    while (!queue_.empty()) {
        auto at = entries_.find(queue_.front().hash);
        if (at != entries_.end() && at->second.current == queue_.front().digest) break;
        if (at != entries_.end() && queue_.front().bytes && at->second.sent == Digest{}) break;
        queue_.pop_front();
    }
    if (queue_.empty()) {
        batch.close = flight.close = cut_;
        batch.digest = sent_sum_.low;
        state_ = State::closing;
    }
    flights_.push_back(std::move(flight));
    return batch;
}

Result<void> Outbound::acknowledged(std::uint32_t frames, bool list_follows) {
    if (frames > flights_.size())
        return fail(Code::invalid, fmt::format("acknowledges {} frames of {}", frames, flights_.size()));
    for (; frames > 0; --frames) {
        Flight& flight = flights_.front();
        for (const Listed& change : flight.before) {
            auto at = entries_.find(change.hash);
            if (at != entries_.end() && !at->second.bytes && at->second.sent == Digest{}) {
                dirty_.erase(at->first);
                entries_.erase(at);
            }
        }
        if (flight.close && !list_follows) acknowledged_ = *flight.close;
        flights_.pop_front();
    }
    if (list_follows) {
        if (state_ != State::closing || !flights_.empty())
            return fail(Code::invalid, "announces a list of digests while a batch is open");
        assume_nothing_held();
        dirty_.clear();
        unknown_ = 0;
        state_ = State::list;
    } else if (state_ == State::closing && flights_.empty()) {
        state_ = State::idle;
    }
    return {};
}

Result<void> Outbound::listed(const Digests& list) {
    if (state_ != State::list) return fail(Code::invalid, "a list of digests that nobody asked for");
    for (const Listed& each : list.entries) {
        auto [at, fresh] = entries_.try_emplace(each.hash);
        Entry& entry = at->second;
        if (fresh) {
            if (++unknown_ > max_slice_items)
                return fail(Code::exhausted, fmt::format("a list of more than {} digests", max_slice_items));
            entry.key_known = false;
            entry.orphan = keep_unknown_;
            orphans_ += keep_unknown_;
        }
        set_sent(entry, each.digest);
    }
    if (!list.last) return {};
    state_ = State::idle;
    mark_all();
    verify_ = true; // close it in any case, so that both sides see whether they agree now
    return {};
}

} // namespace skerry::sync
