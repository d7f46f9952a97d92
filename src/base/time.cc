#include "base/time.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace skerry {

std::string rfc3339(WallTime time) {
    std::time_t seconds = time.seconds;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                  parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text;
}

Result<WallTime> parse_rfc3339(std::string_view text) {
    auto refuse = [&] { return fail(Code::invalid, "\"" + std::string(text) + "\" is not a time (try 2026-03-01T12:00:00Z)"); };
    if (text.find('\0') != std::string_view::npos) return refuse();
    std::string copy(text);
    std::tm parts{};
    const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest) return refuse();
    int day = parts.tm_mday, second = parts.tm_sec;
    WallTime time{timegm(&parts), 0};
    // A day that its month does not have was carried over into the next month; a leap second may be.
    if (parts.tm_mday != day && second < 60) return refuse();
    if (*rest == '.') {
        std::int32_t scale = 100'000'000;
        for (++rest; *rest >= '0' && *rest <= '9'; ++rest, scale /= 10) time.nanos += (*rest - '0') * scale;
    }
    if ((*rest == 'Z' || *rest == 'z') && !rest[1]) return time;
    int hours = 0, minutes = 0, end = 0;
    char sign = *rest;
    if ((sign != '+' && sign != '-') || std::sscanf(rest + 1, "%2d:%2d%n", &hours, &minutes, &end) != 2 || rest[1 + end])
        return refuse();
    int offset = (hours * 60 + minutes) * 60;
    time.seconds += sign == '+' ? -offset : offset;
    return time;
}

Result<Duration> parse_duration(std::string_view text) {
    auto refuse = [&] { return fail(Code::invalid, "\"" + std::string(text) + "\" is not a duration (try 30s, 10m or 1h30m)"); };
    if (text == "0") return Duration{};
    // Digits, dots and units alone: no hexadecimal or exponents, which strtold would take.
    if (text.empty() || text.size() > 32 || text.find_first_not_of("0123456789.numsh") != std::string_view::npos) return refuse();
    std::string copy(text);
    const char* at = copy.c_str();
    long double total = 0;
    while (*at) {
        if ((*at < '0' || *at > '9') && *at != '.') return refuse();
        char* unit = nullptr;
        long double count = std::strtold(at, &unit);
        if (unit == at) return refuse();
        std::string_view rest(unit);
        auto take = [&](std::string_view name, long double nanos) {
            if (!rest.starts_with(name)) return false;
            total += count * nanos;
            at = unit + name.size();
            return true;
        };
        if (!(take("ns", 1) || take("us", 1e3L) || take("ms", 1e6L) || take("s", 1e9L) || take("m", 60e9L) || take("h", 3600e9L)))
            return refuse();
    }
    if (total > 9.2e18L) return refuse();
    return Duration(static_cast<Duration::rep>(total));
}

std::string text(Duration duration) {
    auto nanos = duration.count();
    if (nanos == 0) return "0s";
    std::string text;
    if (nanos < 0) text = "-", nanos = -nanos;
    auto take = [&](std::int64_t unit, const char* name) {
        if (nanos >= unit) text += std::to_string(nanos / unit) + name, nanos %= unit;
    };
    take(3'600'000'000'000, "h");
    take(60'000'000'000, "m");
    take(1'000'000'000, "s");
    take(1'000'000, "ms");
    take(1'000, "us");
    take(1, "ns");
    return text;
}

std::string age(Duration duration) {
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    if (seconds < 0) return "0s";
    auto minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    auto two = [](auto a, const char* x, auto b, const char* y) {
        return std::to_string(a) + x + (b ? std::to_string(b) + y : std::string());
    };
    if (seconds < 120) return std::to_string(seconds) + "s";
    if (minutes < 10) return two(minutes, "m", seconds % 60, "s");
    if (minutes < 180) return std::to_string(minutes) + "m";
    if (hours < 8) return two(hours, "h", minutes % 60, "m");
    if (hours < 48) return std::to_string(hours) + "h";
    if (days < 8) return two(days, "d", hours % 24, "h");
    return std::to_string(days) + "d";
}

} // namespace skerry
