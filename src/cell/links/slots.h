#pragma once

#include "base/time.h"

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace skerry::cell {

/// How many children may catch up at once. When all return together each has perhaps only a little to be told, but what is on its
/// way to all of them would be in memory at once; so they take turns, in the order in which they came. Whoever waits has its link, its beats
/// and its lease meanwhile: only what differs is not sent yet.
///
///     hello ─► nothing differs: no turn is needed
///         └─► ask ─► has one ─────────────────────────► release: in agreement, or its wire is gone
///                └─► waits ─► next() ─► has one ──────►
///
/// One that is slow keeps nobody waiting: after `turn` it goes on without being counted. With `waiting` in line, who comes is to come
/// again later.
class Slots {
public:
    struct Limits {
        std::size_t most = 1024; ///< times the window of a link: 256 MiB at the worst
        std::size_t waiting = 16'384;
        Duration turn = 10s;
    };
    explicit Slots(Limits limits) : limits_(limits) {}

    /// Whether it may. The first refusal puts it in line.
    bool ask(const std::string& tag, Instant now);
    void release(const std::string& tag);
    /// Gives turns to those that are next, and names them.
    std::vector<std::string> next(Instant now);

    std::size_t waiting() const { return waiting_; }
    bool is_full() const { return waiting_ >= limits_.waiting; }
    /// When who is sent away should come again; `jitter` of 0 to 1 keeps a thousand of them apart.
    Duration come_back(double jitter) const;

private:
    struct Seat {
        bool waits = false, counts = false;
        std::uint64_t number = 0; ///< of its asking: what is in line under another is of before
    };
    void give(const std::string& tag, Seat&, Instant now);
    Seat* seat_of(const std::string& tag, std::uint64_t number);
    /// Turns that took too long count no more.
    void expire(Instant now);
    bool has_room() const { return counted_ < limits_.most; }

    Limits limits_;
    std::unordered_map<std::string, Seat> seats_;
    std::deque<std::pair<std::string, std::uint64_t>> line_;
    struct Held {
        Instant since;
        std::string tag;
        std::uint64_t number;
    };
    std::deque<Held> held_; ///< of the last `turn`, oldest first
    std::size_t counted_ = 0, waiting_ = 0;
    std::uint64_t numbers_ = 0;
};

} // namespace skerry::cell
