#include "base/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry {
namespace {

using ::testing::HasSubstr;

WallTime at(const char* text) { return *parse_rfc3339(text); }

std::string next(const char* schedule, const char* after) {
    auto parsed = Schedule::parse(schedule);
    if (!parsed) return parsed.error().message;
    auto found = parsed->next(at(after));
    return found ? rfc3339(*found) : "never";
}

std::string last(const char* schedule, const char* before) {
    auto parsed = Schedule::parse(schedule);
    if (!parsed) return parsed.error().message;
    auto found = parsed->last(at(before));
    return found ? rfc3339(*found) : "never";
}

TEST(Schedule, NamesMoments) {
    EXPECT_EQ(next("0 2 * * *", "2026-11-27T01:59:59Z"), "2026-11-27T02:00:00Z");
    EXPECT_EQ(next("0 2 * * *", "2026-11-27T02:00:00Z"), "2026-11-28T02:00:00Z");
    EXPECT_EQ(last("0 2 * * *", "2026-11-27T02:00:00Z"), "2026-11-27T02:00:00Z");
    EXPECT_EQ(last("0 2 * * *", "2026-11-27T01:59:59Z"), "2026-11-26T02:00:00Z");
    EXPECT_EQ(next("*/20 6-21 * * 1-5", "2026-11-27T21:40:00Z"), "2026-11-30T06:00:00Z"); // a Friday
    EXPECT_EQ(next("5/15 0 * * *", "2026-11-27T00:05:00Z"), "2026-11-27T00:20:00Z");
    EXPECT_EQ(next("30 4 1,15 * *", "2026-11-27T00:00:00Z"), "2026-12-01T04:30:00Z");
    EXPECT_EQ(next("0 0 * * 7", "2026-11-27T00:00:00Z"), "2026-11-29T00:00:00Z");
    EXPECT_EQ(next("0 0 13 * 5", "2026-11-13T00:00:00Z"), "2026-11-20T00:00:00Z"); // either day will do
    EXPECT_EQ(next("0 0 29 2 *", "2097-01-01T00:00:00Z"), "2104-02-29T00:00:00Z");
    EXPECT_EQ(last("0 0 29 2 *", "1970-01-02T00:00:00Z"), "1968-02-29T00:00:00Z");
}

TEST(Schedule, RefusesWithARemedy) {
    auto refusal = [](const char* text) {
        auto parsed = Schedule::parse(text);
        return parsed ? std::string("read") : parsed.error().message;
    };
    EXPECT_THAT(refusal("0 2 * *"), HasSubstr("five fields"));
    EXPECT_THAT(refusal(""), HasSubstr("five fields"));
    EXPECT_THAT(refusal("0 0 2 * * *"), HasSubstr("more than"));
    EXPECT_THAT(refusal("60 2 * * *"), HasSubstr("\"60\" is no minute of cron (use 0 to 59"));
    EXPECT_THAT(refusal("0 2 0 * *"), HasSubstr("day of month"));
    EXPECT_THAT(refusal("0 2 * 13 *"), HasSubstr("month"));
    EXPECT_THAT(refusal("0 2 * * 8"), HasSubstr("day of week"));
    EXPECT_THAT(refusal("5-2 * * * *"), HasSubstr("minute"));
    EXPECT_THAT(refusal("*/0 * * * *"), HasSubstr("minute"));
    EXPECT_THAT(refusal("1, * * * *"), HasSubstr("minute"));
    EXPECT_THAT(refusal("x * * * *"), HasSubstr("minute"));
    EXPECT_THAT(refusal("0 0 30 2 *"), HasSubstr("never comes"));
}

TEST(Schedule, LastAndNextAgree) {
    for (const char* text : {"*/7 * * * *", "0 2 * * *", "15,45 3-5 */3 * 2", "0 0 1 1 *"}) {
        auto schedule = Schedule::parse(text).value();
        for (std::int64_t seconds = 1'790'000'000; seconds < 1'790'000'000 + 40 * 86'400; seconds += 9'973) {
            auto next = schedule.next({seconds, 0}).value();
            ASSERT_GT(next.seconds, seconds);
            EXPECT_EQ(schedule.last(next), next);
            EXPECT_EQ(schedule.last({next.seconds - 1, 0}), schedule.last({seconds, 0})) << text << " " << seconds;
        }
    }
}

} // namespace
} // namespace skerry
