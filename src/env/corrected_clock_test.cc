#include "env/corrected_clock.h"

#include <gtest/gtest.h>

namespace skerry::env {
namespace {

/// A machine's clocks, to be set by hand.
struct Machine final : Clock {
    Duration up = 20s;
    WallTime own{1'800'000'000, 0};

    Instant now() const override { return {up}; }
    WallTime wall() const override { return own; }
    std::string boot_id() const override { return "boot"; }

    void pass(Duration duration) { up += duration, own = own + duration; }
};

using Level = ClockTrust::Level;
constexpr std::int64_t in_2100 = 4'102'444'800, right = 1'800'000'000;

TEST(CorrectedClock, without_word_the_machines_own_counts_and_says_so) {
    Machine machine;
    CorrectedClock clock(machine);
    EXPECT_EQ(clock.wall(), machine.own);
    EXPECT_EQ(clock.trust().level, Level::own);
    EXPECT_TRUE(clock.told(false)) << "a root has nobody to ask";
    EXPECT_FALSE(clock.told(true)) << "a cell with a parent passes on only what it was told";
}

TEST(CorrectedClock, a_clock_of_1970_is_known_to_be_wrong) {
    Machine machine;
    machine.own = {20, 0};
    CorrectedClock clock(machine);
    EXPECT_EQ(clock.trust().level, Level::wrong);
    EXPECT_FALSE(clock.told(false));
    clock.remember({right, 0});
    machine.pass(1h);
    EXPECT_EQ(clock.wall().seconds, right + 3600) << "it is at least as late as the mark, and time since the start has passed";
    EXPECT_EQ(clock.trust().level, Level::wrong);
}

TEST(CorrectedClock, the_parents_time_holds_through_jumps_and_hundreds_of_days) {
    for (std::int64_t own : {std::int64_t{20}, right, in_2100}) {
        Machine machine;
        machine.own = {own, 0};
        CorrectedClock clock(machine);
        clock.confirm({right, 0}, machine.now());
        EXPECT_EQ(clock.trust().level, Level::confirmed);
        EXPECT_EQ(clock.wall().seconds, right);
        EXPECT_EQ(clock.trust().correction, own == right ? Duration{} : std::chrono::seconds(right - own));
        machine.pass(24h * 400);
        EXPECT_EQ(clock.wall().seconds, right + 400 * 86'400);
        machine.own = {in_2100, 0};
        EXPECT_EQ(clock.wall().seconds, right + 400 * 86'400);
        machine.own = {0, 0};
        EXPECT_EQ(clock.wall().seconds, right + 400 * 86'400);
        EXPECT_EQ(clock.told(true)->seconds, right + 400 * 86'400);
    }
}

TEST(CorrectedClock, an_own_clock_that_agrees_goes_on) {
    Machine machine;
    CorrectedClock clock(machine);
    clock.confirm({right + 3, 0}, machine.now());
    EXPECT_EQ(clock.wall().seconds, right) << "three seconds are what two good clocks may differ by";
    machine.pass(24h * 30);
    machine.own.seconds -= 60;
    EXPECT_EQ(clock.wall(), machine.own) << "a disciplined clock beats a quartz of 30 days";
    machine.own.seconds += 3600;
    EXPECT_NE(clock.wall(), machine.own);
}

TEST(CorrectedClock, only_what_was_signed_raises_the_mark) {
    Machine machine;
    machine.own = {in_2100, 0};
    CorrectedClock clock(machine);
    (void)clock.wall();
    EXPECT_EQ(clock.trust().mark, WallTime{});
    clock.confirm({right, 0}, machine.now());
    EXPECT_EQ(clock.trust().mark.seconds, right);
    clock.confirm({right - 500, 0}, machine.now());
    EXPECT_EQ(clock.trust().mark.seconds, right) << "nothing lowers it";
    EXPECT_EQ(clock.wall().seconds, right - 500) << "but the newest word counts";
}

TEST(CorrectedClock, an_answer_that_took_a_while_counts_from_when_it_was_given) {
    Machine machine;
    machine.own = {20, 0};
    CorrectedClock clock(machine);
    Instant asked = machine.now();
    machine.pass(8s);
    clock.confirm({right, 0}, asked + 4s);
    EXPECT_EQ(clock.wall().seconds, right + 4);
}

} // namespace
} // namespace skerry::env
