#pragma once

#include "base/schedule.h"
#include "base/time.h"
#include "sync/flow.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skerry::sync {

/// When bulk may flow.
struct Window {
    Schedule start;
    Duration lasts{};
};

/// What an uplink allows.
struct Terms {
    std::optional<std::uint64_t> budget; ///< bytes a day, both ways; none: no bound
    std::uint64_t beats = 0;             ///< what the beats of a day take
    std::vector<Window> windows;         ///< none: at any time
    double cost_per_gigabyte = 0;
};

/// What crossed a link today, and what may still cross: the bytes of a day, its budget, its windows. Both ends of a link keep one;
/// each counts both directions, and holds back what it would itself set going.
///
/// The budget of a day, 10 MB with a beat each 15 s:
///
///     |- beats of a day 1.0 -|- security, desired, tunnel as they come -|- status and bulk, as long as there is room -|
///                                                                         of it the last eighth of the budget: status only
///
/// - What the day's beats will take is set aside from its first moment, so that the morning's images do not use up the evening's
///   beats; and so beats need not be noted down.
/// - Leases, security, wishes and tunnels are never held back, only counted: they take from what status and bulk may have.
/// - A crash forgets what was counted since the last note. So a note says more than was counted: by `step`, and the next note is
///   due before half of that is used. What comes back after a crash counts as if all of it had crossed ("unseen"). Nothing is noted
///   while only beats cross.
///
/// A day is one of UTC, by a wall clock that is trusted (rule T1). Without one it is 24 hours of the boot-time clock; once the time
/// is told, what this run counted counts for the day that it turns out to be. A trusted clock that goes back, or forward less
/// than 23 hours after the last midnight, begins no new day.
class Meter {
public:
    struct Now {
        Instant at;
        std::optional<WallTime> wall; ///< none: not to be trusted
    };

    Meter(Terms, Now);
    /// With what an earlier run noted; where that cannot be read the budget counts as used up.
    Meter(Terms, Now, const std::string& note);

    void set_terms(Terms, Now);
    const Terms& terms() const { return terms_; }
    void count(Flow, Use, Now);
    /// Time passes.
    void look(Now);

    const Uses& today() const { return today_; }
    std::uint64_t unseen() const { return unseen_; }
    /// Since 1970; none: the time is not known.
    std::optional<std::int64_t> day() const { return day_; }

    /// What status may still take today; none: no bound.
    std::optional<std::uint64_t> status_room() const;
    /// The same for bulk; 0 outside of windows too. Less than `least_bulk` is not worth asking for.
    std::optional<std::uint64_t> bulk_room() const;
    static constexpr std::uint64_t least_bulk = 24 << 10;
    enum class Hold : std::uint8_t {
        none,
        budget, ///< used up: status and bulk wait for the next day
        beyond, ///< the same, and what is not held back alone takes it all
        bulk,   ///< what is left is for status
        window, ///< bulk waits for the next window
    };
    Hold hold() const;
    /// When the next window begins, where bulk waits for one.
    std::optional<WallTime> opens() const { return opens_; }
    /// When to look again, at the latest.
    Instant next_look() const { return next_look_; }

    /// A note is due: these bytes. Asked after each `count`.
    std::optional<std::string> note_due();
    /// The last one did not become durable: the next look has one due.
    void note_lost() { lost_ = true; }
    /// Exactly what was counted, for a clean end.
    std::string note() const { return write(0); }

private:
    void begin_day(std::optional<std::int64_t> day, Now, Uses counted);
    void look_at_windows(Now);
    std::uint64_t step() const;
    /// Of what the budget is taken from.
    std::uint64_t spent() const;
    /// The same without beats: what notes are about.
    std::uint64_t noted_part() const;
    std::string write(std::uint64_t ahead) const;

    Terms terms_;
    Uses today_, unsettled_; ///< of it, counted while nobody knew the day
    std::uint64_t unseen_ = 0;
    std::optional<std::int64_t> day_;
    Instant began_;                   ///< the day, or this run, whichever is later
    std::optional<Instant> midnight_; ///< the last one that this run saw
    std::uint64_t covered_ = 0;       ///< by the last note
    bool lost_ = false;               ///< the last note
    bool open_ = true;
    std::optional<WallTime> opens_;
    Instant next_look_{};
};

} // namespace skerry::sync
