#include "sync/inbound.h"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::sync {

void Inbound::load(const Item& item) {
    auto [at, fresh] = index_.try_emplace(key_hash(key_, item.key));
    sum_ -= at->second.digest;
    at->second = {item.key, item_digest(key_, item.key, item.generation, *item.bytes)};
    sum_ += at->second.digest;
}

void Inbound::drop() {
    restart();
    index_.clear();
    sum_ = {};
    cursor_ = {};
}

Inbound::Entry* Inbound::find(std::uint64_t low) {
    if (index_.empty()) return nullptr;
    std::size_t bucket = index_.bucket(Digest{0, low}); // the table is hashed by the low half alone
    for (auto at = index_.begin(bucket); at != index_.end(bucket); ++at)
        if (at->first.low == low) return &at->second;
    return nullptr;
}

Result<Apply> Inbound::take(Batch&& batch, IncarnationId sender) {
    if (listing_ || list_due_) return fail(Code::invalid, "a batch frame while the sender owes patience for a list of digests");
    Apply apply{.lane = lane_};
    for (BatchItem& each : batch.items) {
        Entry* found = each.hash ? find(*each.hash) : nullptr;
        if (each.hash && !found) continue; // we lost it, and the sender does not know: the digest of the close will tell
        if (!each.hash) {
            auto [at, fresh] = index_.try_emplace(key_hash(key_, each.item.key), Entry{each.item.key, {}});
            if (fresh && index_.size() > max_slice_items)
                return fail(Code::exhausted, fmt::format("a slice of more than {} items", max_slice_items));
            found = &at->second;
        }
        Entry& entry = *found;
        each.item.key = entry.key;
        Digest digest = item_digest(key_, entry.key, each.item.generation, *each.item.bytes);
        if (digest == entry.digest) continue; // we have this very version
        sum_ -= entry.digest;
        sum_ += digest;
        entry.digest = digest;
        apply.items.push_back(std::move(each.item));
    }
    for (const Digest& hash : batch.removed) {
        auto at = index_.find(hash);
        if (at == index_.end()) continue;
        sum_ -= at->second.digest;
        apply.removed.push_back(std::move(at->second.key));
        index_.erase(at);
    }
    batch_open_ = !batch.close && !batch.compare;
    if (batch.close) {
        if (batch.digest == sum_.low) {
            apply.close = Cursor{sender, *batch.close};
            compared_ = false;
        } else if (compared_) {
            beyond_repair_ = true;
        } else {
            list_due_ = true;
        }
    } else if (batch.compare) {
        list_due_ = true;
    }
    return apply;
}

void Inbound::begin_list() {
    list_due_ = false;
    listing_ = compared_ = true;
    pending_list_.clear();
    pending_list_.reserve(index_.size());
    for (const auto& [hash, entry] : index_) pending_list_.push_back({hash, entry.digest});
    std::ranges::sort(pending_list_, [](const Listed& a, const Listed& b) { return a.hash > b.hash; });
}

std::optional<Digests> Inbound::next_list() {
    if (!listing_) return {};
    Digests list{.lane = lane_};
    while (!pending_list_.empty() && list.entries.size() < max_listed) {
        list.entries.push_back(pending_list_.back());
        pending_list_.pop_back();
    }
    if (pending_list_.empty()) {
        list.last = true;
        listing_ = false;
        pending_list_ = {};
    }
    return list;
}

bool Inbound::forget(const ItemKey& key) {
    auto at = index_.find(key_hash(key_, key));
    if (at == index_.end()) return false;
    sum_ -= at->second.digest;
    index_.erase(at);
    compared_ = false; // a difference at the next close is ours
    return true;
}

} // namespace skerry::sync
