#include "depot/spans.h"

#include <algorithm>
#include <iterator>

namespace skerry::depot {

void Spans::add(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    auto at = spans_.upper_bound(begin);
    if (at != spans_.begin() && std::prev(at)->second >= begin) --at;
    while (at != spans_.end() && at->first <= end) {
        begin = std::min(begin, at->first);
        end = std::max(end, at->second);
        at = spans_.erase(at);
    }
    spans_[begin] = end;
}

void Spans::remove(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    auto at = spans_.upper_bound(begin);
    if (at != spans_.begin() && std::prev(at)->second > begin) --at;
    while (at != spans_.end() && at->first < end) {
        auto [low, high] = *at;
        at = spans_.erase(at);
        if (low < begin) spans_[low] = begin;
        if (high > end) spans_[end] = high;
    }
}

std::uint64_t Spans::total() const {
    std::uint64_t sum = 0;
    for (auto [begin, end] : spans_) sum += end - begin;
    return sum;
}

bool Spans::contains(std::uint64_t offset) const {
    auto at = spans_.upper_bound(offset);
    return at != spans_.begin() && std::prev(at)->second > offset;
}

} // namespace skerry::depot
