#include "cell/wall_clock.h"

#include "model/site.pb.h"

#include <gtest/gtest.h>

namespace skerry::cell {
namespace {

struct Machine final : env::Clock {
    WallTime own{1'800'000'000, 0};
    Instant now() const override { return {20s}; }
    WallTime wall() const override { return own; }
    std::string boot_id() const override { return "boot"; }
};

TEST(WallClock, says_in_words_how_far_it_is_off) {
    EXPECT_EQ(words_of_correction(0s), "");
    EXPECT_EQ(words_of_correction(30s), "30 seconds behind");
    EXPECT_EQ(words_of_correction(-90min), "2 hours ahead");
    EXPECT_EQ(words_of_correction(24h), "1 day behind");
    EXPECT_EQ(words_of_correction(24h * 365 * 57), "57 years behind");
    EXPECT_EQ(words_of_correction(-24h * 365 * 73), "73 years ahead");
    EXPECT_EQ(words_of_correction(Duration::max()), "292 years behind");
}

TEST(WallClock, ends_nothing_that_nobody_vouches_for_T1) {
    Machine machine;
    env::CorrectedClock clock(machine);
    clock.remember({1'790'000'000, 0});
    EXPECT_EQ(judging_time(clock, true), machine.own) << "a root's own counts";
    EXPECT_EQ(judging_time(clock, false).seconds, 1'790'000'000) << "another's is held against its mark";
    machine.own = {20, 0};
    EXPECT_EQ(judging_time(clock, true).seconds, 1'790'000'000);
    EXPECT_FALSE(knows_time(clock, true));
    clock.confirm({1'800'000'000, 0}, clock.now());
    EXPECT_TRUE(knows_time(clock, false));
    EXPECT_EQ(judging_time(clock, false).seconds, 1'800'000'000);
}

TEST(WallClock, its_condition_follows_its_trust) {
    Machine machine;
    env::CorrectedClock clock(machine);
    model::SiteStatus status;
    auto shown = [&] {
        report_clock(clock, *status.mutable_conditions());
        const auto* condition = model::find_condition(status.conditions(), "ClockTrusted");
        return condition->status() + " " + condition->reason();
    };
    EXPECT_EQ(shown(), "Unknown OwnClock");
    machine.own = {20, 0};
    EXPECT_EQ(shown(), "False KnownWrong");
    clock.confirm({1'800'000'000, 0}, clock.now());
    EXPECT_EQ(shown(), "True Corrected");
    EXPECT_EQ(status.conditions(0).last_transition_time(), "2027-01-15T08:00:00Z");
    EXPECT_NE(status.conditions(0).message().find("57 years behind"), std::string::npos) << status.conditions(0).message();
    machine.own = {1'800'000'001, 0};
    clock.confirm({1'800'000'000, 0}, clock.now());
    EXPECT_EQ(shown(), "True Agrees");
    EXPECT_EQ(status.conditions_size(), 1);
}

} // namespace
} // namespace skerry::cell
