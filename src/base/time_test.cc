#include "base/time.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace skerry {
namespace {

TEST(Time, Rfc3339) {
    EXPECT_EQ(rfc3339({}), "1970-01-01T00:00:00Z");
    EXPECT_EQ(rfc3339({.seconds = 1772366400}), "2026-03-01T12:00:00Z");
    EXPECT_EQ(parse_rfc3339("2026-03-01T12:00:00Z")->seconds, 1772366400);
    EXPECT_EQ(parse_rfc3339("2026-03-01T14:00:00.25+02:00"), (WallTime{1772366400, 250'000'000}));
    EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z")->seconds, 1709164800);
    for (const char* bad :
         {"", "2026-03-01", "2026-03-01T12:00:00", "2026-13-01T12:00:00Z", "2026-02-29T12:00:00Z", "2026-03-01T24:00:00Z",
          "2026-03-01T12:60:00Z", "2026-03-01T12:00:00Zx", "2026-03-01T12:00:00+2", "x026-03-01T12:00:00Z"})
        EXPECT_FALSE(parse_rfc3339(bad)) << bad;
}

TEST(Time, Durations) {
    EXPECT_EQ(parse_duration("1h30m"), 90min);
    EXPECT_EQ(parse_duration("1.5s"), 1500ms);
    EXPECT_EQ(parse_duration("300ms"), 300ms);
    EXPECT_EQ(parse_duration("0"), 0s);
    for (const char* bad : {"", "10", "-1s", "1x", "s", "1 s", "1s1", "1e9h", "99999999999h", "nans", "infs", "0x1s"})
        EXPECT_FALSE(parse_duration(bad)) << bad;
    EXPECT_EQ(text(Duration(90min)), "1h30m");
    EXPECT_EQ(text(Duration(0s)), "0s");
}

TEST(Time, DurationsReadBack) {
    EXPECT_TRUE(rc::check([] {
        Duration duration(std::chrono::milliseconds(*rc::gen::inRange<std::int64_t>(0, 100LL * 365 * 86400 * 1000)));
        RC_ASSERT((parse_duration(text(duration)) == duration));
    }));
    EXPECT_TRUE(rc::check([] {
        WallTime time{.seconds = *rc::gen::inRange<std::int64_t>(0, 4'000'000'000)};
        RC_ASSERT((parse_rfc3339(rfc3339(time)) == time));
    }));
}

TEST(Time, Ages) {
    EXPECT_EQ(age(45s), "45s");
    EXPECT_EQ(age(3min + 12s), "3m12s");
    EXPECT_EQ(age(5h), "5h");
    EXPECT_EQ(age(51h), "2d3h");
    EXPECT_EQ(age(24h * 400), "400d");
}

} // namespace
} // namespace skerry
