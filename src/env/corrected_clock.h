#pragma once

#include "env/env.h"

#include <mutex>
#include <optional>

namespace skerry::env {

/// A machine's clocks, with the wall clock put right by what the parent signed (rule T1). The machine's own is never set: the
/// correction runs over the boot-time clock, so it holds through jumps of the wall clock, until the process ends.
///
///     parent said 2027-03-01 12:00 at boot time 100 s
///     at boot time 160 s the machine says 1970-01-01 00:05  →  2027-03-01 12:01     off by decades: what was said, carried on
///     at boot time 160 s the machine says 12:01:03          →  12:01:03             its own, as long as the two agree
///
/// The mark is a moment known to have passed. Only what was signed raises it, so a clock of the year 2100 cannot; a clock behind
/// it is known to be wrong, and counts on from the mark. Thread-safe.
class CorrectedClock final : public Clock {
public:
    /// `machine` outlives this.
    explicit CorrectedClock(const Clock& machine);

    Instant now() const override { return machine_.now(); }
    WallTime wall() const override;
    std::string boot_id() const override { return machine_.boot_id(); }
    ClockTrust trust() const override;

    /// The mark that an earlier run kept.
    void remember(WallTime mark);
    /// It was `time` at `at`: signed, and asked for with a nonce of ours. A time before the mark lowers nothing.
    void confirm(WallTime time, Instant at);
    /// When it was last confirmed; none in this run.
    std::optional<Instant> confirmed_at() const;

    /// What a child may be told: none while this clock is known to be wrong, or where a parent could tell and has not.
    std::optional<WallTime> told(bool has_parent) const;

private:
    struct Anchor {
        WallTime time;
        Instant at;
        Duration correction;
    };
    WallTime expected(const Anchor&) const;
    WallTime wall_locked() const;
    ClockTrust::Level level_locked() const;

    const Clock& machine_;
    const Instant began_;
    mutable std::mutex mutex_;
    WallTime mark_{};
    std::optional<Anchor> anchor_;
};

} // namespace skerry::env
