#include "sync/meter.h"

#include "base/test_seeds.h"
#include "env/seeded_chance.h"

#include <gtest/gtest.h>

namespace skerry::sync {
namespace {

constexpr std::int64_t noon = 20'784 * 86'400LL + 12 * 3'600;

Meter::Now moment(Duration since, std::optional<std::int64_t> wall_seconds) {
    Meter::Now now{.at = Instant{1h + since}, .wall = {}};
    if (wall_seconds) now.wall = WallTime{*wall_seconds, 0} + since;
    return now;
}

Terms allowing(std::optional<std::uint64_t> budget, std::uint64_t beats = 0) {
    Terms all;
    all.budget = budget;
    all.beats = beats;
    return all;
}

Use both_ways(std::uint64_t count) { return {.sent = count / 2, .received = count - count / 2}; }

Window opening(const char* start, Duration lasts) { return {Schedule::parse(start).value(), lasts}; }

TEST(Meter, BeatsAreSetAside) {
    Meter meter(allowing(1'000'000, 400'000), moment(0s, noon));
    EXPECT_EQ(meter.status_room(), 600'000u);
    EXPECT_EQ(meter.bulk_room(), 475'000u); // an eighth is for status
    meter.count(Flow::lease, both_ways(100'000), moment(1s, noon));
    EXPECT_EQ(meter.status_room(), 600'000u);
    meter.count(Flow::lease, both_ways(350'000), moment(2s, noon));
    EXPECT_EQ(meter.status_room(), 550'000u);
    EXPECT_EQ(meter.hold(), Meter::Hold::none);
}

TEST(Meter, BulkLeavesAnEighthToStatus) {
    Meter meter(allowing(800'000), moment(0s, noon));
    meter.count(Flow::bulk, both_ways(700'000), moment(1s, noon));
    EXPECT_EQ(meter.hold(), Meter::Hold::bulk);
    EXPECT_EQ(meter.bulk_room(), 0u);
    EXPECT_EQ(meter.status_room(), 100'000u);
    meter.count(Flow::status, both_ways(100'000), moment(2s, noon));
    EXPECT_EQ(meter.hold(), Meter::Hold::budget);
    EXPECT_EQ(meter.status_room(), 0u);
}

TEST(Meter, WishesPassTheBudgetAndItSaysSo) {
    Meter meter(allowing(800'000), moment(0s, noon));
    meter.count(Flow::bulk, both_ways(300'000), moment(1s, noon));
    meter.count(Flow::desired, both_ways(600'000), moment(2s, noon));
    EXPECT_EQ(meter.hold(), Meter::Hold::budget);
    meter.count(Flow::desired, both_ways(200'000), moment(3s, noon));
    EXPECT_EQ(meter.hold(), Meter::Hold::beyond);
    meter.set_terms(allowing(2'000'000), moment(4s, noon)); // an operator lifts it
    EXPECT_EQ(meter.hold(), Meter::Hold::none);
    EXPECT_EQ(meter.status_room(), 900'000u);
}

TEST(Meter, WithoutABudgetThereIsNoBound) {
    Meter meter(allowing({}), moment(0s, noon));
    meter.count(Flow::bulk, both_ways(1ULL << 40), moment(1s, noon));
    EXPECT_FALSE(meter.bulk_room());
    EXPECT_FALSE(meter.status_room());
}

TEST(Meter, ADayEndsAtMidnight) {
    Meter meter(allowing(1'000'000), moment(0s, noon));
    meter.count(Flow::bulk, both_ways(2'000'000), moment(1s, noon));
    meter.look(moment(12h - 1s, noon));
    EXPECT_EQ(meter.status_room(), 0u);
    EXPECT_EQ(meter.next_look(), moment(12h, noon).at);
    meter.look(moment(12h, noon));
    EXPECT_EQ(meter.status_room(), 1'000'000u);
    EXPECT_EQ(meter.day(), 20'785);
}

TEST(Meter, WithoutATrustedClockADayIsOneOfBootTime) {
    Meter meter(allowing(1'000'000), moment(0s, {}));
    meter.count(Flow::status, both_ways(600'000), moment(1h, {}));
    meter.look(moment(24h - 1s, {}));
    EXPECT_EQ(meter.status_room(), 400'000u);
    meter.look(moment(24h, {}));
    EXPECT_EQ(meter.status_room(), 1'000'000u);
}

TEST(Meter, WhatWasCountedBeforeTheTimeWasKnownCounts) {
    Meter before(allowing(1'000'000), moment(0s, noon));
    before.count(Flow::bulk, both_ways(500'000), moment(1s, noon));
    std::string note = before.note();

    // The next morning; at first without a clock, so yesterday's bytes still count.
    Meter meter(allowing(1'000'000), moment(20h, {}), note);
    EXPECT_EQ(meter.status_room(), 500'000u);
    meter.count(Flow::status, both_ways(200'000), moment(20h + 1s, {}));
    EXPECT_EQ(meter.status_room(), 300'000u);
    meter.look(moment(20h + 2s, noon));
    EXPECT_EQ(meter.status_room(), 800'000u);

    // The same day: all of it.
    Meter same(allowing(1'000'000), moment(2h, {}), note);
    same.count(Flow::status, both_ways(200'000), moment(2h + 1s, {}));
    same.look(moment(2h + 2s, noon));
    EXPECT_EQ(same.status_room(), 300'000u);
}

TEST(Meter, AClockThatJumpsGivesNothing) {
    Meter meter(allowing(1'000'000), moment(0s, noon));
    meter.count(Flow::bulk, both_ways(1'000'000), moment(1s, noon));
    meter.look(moment(12h, noon)); // midnight
    meter.count(Flow::bulk, both_ways(1'000'000), moment(13h, noon));
    meter.look(moment(14h, noon + 86'400 * 365)); // set a year ahead
    EXPECT_EQ(meter.status_room(), 0u);
    meter.look(moment(15h, noon)); // and back
    EXPECT_EQ(meter.status_room(), 0u);
    EXPECT_EQ(meter.day(), 20'785);
    meter.look(moment(36h, noon));
    EXPECT_EQ(meter.status_room(), 1'000'000u);
}

TEST(Meter, WindowsOpenAndClose) {
    Terms night = allowing({});
    night.windows.push_back(opening("0 2 * * *", 2h));
    Meter meter(night, moment(0s, noon));
    EXPECT_EQ(meter.hold(), Meter::Hold::window);
    EXPECT_EQ(meter.bulk_room(), 0u);
    EXPECT_FALSE(meter.status_room());
    EXPECT_EQ(meter.opens(), (WallTime{noon + 14 * 3'600, 0}));
    meter.look(moment(14h, noon));
    EXPECT_EQ(meter.hold(), Meter::Hold::none);
    EXPECT_FALSE(meter.bulk_room());
    meter.look(moment(16h - 1s, noon));
    EXPECT_EQ(meter.next_look(), moment(16h, noon).at);
    meter.look(moment(16h, noon));
    EXPECT_EQ(meter.hold(), Meter::Hold::window);
    meter.look(moment(17h, {})); // which time it is the other end knows
    EXPECT_EQ(meter.hold(), Meter::Hold::none);
}

TEST(Meter, AnIdleDayNotesNothing) {
    Meter meter(allowing(1'000'000, 500'000), moment(0s, noon));
    for (Duration since{}; since < 30h; since += 15s) {
        meter.count(Flow::lease, both_ways(180), moment(since, noon));
        ASSERT_FALSE(meter.note_due());
    }
}

/// Whatever happens when: in no true day does more status and bulk cross than the budget has room for.
TEST(Meter, CrashesNeverGiveMoreThanTheBudget) {
    for (std::uint64_t seed = 1, end = test::seeds(300); seed <= end; ++seed) {
        env::SeededChance chance(seed);
        std::uint64_t budget = 200'000 + chance.bits() % 2'000'000;
        std::optional<std::string> disk;
        std::optional<Meter> meter;
        std::uint64_t crossed = 0;
        std::int64_t day = -1;
        for (Duration since{}; since < 72h; since += chance.up_to(20min)) {
            // The clock is known some seconds after each start, mostly.
            auto now = moment(since, noon);
            if (!meter) {
                auto blind = moment(since, {});
                meter = disk ? Meter(allowing(budget), blind, *disk) : Meter(allowing(budget), blind);
                if (chance.fraction() < 0.3) now = blind;
            }
            std::int64_t today = (noon + since / 1s) / 86'400;
            if (today != day) crossed = 0, day = today;
            meter->look(now);
            Flow flow = chance.fraction() < 0.3 ? Flow::status : Flow::bulk;
            std::uint64_t room = flow == Flow::status ? *meter->status_room() : *meter->bulk_room();
            std::uint64_t size = std::min<std::uint64_t>(room, chance.bits() % (budget / 10));
            meter->count(flow, both_ways(size), now);
            crossed += size;
            ASSERT_LE(crossed, budget) << "seed " << seed;
            if (auto note = meter->note_due()) disk = std::move(note);
            if (chance.fraction() < 0.05) disk = meter->note(), meter.reset(); // a clean end
            if (meter && chance.fraction() < 0.05) meter.reset();
        }
    }
}

TEST(Meter, ACrashCountsWhatItMayHaveForgotten) {
    Meter meter(allowing(6'400'000), moment(0s, noon));
    meter.count(Flow::status, both_ways(1'000), moment(1s, noon));
    auto note = meter.note_due();
    ASSERT_TRUE(note);
    meter.count(Flow::status, both_ways(40'000), moment(2s, noon));
    EXPECT_FALSE(meter.note_due());
    meter.count(Flow::status, both_ways(11'000), moment(3s, noon));
    EXPECT_TRUE(meter.note_due());

    Meter after(allowing(6'400'000), moment(4s, noon), *note);
    EXPECT_EQ(after.unseen(), 100'000u);
    EXPECT_EQ(after.today()[Flow::status].both(), 1'000u);
    EXPECT_EQ(after.status_room(), 6'400'000u - 101'000u);
    Meter rotten(allowing(6'400'000), moment(4s, noon), "1 2 three");
    EXPECT_EQ(rotten.status_room(), 0u);
}

} // namespace
} // namespace skerry::sync
