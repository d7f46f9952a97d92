#include "base/schedule.h"

#include "base/number.h"

#include <string>

namespace skerry {

namespace {

constexpr std::int64_t day_seconds = 24 * 3600;
constexpr std::int64_t looks = 8 * 366;

struct Field {
    std::string_view name;
    unsigned low, high;
};
constexpr Field fields[] = {{"minute", 0, 59}, {"hour", 0, 23}, {"day of month", 1, 31}, {"month", 1, 12}, {"day of week", 0, 7}};

/// One of the parts between commas: which numbers it names. False: none that can be read.
template<class Set>
bool add(std::string_view part, const Field& field, Set&& set) {
    unsigned step = 1;
    std::size_t slash = part.find('/');
    if (slash != std::string_view::npos) {
        auto given = parse_number<unsigned>(part.substr(slash + 1));
        if (!given || *given == 0) return false;
        step = *given;
        part = part.substr(0, slash);
    }
    unsigned from = field.low, to = field.high;
    if (part != "*") {
        std::size_t dash = part.find('-');
        auto first = parse_number<unsigned>(part.substr(0, dash));
        if (!first) return false;
        from = *first;
        // As cron has it, 5/15 counts on from five.
        to = slash != std::string_view::npos ? field.high : from;
        if (dash != std::string_view::npos) {
            auto end = parse_number<unsigned>(part.substr(dash + 1));
            if (!end) return false;
            to = *end;
        }
    }
    if (from < field.low || to > field.high || from > to) return false;
    for (unsigned value = from; value <= to; value += step) set(value);
    return true;
}

std::int64_t day_of(std::int64_t seconds) { return seconds / day_seconds - (seconds % day_seconds < 0 ? 1 : 0); }

} // namespace

Result<Schedule> Schedule::parse(std::string_view text) {
    Schedule schedule;
    std::string_view rest = text;
    for (std::size_t n = 0; n < std::size(fields); ++n) {
        rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
        std::string_view whole = rest.substr(0, rest.find(' '));
        rest.remove_prefix(whole.size());
        if (whole.empty())
            return fail(Code::invalid, "\"" + std::string(text) +
                                           "\" has fewer than the five fields of cron: minute, hour, day of month, month, day of "
                                           "week (try \"0 2 * * *\", each night at two)");
        if (n == 2) schedule.any_month_day_ = whole.starts_with('*');
        if (n == 4) schedule.any_week_day_ = whole.starts_with('*');
        for (std::string_view left = whole;;) {
            std::size_t comma = left.find(',');
            bool good = add(left.substr(0, comma), fields[n], [&](unsigned value) {
                if (n == 0) schedule.minutes_.set(value);
                if (n == 1) schedule.hours_.set(value);
                if (n == 2) schedule.month_days_.set(value);
                if (n == 3) schedule.months_.set(value);
                if (n == 4) schedule.week_days_.set(value % 7);
            });
            if (!good)
                return fail(Code::invalid, "\"" + std::string(whole) + "\" is no " + std::string(fields[n].name) +
                                               " of cron (use " + std::to_string(fields[n].low) + " to " +
                                               std::to_string(fields[n].high) +
                                               ", a range a-b, *, a step */n, or several with commas)");
            if (comma == std::string_view::npos) break;
            left.remove_prefix(comma + 1);
        }
    }
    if (rest.find_first_not_of(' ') != std::string_view::npos)
        return fail(Code::invalid, "\"" + std::string(text) + "\" has more than the five fields of cron (no seconds, no year)");
    if (!schedule.next({}))
        return fail(Code::invalid, "\"" + std::string(text) + "\" never comes (no month that it names has such a day)");
    return schedule;
}

bool Schedule::names_day(std::int64_t day) const {
    std::chrono::sys_days date{std::chrono::days(day)};
    std::chrono::year_month_day civil{date};
    if (!months_.test(static_cast<unsigned>(civil.month()))) return false;
    bool by_month = month_days_.test(static_cast<unsigned>(civil.day()));
    bool by_week = week_days_.test(std::chrono::weekday(date).c_encoding());
    if (any_month_day_ || any_week_day_) return by_month && by_week;
    return by_month || by_week;
}

std::optional<WallTime> Schedule::last(WallTime at) const {
    std::int64_t today = day_of(at.seconds);
    for (std::int64_t day = today; day > today - looks; --day) {
        if (!names_day(day)) continue;
        std::int64_t most = day == today ? (at.seconds - day * day_seconds) / 60 : 24 * 60 - 1;
        for (std::int64_t minute = most; minute >= 0; --minute)
            if (hours_.test(static_cast<std::size_t>(minute / 60)) && minutes_.test(static_cast<std::size_t>(minute % 60)))
                return WallTime{day * day_seconds + minute * 60, 0};
    }
    return {};
}

std::optional<WallTime> Schedule::next(WallTime at) const {
    std::int64_t today = day_of(at.seconds);
    for (std::int64_t day = today; day < today + looks; ++day) {
        if (!names_day(day)) continue;
        std::int64_t least = day == today ? (at.seconds - day * day_seconds) / 60 + 1 : 0;
        for (std::int64_t minute = least; minute < 24 * 60; ++minute)
            if (hours_.test(static_cast<std::size_t>(minute / 60)) && minutes_.test(static_cast<std::size_t>(minute % 60)))
                return WallTime{day * day_seconds + minute * 60, 0};
    }
    return {};
}

} // namespace skerry
