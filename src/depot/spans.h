#pragma once

#include <cstdint>
#include <map>

namespace skerry::depot {

/// A set of byte offsets as disjoint, non-touching spans [begin, end).
class Spans {
public:
    struct Span {
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        std::uint64_t length() const { return end - begin; }
        bool operator==(const Span&) const = default;
    };

    void add(std::uint64_t begin, std::uint64_t end);
    void remove(std::uint64_t begin, std::uint64_t end);
    void clear() { spans_.clear(); }

    bool empty() const { return spans_.empty(); }
    /// The lowest span. The set must not be empty.
    Span first() const { return {spans_.begin()->first, spans_.begin()->second}; }
    /// Sum of lengths.
    std::uint64_t total() const;
    std::size_t count() const { return spans_.size(); }
    bool contains(std::uint64_t offset) const;

private:
    std::map<std::uint64_t, std::uint64_t> spans_; // begin → end
};

} // namespace skerry::depot
