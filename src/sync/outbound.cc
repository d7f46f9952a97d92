#include "sync/outbound.h"

#include "base/check.h"
#include "sync/descent.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

namespace skerry::sync {

namespace {

/// On a wire, or in a courier file, beyond its content.
constexpr std::size_t item_overhead = 64, key_overhead = 48;

/// Stands for the unknown version of something the receiver may still hold and must let go.
constexpr Digest some_version{0, 1};
constexpr std::size_t ack_bytes = 16;

} // namespace

void Outbound::mark(const Slot& slot) {
    if (slot.entry.current != slot.digest && !slot.entry.orphan)
        dirty_.insert(slot.hash);
    else
        dirty_.erase(slot.hash);
}

void Outbound::put(const ItemKey& key, std::uint32_t generation, Blob bytes, Number number) {
    CHECK(bytes);
    newest_ = std::max(newest_, number);
    Digest digest = item_digest(key_, key, generation, *bytes);
    auto [slot, fresh] = entries_.ensure(key_hash(key_, key));
    Entry& entry = slot->entry;
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
    mark(*slot);
}

void Outbound::drop(const ItemKey& key, Number number) {
    Digest hash = key_hash(key_, key);
    Slot* slot = entries_.find(hash);
    if (!slot || !slot->entry.bytes) return;
    newest_ = std::max(newest_, number);
    Entry& entry = slot->entry;
    current_sum_ -= entry.current;
    --current_count_;
    entry.current = {};
    entry.bytes = nullptr;
    entry.number = number;
    mark(*slot);
    bool in_flight = std::ranges::any_of(flights_, [&](const Flight& flight) {
        return std::ranges::any_of(flight.before, [&](const Listed& change) { return change.hash == hash; });
    });
    if (slot->digest == Digest{} && !in_flight) {
        dirty_.erase(hash);
        entries_.erase(hash);
    }
}

void Outbound::roll_back(const Digest& receiver) {
    while (!flights_.empty() && held() != receiver) {
        for (const Listed& change : flights_.back().before)
            if (Slot* slot = entries_.find(change.hash)) entries_.set(*slot, change.digest);
        flights_.pop_back();
    }
    flights_.clear();
}

void Outbound::forget_departed() {
    entries_.erase_if([](const Slot& slot) { return !slot.entry.bytes; });
}

void Outbound::mark_all() {
    entries_.erase_if([](const Slot& slot) { return !slot.entry.bytes && slot.digest == Digest{}; });
    dirty_.clear();
    orphans_ = 0;
    entries_.each([&](const Slot& slot) {
        if (slot.entry.orphan)
            ++orphans_;
        else if (slot.entry.current != slot.digest)
            dirty_.insert(slot.hash);
    });
}

void Outbound::assume_nothing_held() {
    forget_departed();
    entries_.each([&](Slot& slot) { entries_.set(slot, {}); });
}

void Outbound::assume_all_held() {
    forget_departed();
    entries_.each([&](Slot& slot) { entries_.set(slot, slot.entry.current); });
}

void Outbound::assume_held_up_to(Number number, const std::vector<ItemKey>& erased) {
    entries_.each([&](Slot& slot) {
        // What left the slice while we watched goes.
        if (slot.entry.bytes) entries_.set(slot, slot.entry.number <= number ? slot.entry.current : Digest{});
    });
    for (const ItemKey& key : erased) {
        auto [slot, fresh] = entries_.ensure(key_hash(key_, key));
        if (slot->entry.bytes) continue;
        slot->entry.key = key;
        slot->entry.key_known = true;
        slot->entry.orphan = false;
        if (fresh) entries_.set(*slot, some_version);
    }
}

void Outbound::resume(const Held& receiver, Place place, const ErasedSince& erased_since, bool keep_unknown) {
    state_ = State::idle;
    forget_cut();
    asked_.clear();
    to_ask_.clear();
    to_recall_.clear();
    recall_asked_.clear();
    // What came back and was not taken in before the connection was lost is asked for again.
    bool interrupted = std::exchange(recalling_, false);
    recall_sent_ = false;
    verify_ = false;
    descents_ = 0;
    keep_unknown_ = keep_unknown || place == Place::ahead;
    roll_back(receiver.digest);
    bool in_doubt = false;
    if (held() == receiver.digest) {
        // as we remember it, or nothing on either side
    } else if (receiver.count == 0 && receiver.digest == Digest{}) {
        assume_nothing_held();
    } else if (receiver.digest == current_sum_) {
        assume_all_held();
    } else if (auto erased = place == Place::known ? erased_since() : std::nullopt) {
        assume_held_up_to(receiver.cursor->number, *erased);
    } else {
        if (held() == Digest{}) assume_all_held(); // the best guess of who knows nothing
        in_doubt = true;
    }
    entries_.each([&](Slot& slot) {
        if (!slot.entry.key_known) slot.entry.orphan = keep_unknown_;
        if (interrupted) slot.entry.recalled = false;
    });
    mark_all();
    // In agreement, and without a cursor that would say so the next time.
    bool unsaid = place == Place::none || place == Place::forgotten;
    if (lane_ == Lane::desired && ((current_count_ > 0 && unsaid) || place == Place::ahead)) verify_ = true;
    // Told by the cursor that it has everything, though its digest says something else.
    if (in_doubt || (dirty_.empty() && held() != receiver.digest))
        begin_descent();
    else if (keep_unknown_)
        begin_recall(!interrupted);
}

void Outbound::cut(std::uint64_t room) {
    forget_cut();
    for (const Digest& hash : dirty_) {
        const Entry& entry = entries_.find(hash)->entry;
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
    cut_ = std::min(newest_, durable_);
    std::size_t fitting = room == ~std::uint64_t{0} ? queue_.size() : fitting_into(room);
    if (fitting == 0 && !verify_) return forget_cut();
    // The receiver has everything up to what is left for later.
    for (std::size_t n = fitting; n < queue_.size(); ++n) cut_ = std::min(cut_, std::max<Number>(queue_[n].number, 1) - 1);
    queue_.resize(fitting);
    state_ = State::open;
    verify_ = false;
}

/// How many of the queue's first cost no more than this, in frames of their own and acknowledged one by one.
std::size_t Outbound::fitting_into(std::uint64_t room) const {
    std::size_t fitting = 0;
    for (const Cut& cut : queue_) {
        const ItemKey& key = entries_.find(cut.hash)->entry.key;
        std::size_t size = cut.bytes ? cut.bytes->size() + 128 + key.project.size() + key.name.size() : 34;
        Use cost = on_the_way(size), answer = on_the_way(ack_bytes);
        // Each started 60 KiB is a fragment with heads of its own.
        constexpr std::uint64_t heads = 160;
        std::uint64_t whole = cost.both() + answer.both() + heads * (1 + size / (60 << 10));
        if (whole > room) break;
        room -= whole;
        ++fitting;
    }
    return fitting;
}

std::optional<Batch> Outbound::next(bool may_cut, std::uint64_t room) {
    if (state_ == State::idle && may_cut && wants() && !recalling_) cut(room);
    if (state_ != State::open || flights_.size() >= window) return {};

    Batch batch{.lane = lane_};
    Flight flight;
    std::size_t bytes = 0;
    while (!all_sent() && flight.before.size() < most_sent_items) {
        Cut& cut = queue_[sent_];
        Slot* slot = entries_.find(cut.hash);
        bool changed_since = !slot || slot->entry.current != cut.digest;
        // Changed since the cut: the next batch has the newest. But what the receiver lacks altogether goes now, since others may
        // refer to it.
        if (changed_since && (!slot || !cut.bytes || slot->digest != Digest{})) {
            ++sent_;
            continue;
        }
        const ItemKey& key = slot->entry.key;
        bool is_new = slot->digest == Digest{};
        std::size_t size =
            cut.bytes ? cut.bytes->size() + item_overhead + (is_new ? key.project.size() + key.name.size() + key_overhead : 0)
                      : 18;
        if (bytes > 0 && bytes + size > frame_target) break;
        bytes += size;
        if (cut.bytes) {
            BatchItem item{.hash = {}, .item = {.key = key, .generation = cut.generation, .bytes = cut.bytes}};
            if (!is_new) item.hash = cut.hash.low;
            batch.items.push_back(std::move(item));
        } else {
            batch.removed.push_back(cut.hash);
        }
        flight.before.push_back({cut.hash, slot->digest});
        entries_.set(*slot, cut.digest);
        mark(*slot);
        ++sent_;
    }
    // What comes behind may all have changed since the cut.
    while (!all_sent()) {
        const Slot* slot = entries_.find(queue_[sent_].hash);
        if (slot && slot->entry.current == queue_[sent_].digest) break;
        if (slot && queue_[sent_].bytes && slot->digest == Digest{}) break;
        ++sent_;
    }
    if (all_sent()) {
        batch.close = flight.close = cut_;
        batch.digest = held().low;
        state_ = State::closing;
        forget_cut();
    } else if (lane_ == Lane::desired) {
        batch.as_of = cut_;
    }
    flights_.push_back(std::move(flight));
    return batch;
}

CarriedSlice Outbound::carry(std::optional<Number> base) const {
    CarriedSlice carried;
    std::vector<const Entry*> chosen;
    entries_.each(Range{}, [&](const Slot& slot) {
        if (!slot.entry.bytes) return;
        carried.listing.push_back({slot.hash, slot.entry.current});
        if (!base || slot.entry.number > *base) chosen.push_back(&slot.entry);
    });
    std::ranges::sort(chosen, {}, [](const Entry* entry) { return std::tuple(entry->key.kind, entry->key.part, entry->number); });
    std::size_t bytes = 0;
    for (const Entry* entry : chosen) {
        std::size_t size =
            entry->bytes->size() + item_overhead + entry->key.project.size() + entry->key.name.size() + key_overhead;
        bool full =
            carried.batches.empty() || carried.batches.back().items.size() == most_sent_items || bytes + size > frame_target;
        if (full) carried.batches.push_back({.lane = lane_}), bytes = 0;
        bytes += size;
        carried.batches.back().items.push_back(
            {.hash = {}, .item = {.key = entry->key, .generation = entry->generation, .bytes = entry->bytes}});
    }
    return carried;
}

Result<void> Outbound::acknowledged(std::uint32_t frames, bool differs) {
    if (frames > flights_.size())
        return fail(Code::invalid, fmt::format("acknowledges {} frames of {}", frames, flights_.size()));
    for (; frames > 0; --frames) {
        Flight& flight = flights_.front();
        for (const Listed& change : flight.before) {
            const Slot* slot = entries_.find(change.hash);
            if (slot && !slot->entry.bytes && slot->digest == Digest{}) {
                dirty_.erase(change.hash);
                entries_.erase(change.hash);
            }
        }
        if (flight.close && !differs) {
            acknowledged_ = *flight.close;
            descents_ = 0;
        }
        flights_.pop_front();
    }
    if (differs) {
        if (state_ != State::closing || !flights_.empty())
            return fail(Code::invalid, "says that digests differ while a batch is open");
        if (descents_ >= most_descents)
            return fail(Code::invalid, fmt::format("says that digests differ after {} descents in a row", descents_));
        begin_descent();
    } else if (state_ == State::closing && flights_.empty()) {
        state_ = State::idle;
    }
    return {};
}

void Outbound::begin_descent() {
    state_ = State::descent;
    ++descents_;
    unknown_ = 0;
    to_ask_.push_back({});
}

std::optional<Ranges> Outbound::next_ask() {
    if (state_ != State::descent || to_ask_.empty() || asked_.size() >= window) return {};
    Ranges ask{.lane = lane_, .word = word()};
    std::size_t bytes = 0;
    while (!to_ask_.empty() && ask.ranges.size() < max_ranges) {
        RangeSums sums = sums_of(entries_, to_ask_.front(), word());
        std::size_t size = 16 + sums.sums.size() * 4;
        if (bytes > 0 && bytes + size > frame_target) break;
        bytes += size;
        ask.ranges.push_back(std::move(sums));
        to_ask_.pop_front();
    }
    std::ranges::sort(ask.ranges, {}, [](const RangeSums& each) { return each.range.begin(); });
    Asked& asked = asked_.emplace_back();
    for (const RangeSums& each : ask.ranges) asked.ranges.emplace_back(each.range, each.split);
    return ask;
}

Result<void> Outbound::answered(Ranges&& answer) {
    if (state_ != State::descent || asked_.empty() || answer.word != word())
        return fail(Code::invalid, "an answer that nobody asked for");
    for (const RangeSums& each : answer.ranges) {
        Asked& asked = asked_.front();
        auto at =
            std::ranges::upper_bound(asked.ranges, each.range.begin(), {}, [](const auto& one) { return one.first.begin(); });
        bool inside = at != asked.ranges.begin() && each.range.end() <= std::prev(at)->first.end() &&
                      each.range.bits == std::prev(at)->first.bits + std::prev(at)->second;
        if (!inside || each.range.begin() < asked.answered) return fail(Code::invalid, "answers what was not asked, or twice");
        asked.answered = each.range.end();
        TRY_VOID(each.split ? take_sums(each) : take_list(each));
    }
    if (answer.last) asked_.pop_front();
    if (asked_.empty() && to_ask_.empty()) {
        state_ = State::idle;
        mark_all();
        verify_ = true; // close it in any case, so that both sides see whether they agree now
        if (keep_unknown_) begin_recall(false);
    }
    return {};
}

void Outbound::begin_recall(bool only_orphans) {
    to_recall_.clear();
    entries_.each([&](Slot& slot) {
        bool differs = !only_orphans && slot.entry.bytes && slot.digest != Digest{} && slot.digest != slot.entry.current;
        if (slot.entry.orphan ? !slot.entry.recalled : differs) to_recall_.push_back(slot.hash);
    });
    recalling_ = !to_recall_.empty();
}

std::vector<Digest> Outbound::next_recall() {
    if (recall_sent_ || to_recall_.empty() || state_ != State::idle || !flights_.empty()) return {};
    recall_asked_.clear();
    for (; !to_recall_.empty() && recall_asked_.size() < max_recalled; to_recall_.pop_front())
        recall_asked_.push_back(to_recall_.front());
    recall_sent_ = true;
    return recall_asked_;
}

Result<void> Outbound::came_back(const ItemKey& key) {
    auto asked = std::ranges::find(recall_asked_, key_hash(key_, key));
    if (asked == recall_asked_.end()) return fail(Code::invalid, "returns what nobody asked for: " + key.text());
    if (Slot* slot = entries_.find(*asked)) slot->entry.recalled = true;
    recall_asked_.erase(asked);
    return {};
}

bool Outbound::recall_answered() {
    for (const Digest& hash : recall_asked_) {
        Slot* slot = entries_.find(hash);
        if (!slot || !slot->entry.orphan) continue;
        slot->entry.orphan = false;
        --orphans_;
        mark(*slot);
    }
    recall_asked_.clear();
    recall_sent_ = false;
    return to_recall_.empty();
}

void Outbound::recall_done() {
    recalling_ = recall_sent_ = false;
    to_recall_.clear();
    recall_asked_.clear();
}

void Outbound::let_go(const ItemKey& key) {
    Slot* slot = entries_.find(key_hash(key_, key));
    if (!slot || !slot->entry.orphan) return;
    slot->entry.orphan = false;
    --orphans_;
    mark(*slot);
}

void Outbound::let_go_of_orphans() {
    entries_.each([&](Slot& slot) {
        if (!slot.entry.orphan) return;
        slot.entry.orphan = false;
        mark(slot);
    });
    orphans_ = 0;
}

Result<void> Outbound::take_sums(const RangeSums& theirs) {
    for (std::uint32_t n = 0; n < theirs.sums.size(); ++n) {
        Range part = theirs.range.part(theirs.split, n);
        if (word_of(entries_.total(part).sum, word()) != theirs.sums[n]) to_ask_.push_back(part);
    }
    if (to_ask_.size() > max_slice_items)
        return fail(Code::exhausted, fmt::format("more than {} ranges that differ", max_slice_items));
    return {};
}

Result<void> Outbound::take_list(const RangeSums& theirs) {
    entries_.each(theirs.range, [&](Slot& slot) { entries_.set(slot, {}); });
    for (const Listed& each : theirs.entries) {
        auto [slot, fresh] = entries_.ensure(each.hash);
        if (fresh) {
            if (++unknown_ > max_slice_items)
                return fail(Code::exhausted, fmt::format("lists more than {} items that are unknown here", max_slice_items));
            slot->entry.key_known = false;
            slot->entry.orphan = keep_unknown_;
        }
        entries_.set(*slot, each.digest);
    }
    return {};
}

} // namespace skerry::sync
