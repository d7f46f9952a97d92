#pragma once

#include "base/time.h"
#include "env/env.h"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

namespace skerry::sim {

/// What happens; part of the hash of a run.
enum class What : std::uint8_t { timer, post, job, landing, message, wire, dial, image, process, weather, operate, check, leash };
std::string_view name(What);

/// Number of a computer; 0 is the world itself, which never dies.
using Cell = std::uint32_t;

/// Virtual time, and everything that is going to happen, in one order: by time, then by when it was asked for. Nothing else
/// orders a run, so a run is a function of its seed.
class Agenda {
public:
    using Call = std::function<void()>;
    enum class Bound : std::uint8_t {
        free,
        life, ///< happens only if the process that runs on that computer now still does
    };

    /// Since the beginning of the world.
    Duration now() const { return now_; }
    /// `detail` says more of the event, for the hash and for people (bytes of a message).
    void at(Duration when, What what, Cell cell, Bound bound, Call call, std::uint64_t detail = 0) {
        put(when, what, cell, bound, std::move(call), detail);
    }
    /// Does not happen once the token is destroyed. The agenda must outlive the token.
    [[nodiscard]] std::unique_ptr<env::Timer> cancellable(Duration when, What, Cell, Bound, Call);

    /// The process on that computer is gone: what was to happen to it does not, and what waited is freed before this returns.
    void end_life(Cell);

    /// The process is stopped: what was to happen to it waits, in order, until it goes on.
    void pause(Cell);
    void resume(Cell);
    /// What is to happen to that process happens so much later: its computer and its clocks stood still.
    void delay(Cell, Duration by);

    /// The next event, if it is due by then. Time does not pass beyond it.
    bool step(Duration limit);
    /// Nothing more happens before then.
    void pass_to(Duration when) { now_ = std::max(now_, when); }

    /// Real processor time spent for that computer, from now on; nothing of the run depends on it.
    void meter(Cell cell, Duration (*processor_time)()) { metered_ = cell, processor_time_ = processor_time; }
    Duration spent() const { return spent_; }
    /// What is called for a computer within the event of another.
    template<class F>
    void as(Cell cell, F&& call) {
        if (cell != metered_ || !processor_time_) return call();
        Duration began = processor_time_();
        call();
        spent_ += processor_time_() - began;
    }

    /// Of every delivered event: time, kind, computer, detail.
    std::uint64_t hash() const { return hash_; }
    std::uint64_t delivered() const { return delivered_; }
    std::size_t waiting(Cell cell) const { return cell < waiting_.size() ? waiting_[cell] : 0; }

    struct Past {
        Duration when{};
        What what{};
        Cell cell = 0;
        std::uint64_t detail = 0;
    };
    /// The last events, oldest first.
    std::vector<Past> past() const;

    /// Timers that were let go do not ring, but stay for ever. A planted bug.
    bool keeps_cancelled = false;

private:
    struct Event {
        Call call;
        Cell cell = 0;
        What what{};
        bool live = false;
        std::uint32_t use = 0; ///< which use of this slot
        std::uint64_t detail = 0;
    };
    struct Due {
        Duration when;
        std::uint64_t order;
        std::uint32_t slot, use;
        bool operator>(const Due& other) const { return when != other.when ? when > other.when : order > other.order; }
    };
    class Token;

    std::uint32_t put(Duration when, What, Cell, Bound, Call, std::uint64_t detail);
    void drop(std::uint32_t slot);
    bool is_live(const Due& due) const { return events_[due.slot].live && events_[due.slot].use == due.use; }

    Duration now_{}, spent_{};
    Cell metered_ = 0;
    Duration (*processor_time_)() = nullptr;
    std::uint64_t order_ = 0, hash_ = 0xcbf29ce484222325ULL, delivered_ = 0;
    std::vector<Due> heap_;
    std::vector<Event> events_;
    std::vector<std::uint32_t> spare_;
    std::vector<bool> bound_; ///< by slot
    std::vector<std::size_t> waiting_;
    std::map<Cell, std::vector<Due>> held_; ///< by stopped cell: what came due meanwhile
    static constexpr std::size_t remembered = 50;
    std::array<Past, remembered> past_{};
};

} // namespace skerry::sim
