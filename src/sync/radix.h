#pragma once

#include "sync/item.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace skerry::sync {

/// The hashes whose low half begins with these bits.
struct Range {
    static constexpr unsigned max_bits = 32;
    /// Sums of one range are told of at most 2^this parts of it.
    static constexpr unsigned max_split = 10;

    std::uint8_t bits = 0;
    std::uint32_t prefix = 0; ///< below 2^bits

    auto operator<=>(const Range&) const = default;
    /// Of all prefixes of 32 bits: the first in it, and the first behind it.
    std::uint64_t begin() const { return std::uint64_t{prefix} << (max_bits - bits); }
    std::uint64_t end() const { return (std::uint64_t{prefix} + 1) << (max_bits - bits); }
    bool contains(std::uint64_t low) const { return bits == 0 || low >> (64 - bits) == prefix; }
    /// The `n`-th of its 2^split parts.
    Range part(unsigned split, std::uint32_t n) const { return {static_cast<std::uint8_t>(bits + split), (prefix << split) + n}; }
};

/// Things by the hash of their key, with the sum of the digests in each range of hashes, kept as they change (rule L3).
///
/// A tree that branches sixteenfold by the hash's low half, which is spread evenly unless somebody tries. A leaf is a short
/// vector in order, so that a small slice is no tree at all and an empty one allocates nothing; a larger one costs about 20 bytes
/// for each item beside the item. Whoever makes up hashes gets vectors, long or deep within `Range::max_bits`, and no worse than
/// that.
template<class Entry>
class Radix {
public:
    struct Slot {
        Digest hash;
        Digest digest; ///< changed by `set` alone
        Entry entry;
    };
    struct Total {
        Digest sum;
        std::size_t count = 0;
    };

    Slot* find(const Digest& hash) {
        Node& leaf = leaf_of(hash.low);
        auto at = place(leaf, hash);
        return at != leaf.slots.end() && (*at)->hash == hash ? at->get() : nullptr;
    }
    const Slot* find(const Digest& hash) const { return const_cast<Radix*>(this)->find(hash); }
    /// By the low half alone.
    Slot* find_low(std::uint64_t low) {
        Node& leaf = leaf_of(low);
        auto at = place(leaf, Digest{0, low});
        return at != leaf.slots.end() && (*at)->hash.low == low ? at->get() : nullptr;
    }
    /// Makes it, with digest zero, where it is not.
    std::pair<Slot*, bool> ensure(const Digest& hash) {
        if (Slot* found = find(hash)) return {found, false};
        Node* node = &root_;
        unsigned depth = 0;
        for (; node->below; node = &child(*node, hash.low, depth), ++depth) ++node->total.count;
        ++node->total.count;
        auto at = node->slots.insert(place(*node, hash), std::make_unique<Slot>(Slot{.hash = hash, .digest = {}, .entry = {}}));
        Slot* made = at->get();
        if (node->slots.size() > most_in_leaf && depth < max_depth) split(*node, depth);
        return {made, true};
    }
    void set(Slot& slot, const Digest& digest) {
        if (slot.digest == digest) return;
        along(slot.hash.low, [&](Node& node) {
            node.total.sum -= slot.digest;
            node.total.sum += digest;
        });
        slot.digest = digest;
    }
    /// It must be there.
    void erase(const Digest& hash) {
        Node* thinned = nullptr;
        Digest digest = find(hash)->digest;
        Node& leaf = along(hash.low, [&](Node& node) {
            node.total.sum -= digest;
            --node.total.count;
            if (node.below && !thinned && node.total.count < least_below) thinned = &node;
        });
        leaf.slots.erase(place(leaf, hash));
        if (leaf.slots.empty()) leaf.slots = Slots();
        if (thinned) join(*thinned);
    }
    void clear() { root_ = {}; }

    const Digest& sum() const { return root_.total.sum; }
    std::size_t size() const { return root_.total.count; }

    Total total(const Range& range) const {
        Total total;
        within(
            root_, 0, range, [&](const Node& node) { total.sum += node.total.sum, total.count += node.total.count; },
            [&](const Slot& slot) { total.sum += slot.digest, ++total.count; });
        return total;
    }
    /// In order. `call(Slot&)` may `set`, and makes or erases nothing.
    template<class Call>
    void each(const Range& range, Call call) {
        within(
            root_, 0, range, [&](const Node& node) { all(node, call); },
            [&](const Slot& slot) { call(const_cast<Slot&>(slot)); });
    }
    template<class Call>
    void each(const Range& range, Call call) const {
        const_cast<Radix*>(this)->each(range, [&](const Slot& slot) { call(slot); });
    }
    template<class Call>
    void each(Call call) {
        all(root_, call);
    }
    template<class Claim>
    void erase_if(Claim claim) {
        std::vector<Digest> gone;
        each([&](Slot& slot) {
            if (claim(slot)) gone.push_back(slot.hash);
        });
        for (const Digest& hash : gone) erase(hash);
    }

private:
    static constexpr unsigned step = 4; ///< bits of one level
    static constexpr unsigned max_depth = Range::max_bits / step;
    static constexpr std::size_t most_in_leaf = 32;
    static constexpr std::size_t least_below = 12;

    using Slots = std::vector<std::unique_ptr<Slot>>;
    struct Node {
        Total total;
        std::unique_ptr<std::array<Node, 1 << step>> below; ///< null: a leaf
        Slots slots;                                        ///< of a leaf, in order of (low, high)
    };

    static Node& child(Node& node, std::uint64_t low, unsigned depth) {
        return (*node.below)[low >> (64 - step * (depth + 1)) & ((1 << step) - 1)];
    }
    static typename Slots::iterator place(Node& leaf, const Digest& hash) {
        return std::ranges::lower_bound(leaf.slots, std::pair(hash.low, hash.high), {},
                                        [](const auto& slot) { return std::pair(slot->hash.low, slot->hash.high); });
    }
    /// From the root to the leaf, which it returns.
    template<class Call>
    Node& along(std::uint64_t low, Call call) {
        Node* node = &root_;
        call(*node);
        for (unsigned depth = 0; node->below; ++depth) call(*(node = &child(*node, low, depth)));
        return *node;
    }
    Node& leaf_of(std::uint64_t low) {
        return along(low, [](Node&) {});
    }

    static void split(Node& node, unsigned depth) {
        node.below = std::make_unique<std::array<Node, 1 << step>>();
        for (auto& slot : std::exchange(node.slots, {})) {
            Node& to = child(node, slot->hash.low, depth);
            to.total.sum += slot->digest;
            ++to.total.count;
            to.slots.push_back(std::move(slot));
        }
        for (Node& each : *node.below)
            if (each.slots.size() > most_in_leaf && depth + 1 < max_depth) split(each, depth + 1);
    }
    static void join(Node& node) {
        Slots slots;
        gather(node, slots);
        node.below.reset();
        node.slots = std::move(slots);
    }
    static void gather(Node& node, Slots& slots) {
        if (node.below)
            for (Node& each : *node.below) gather(each, slots);
        for (auto& slot : node.slots) slots.push_back(std::move(slot));
    }

    template<class Call>
    static void all(const Node& node, Call& call) {
        if (node.below)
            for (const Node& each : *node.below) all(each, call);
        for (const auto& slot : node.slots) call(*slot);
    }
    /// Whole nodes where they fit into the range, single slots at its edges.
    template<class Whole, class One>
    static void within(const Node& node, unsigned depth, const Range& range, const Whole& whole, const One& one) {
        if (depth * step >= range.bits) return whole(node);
        if (!node.below) {
            for (const auto& slot : node.slots)
                if (range.contains(slot->hash.low)) one(*slot);
            return;
        }
        unsigned left = range.bits - depth * step;
        std::uint32_t first = left >= step ? range.prefix >> (left - step) : range.prefix << (step - left);
        std::uint32_t count = left >= step ? 1 : 1u << (step - left);
        first &= (1 << step) - 1;
        for (std::uint32_t n = 0; n < count; ++n) within((*node.below)[first + n], depth + 1, range, whole, one);
    }

    Node root_;
};

} // namespace skerry::sync
