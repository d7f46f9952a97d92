#pragma once

#include "base/result.h"
#include "base/time.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::sim {

/// What a real link carried, second by second; at its end it starts over. Three forms of text are understood, by their first
/// line:
///
///     mahimahi   one number a line: milliseconds at which one packet of 1,500 bytes may leave (one file for both directions)
///     CSV with DL_bitrate and UL_bitrate, in kbit/s, one line a second (recordings of phones)
///     CSV with pop_ping_ms (there and back) and drop_rate, one line a second (recordings of satellite dishes)
class Trace {
public:
    static Result<std::shared_ptr<const Trace>> parse(std::string_view text);
    static Result<std::shared_ptr<const Trace>> read(const std::string& path);

    /// When the last of so many bytes has left, of a queue that is free at that moment. Side 0 sends up.
    Duration leaves(Duration at, int side, std::size_t bytes) const;
    Duration delay(Duration at) const { return second(at).delay; }
    double loss(Duration at) const { return second(at).loss; }
    std::size_t seconds() const { return seconds_.size(); }

private:
    struct Second {
        std::array<std::int64_t, 2> bytes{-1, -1}; ///< up, down; below zero: as many as one likes
        Duration delay{};
        double loss = 0;
    };
    const Second& second(Duration at) const {
        return seconds_[static_cast<std::size_t>(at / std::chrono::seconds(1)) % seconds_.size()];
    }

    std::vector<Second> seconds_;
};

} // namespace skerry::sim
