#pragma once

#include "base/result.h"
#include "depot/digest.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::depot {

/// Asks a source for some bytes of a blob. On a stream it is one line: `sha256:… <offset> <length>\n`.
struct RangeRequest {
    Digest digest;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    /// Tells it from every other of the same Fetch, also for the same bytes. Does not cross the link, and is no part of what is
    /// asked.
    std::uint64_t number = 0;
    bool operator==(const RangeRequest& other) const {
        return digest == other.digest && offset == other.offset && length == other.length;
    }

    std::string text() const;
    /// With or without the line's end. `invalid` beyond `max_length` or 2^62.
    static Result<RangeRequest> parse(std::string_view line);
    static constexpr std::uint64_t max_length = 64 << 20;
};

/// The first line of the answer: `ok <size of the whole blob>\n`, then the bytes asked for (as far as the blob goes); or `no
/// <reason>\n` and nothing more.
struct RangeAnswer {
    bool granted = false;
    std::uint64_t size = 0;
    std::string why;

    static RangeAnswer ok(std::uint64_t size) { return {true, size, {}}; }
    static RangeAnswer no(std::string why) { return {false, 0, std::move(why)}; }
    std::string text() const;
    static Result<RangeAnswer> parse(std::string_view line);
    /// A line that long without an end is malformed.
    static constexpr std::size_t max_line = 512;
};

} // namespace skerry::depot
