#pragma once

#include "base/result.h"
#include "base/time.h"

#include <bitset>
#include <optional>
#include <string_view>

namespace skerry {

/// Moments that come again and again, in UTC, as the five fields of cron: minute, hour, day of month, month, day of week.
///
///     0 2 * * *         each night at two
///     */20 6-21 * * 1-5 each twenty minutes of working days
///     30 4 1,15 * *     on the first and the fifteenth
///
/// Each field is `*`, a number, a range `a-b`, any of these with a step `/n`, or several with commas. Sunday is 0 and 7. As with
/// cron, where both days are restricted, a day that one of them names will do.
class Schedule {
public:
    static Result<Schedule> parse(std::string_view text);

    /// The last of these moments at or before `at`; none within the eight years before (29 February comes within them).
    std::optional<WallTime> last(WallTime at) const;
    /// The first one after `at`.
    std::optional<WallTime> next(WallTime at) const;

private:
    bool names_day(std::int64_t day) const;

    std::bitset<60> minutes_;
    std::bitset<24> hours_;
    std::bitset<32> month_days_;
    std::bitset<13> months_;
    std::bitset<7> week_days_;
    bool any_month_day_ = false, any_week_day_ = false;
};

} // namespace skerry
