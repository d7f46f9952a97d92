#include "env/corrected_clock.h"

namespace skerry::env {

namespace {

/// Before this program was written.
constexpr WallTime beginning{1'767'225'600, 0};
/// What two good clocks may differ by: at once, and for each nanosecond since (200 ppm).
constexpr Duration close_enough = 10s;
constexpr std::int64_t one_in = 5'000;

Duration apart(WallTime a, WallTime b) { return a < b ? b - a : a - b; }

} // namespace

CorrectedClock::CorrectedClock(const Clock& machine) : machine_(machine), began_(machine.now()) {}

WallTime CorrectedClock::expected(const Anchor& anchor) const { return anchor.time + (machine_.now() - anchor.at); }

WallTime CorrectedClock::wall_locked() const {
    WallTime own = machine_.wall();
    if (anchor_) {
        WallTime right = expected(*anchor_);
        return apart(own, right) <= close_enough + (machine_.now() - anchor_->at) / one_in ? own : right;
    }
    WallTime least = mark_ + (machine_.now() - began_);
    return mark_ > WallTime{} && own < mark_ ? least : own;
}

ClockTrust::Level CorrectedClock::level_locked() const {
    if (anchor_) return ClockTrust::Level::confirmed;
    WallTime own = machine_.wall();
    return own < mark_ || own < beginning ? ClockTrust::Level::wrong : ClockTrust::Level::own;
}

WallTime CorrectedClock::wall() const {
    std::lock_guard lock(mutex_);
    return wall_locked();
}

ClockTrust CorrectedClock::trust() const {
    std::lock_guard lock(mutex_);
    return {.level = level_locked(), .correction = anchor_ ? anchor_->correction : Duration{}, .mark = mark_};
}

void CorrectedClock::remember(WallTime mark) {
    std::lock_guard lock(mutex_);
    mark_ = std::max(mark_, mark);
}

void CorrectedClock::confirm(WallTime time, Instant at) {
    std::lock_guard lock(mutex_);
    WallTime then = machine_.wall() + (at - machine_.now());
    anchor_ = Anchor{time, at, apart(time, then) <= close_enough ? Duration{} : time - then};
    mark_ = std::max(mark_, time);
}

std::optional<Instant> CorrectedClock::confirmed_at() const {
    std::lock_guard lock(mutex_);
    return anchor_ ? std::optional(anchor_->at) : std::nullopt;
}

std::optional<WallTime> CorrectedClock::told(bool has_parent) const {
    std::lock_guard lock(mutex_);
    ClockTrust::Level level = level_locked();
    if (level == ClockTrust::Level::wrong || (has_parent && level != ClockTrust::Level::confirmed)) return {};
    return wall_locked();
}

} // namespace skerry::env
