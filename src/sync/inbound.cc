#include "sync/inbound.h"

#include "sync/descent.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

namespace skerry::sync {

void Inbound::load(const Item& item) {
    auto [slot, fresh] = index_.ensure(key_hash(key_, item.key));
    slot->entry = item.key;
    index_.set(*slot, item_digest(key_, item.key, item.generation, *item.bytes));
}

void Inbound::drop() {
    restart();
    index_.clear();
    cursor_ = open_ = {};
}

Result<Apply> Inbound::take(Batch&& batch, IncarnationId sender) {
    Apply apply{.lane = lane_};
    for (BatchItem& each : batch.items) {
        auto* found = each.hash ? index_.find_low(*each.hash) : nullptr;
        if (each.hash && !found) continue; // we lost it, and the sender does not know: the digest of the close will tell
        if (!each.hash) {
            auto [slot, fresh] = index_.ensure(key_hash(key_, each.item.key));
            if (fresh && index_.size() > max_slice_items)
                return fail(Code::exhausted, fmt::format("a slice of more than {} items", max_slice_items));
            if (fresh) slot->entry = std::move(each.item.key);
            found = slot;
        }
        each.item.key = found->entry;
        Digest digest = item_digest(key_, found->entry, each.item.generation, *each.item.bytes);
        if (digest == found->digest) continue; // we have this very version
        index_.set(*found, digest);
        apply.items.push_back(std::move(each.item));
    }
    for (const Digest& hash : batch.removed) {
        auto* found = index_.find(hash);
        if (!found) continue;
        apply.removed.push_back(std::move(found->entry));
        index_.erase(hash);
    }
    batch_open_ = !batch.close;
    if (batch.as_of) apply.open = open_ = Cursor{sender, *batch.as_of};
    if (!batch.close) return apply;
    if (batch.digest == held().low) {
        apply.close = Cursor{sender, *batch.close};
        open_.reset();
        differing_ = 0;
    } else {
        differs_ = true;
        ++differing_;
    }
    return apply;
}

bool Inbound::is_beyond_repair() const { return differing_ > most_descents; }

Inbound::Difference Inbound::compare(const CarriedSlice& carried) const {
    Difference difference;
    std::unordered_map<Digest, Digest, DigestHash> listed;
    for (const Listed& entry : carried.listing) listed[entry.hash] = entry.digest;
    std::unordered_set<Digest, DigestHash> brought;
    for (const Batch& batch : carried.batches) {
        for (const BatchItem& each : batch.items) {
            Digest hash = key_hash(key_, each.item.key);
            Digest digest = item_digest(key_, each.item.key, each.item.generation, *each.item.bytes);
            auto at = listed.find(hash);
            if (at == listed.end() || at->second != digest) continue; // not a member of the slice that it says it is in
            const auto* found = index_.find(hash);
            if ((found && found->digest == digest) || !brought.insert(hash).second) continue;
            difference.fresh += found == nullptr;
            difference.items.push_back(each);
        }
    }
    for (const auto& [hash, digest] : listed) {
        const auto* found = index_.find(hash);
        if (!(found && found->digest == digest) && !brought.contains(hash)) ++difference.lacking;
    }
    std::vector<std::tuple<std::uint32_t, std::uint8_t, Digest>> unlisted;
    index_.each(Range{}, [&](const auto& slot) {
        if (!listed.contains(slot.hash)) unlisted.emplace_back(slot.entry.kind, slot.entry.part, slot.hash);
    });
    std::ranges::sort(unlisted, std::greater<>());
    for (const auto& [kind, part, hash] : unlisted) difference.unlisted.push_back(hash);
    return difference;
}

Result<void> Inbound::asked(Ranges&& ask) {
    if (asks_.size() >= window)
        return fail(Code::invalid, fmt::format("asks for ranges while {} asks are not answered", asks_.size()));
    asks_.push_back({std::move(ask)});
    return {};
}

RangeSums Inbound::describe(const Range& range, unsigned word) const {
    RangeSums described = sums_of(index_, range, word);
    if (described.split) return described;
    index_.each(range, [&](const auto& slot) {
        if (described.entries.size() < max_listed) described.entries.push_back({slot.hash, slot.digest});
    });
    return described;
}

std::optional<Ranges> Inbound::next_answer() {
    if (asks_.empty()) return {};
    Ask& ask = asks_.front();
    Ranges answer{.lane = lane_, .answer = true, .word = ask.ranges.word};
    std::size_t bytes = 0;
    for (; ask.range < ask.ranges.ranges.size(); ++ask.range, ask.part = 0) {
        const RangeSums& asked = ask.ranges.ranges[ask.range];
        for (; ask.part < std::max<std::size_t>(1, asked.sums.size()); ++ask.part) {
            Range part = asked.range.part(asked.split, ask.part);
            if (asked.split && word_of(index_.total(part).sum, answer.word) == asked.sums[ask.part]) continue;
            RangeSums described = describe(part, answer.word);
            std::size_t size = 16 + described.sums.size() * 4 + described.entries.size() * 32;
            if (bytes > 0 && (bytes + size > frame_target || answer.ranges.size() == max_ranges)) return answer;
            bytes += size;
            answer.ranges.push_back(std::move(described));
        }
    }
    answer.last = true;
    asks_.pop_front();
    return answer;
}

bool Inbound::forget(const ItemKey& key) {
    Digest hash = key_hash(key_, key);
    if (!index_.find(hash)) return false;
    index_.erase(hash);
    differing_ = 0; // a difference at the next close is ours
    return true;
}

} // namespace skerry::sync
