#pragma once

#include "sync/frame.h"

#include <bit>

/// How the two ends of a slice find what differs (rule L3).
///
///   sender                                                        receiver
///   whole slice in 512 sums of what it believes  ── ask ───────►  compares with its own
///                                               ◄──── answer ──   of each part that differs: 64 sums, or all entries if they are
///                                               few
///   compares; of each part that still differs    ── ask ───────►
///                                               ◄──── answer ──   all entries
///   now it knows, and sends items and removals   ── batch ─────►
///
/// So with 100,000 items three messages of the sender bring what differs to the receiver. Sums are told in 32 of their bits: what
/// hides behind equal bits shows in the digest of the closing frame, and the next descent tells other bits.
namespace skerry::sync {

/// As many descents in a row may end in digests that differ.
inline constexpr unsigned most_descents = 3;

/// In how many parts, as a power of two, a range of so many items is told; 0: it is listed.
inline unsigned split_of(std::size_t count, unsigned bits) {
    constexpr std::size_t listed = 16, wide = 1'024;
    if (count <= listed || bits >= Range::max_bits) return 0;
    auto split = static_cast<unsigned>(std::bit_width(count > wide ? count / 256 : count / 4));
    return std::min({split, Range::max_split, Range::max_bits - bits});
}

/// A range as one side sees it: sums of its parts, unless it is small enough to be listed.
template<class Entry>
RangeSums sums_of(const Radix<Entry>& items, const Range& range, unsigned word) {
    RangeSums sums{.range = range, .split = static_cast<std::uint8_t>(split_of(items.total(range).count, range.bits))};
    if (!sums.split) return sums;
    sums.sums.reserve(std::size_t{1} << sums.split);
    for (std::uint32_t n = 0; n < std::uint32_t{1} << sums.split; ++n)
        sums.sums.push_back(word_of(items.total(range.part(sums.split, n)).sum, word));
    return sums;
}

} // namespace skerry::sync
