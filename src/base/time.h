#pragma once

#include "base/result.h"

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace skerry {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// A moment on the boot-time clock (CLOCK_BOOTTIME): runs through suspend, starts near zero at boot, means nothing after a
/// reboot. Decisions and leases use only this one (rule T1).
struct Instant {
    Duration since_boot{};
    auto operator<=>(const Instant&) const = default;
    friend Instant operator+(Instant i, Duration d) { return {i.since_boot + d}; }
    friend Instant operator-(Instant i, Duration d) { return {i.since_boot - d}; }
    friend Duration operator-(Instant a, Instant b) { return a.since_boot - b.since_boot; }
    static constexpr Instant never() { return {Duration::max()}; }
};

/// A moment of the wall clock, which may be wrong by decades: for people and certificates, never for decisions.
struct WallTime {
    std::int64_t seconds = 0; ///< since 1970-01-01T00:00:00Z
    std::int32_t nanos = 0;
    auto operator<=>(const WallTime&) const = default;
    friend WallTime operator+(WallTime t, Duration d) {
        Duration nanos = Duration(t.nanos) + d % 1s;
        std::int64_t carry = nanos < 0ns ? -1 : nanos / 1s;
        return {t.seconds + d / 1s + carry, static_cast<std::int32_t>((nanos - carry * 1s).count())};
    }
    /// As long as a Duration can be, at most (292 years).
    friend Duration operator-(WallTime a, WallTime b) {
        constexpr std::int64_t most = Duration::max() / 1s - 1;
        std::int64_t seconds = a.seconds - b.seconds;
        if (seconds > most || seconds < -most) return seconds > 0 ? Duration::max() : -Duration::max();
        return std::chrono::seconds(seconds) + Duration(a.nanos - b.nanos);
    }
};

/// RFC 3339 in UTC with seconds: `2026-03-01T12:00:00Z`.
std::string rfc3339(WallTime);
/// Also fractions and offsets.
Result<WallTime> parse_rfc3339(std::string_view text);

/// Kubernetes' way: `1h30m`, `10m`, `1.5s`, `300ms`; "0" needs no unit. Negative ones are `invalid`.
Result<Duration> parse_duration(std::string_view text);
std::string text(Duration);

/// As kubectl prints ages: `45s`, `3m12s`, `5h`, `2d3h`, `400d`.
std::string age(Duration);

} // namespace skerry
