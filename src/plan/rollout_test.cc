#include "plan/rollout.h"

#include "base/test_seeds.h"
#include "env/seeded_chance.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace skerry::plan {
namespace {

/// Sites with one component, `old` everywhere unless said otherwise.
RolloutInput fleet(int sites, std::int64_t max_unavailable) {
    RolloutInput input;
    input.revision = "till.2";
    input.max_unavailable = max_unavailable;
    for (int i = 0; i < sites; ++i) {
        std::string site = "s" + std::to_string(i);
        input.sites.push_back({site, {.exists = true, .in_touch = true}});
        input.wanted.push_back({"pos", site, 1, "new", "", ""});
        input.found.push_back({.component = "pos",
                               .site = site,
                               .replicas = 1,
                               .revision = "till.1",
                               .hash = "old",
                               .observed = true,
                               .ready = 1,
                               .updated = 1});
    }
    return input;
}

std::size_t updates(const RolloutPlan& plan) {
    return static_cast<std::size_t>(std::count_if(plan.steps.begin(), plan.steps.end(),
                                                  [](const auto& step) { return step.what == RolloutStep::What::update; }));
}

TEST(Rollout, UpdatesAsManySitesAsMayBeUnavailable) {
    auto plan = plan_rollout(fleet(10, 2));
    EXPECT_EQ(updates(plan), 2u);
    EXPECT_TRUE(plan.wave);
    EXPECT_EQ(plan.waiting, 8u);
}

TEST(Rollout, NothingGoesOnWhileTheFirstAreNotReady) {
    auto input = fleet(10, 2);
    for (int i = 0; i < 2; ++i)
        input.found[static_cast<std::size_t>(i)] = {.component = "pos",
                                                    .site = "s" + std::to_string(i),
                                                    .replicas = 1,
                                                    .revision = "till.2",
                                                    .hash = "new",
                                                    .observed = true,
                                                    .ready = 0};
    EXPECT_EQ(updates(plan_rollout(input)), 0u);
    input.found[0].ready = input.found[0].updated = 1;
    EXPECT_EQ(updates(plan_rollout(input)), 1u);
}

TEST(Rollout, SitesOutOfTouchNeitherCountNorHold) {
    auto input = fleet(3, 1);
    input.sites[0].second.in_touch = false;
    input.found[0].ready = 0;
    auto plan = plan_rollout(input);
    EXPECT_EQ(plan.steps, (std::vector<RolloutStep>{{RolloutStep::What::update, "pos", "s1", 1, "", "till.2", ""}}));
    EXPECT_EQ(plan.waiting_away, 1u);
}

TEST(Rollout, WhomFilesReachNeitherCountsNorWaits_A4) {
    auto input = fleet(10, 1);
    for (std::size_t i : {0u, 1u}) input.sites[i].second = {.exists = true, .in_touch = false, .by_courier = true};
    auto plan = plan_rollout(input);
    EXPECT_EQ(updates(plan), 3u) << "the two, and one of those in touch";
    EXPECT_EQ(plan.waiting, 7u);
    EXPECT_EQ(plan.waiting_away, 0u);
    input.halted = true;
    EXPECT_EQ(updates(plan_rollout(input)), 0u);
}

TEST(Rollout, ABrokenSiteMayAlwaysBeMended) {
    auto input = fleet(4, 1);
    input.found[3].ready = 0;
    auto plan = plan_rollout(input);
    EXPECT_EQ(plan.steps, (std::vector<RolloutStep>{{RolloutStep::What::update, "pos", "s3", 1, "", "till.2", ""}}));
    EXPECT_FALSE(plan.wave);
}

TEST(Rollout, SitesThatHaveNotAnsweredYetAreNotTakenForBroken) {
    auto input = fleet(4, 1);
    for (auto& found : input.found) found.observed = false;
    EXPECT_EQ(updates(plan_rollout(input)), 0u);
}

TEST(Rollout, WhatRestartsNothingDoesNotWait) {
    auto input = fleet(5, 1);
    for (auto& wanted : input.wanted) wanted.hash = "old";
    input.sites[4].second.in_touch = false;
    EXPECT_EQ(updates(plan_rollout(input)), 5u);
}

TEST(Rollout, StoppingIsForAllAtOnce) {
    auto input = fleet(5, 1);
    input.running = false;
    EXPECT_EQ(updates(plan_rollout(input)), 5u);
}

TEST(Rollout, PausedWavesWaitCreationsAndDeletionsDoNot) {
    auto input = fleet(2, 2);
    input.paused = true;
    input.sites.push_back({"s2", {.exists = true, .in_touch = false}});
    input.wanted.push_back({"pos", "s2", 1, "new", "", ""});
    input.found.push_back({.component = "gone",
                           .site = "s0",
                           .replicas = 1,
                           .revision = "till.1",
                           .hash = "x",
                           .observed = true,
                           .ready = 1,
                           .updated = 1});
    EXPECT_EQ(plan_rollout(input).steps,
              (std::vector<RolloutStep>{{RolloutStep::What::erase, "gone", "s0", 0, "", "", ""},
                                        {RolloutStep::What::create, "pos", "s2", 1, "", "till.2", ""}}));
}

TEST(Rollout, AllocationsOfAnEarlierAppGoFirst) {
    auto input = fleet(1, 1);
    input.found[0].foreign = true;
    EXPECT_EQ(plan_rollout(input).steps, (std::vector<RolloutStep>{{RolloutStep::What::erase, "pos", "s0", 0, "", "", ""}}));
}

TEST(Rollout, HaltedKeepsEverythingAsItIsAndReturnsDoNotEnter) {
    auto input = fleet(4, 2);
    input.halted = true;
    input.settled = "till.1";
    input.sites[3].second.in_touch = false;
    auto plan = plan_rollout(input);
    EXPECT_TRUE(plan.steps.empty());
    EXPECT_EQ(plan.held, 4u);
    input.sites[3].second.in_touch = true;
    EXPECT_TRUE(plan_rollout(input).steps.empty()) << "it is back, and the rollout is halted";
    // What is new gets what the others have; a number of replicas is no revision.
    input.sites.push_back({"s4", {.exists = true, .in_touch = true}});
    input.wanted.push_back({"pos", "s4", 1, "new", "", ""});
    input.wanted[0].replicas = 2;
    EXPECT_EQ(plan_rollout(input).steps,
              (std::vector<RolloutStep>{{RolloutStep::What::update, "pos", "s0", 2, "", "till.1", ""},
                                        {RolloutStep::What::create, "pos", "s4", 1, "", "till.1", ""}}));
    input.settled.clear();
    EXPECT_EQ(plan_rollout(input).held, 5u);
    // Whoever stops an app means it.
    input.running = false;
    EXPECT_EQ(updates(plan_rollout(input)), 4u);
}

TEST(Rollout, OnReturnSitesEnterUnderTheBound) {
    auto input = fleet(3, 1);
    for (auto& [name, site] : input.sites) site.in_touch = false;
    EXPECT_TRUE(plan_rollout(input).steps.empty());
    for (auto& [name, site] : input.sites) site.in_touch = true;
    EXPECT_EQ(updates(plan_rollout(input)), 1u);
}

TEST(Rollout, StandingAndEpochChangeWithoutWaiting) {
    auto input = fleet(2, 0);
    input.wanted[0].raise = true;
    input.found[1].substitutes = "s9";
    input.found[1].suffix = input.wanted[1].suffix = "s9";
    EXPECT_EQ(plan_rollout(input).steps,
              (std::vector<RolloutStep>{{RolloutStep::What::update, "pos", "s0", 1, "", "till.1", "", true},
                                        {RolloutStep::What::update, "pos", "s1", 1, "s9", "till.1", ""}}));
}

/// A fleet in which sites answer late and come and go: those away are left alone, each is updated once, and all are in the end.
TEST(Rollout, PropertyConvergesWhileSitesComeAndGo) {
    for (std::uint64_t seed = 1, end = test::seeds(300); seed <= end; ++seed) {
        env::SeededChance chance(seed);
        auto one_in = [&](std::uint64_t n) { return chance.bits() % n == 0; };
        int count = 1 + static_cast<int>(chance.bits() % 12);
        std::int64_t most = 1 + static_cast<std::int64_t>(chance.bits() % 4);
        auto input = fleet(count, most);
        // What really runs there: 0 old, 1 replacing, 2 new.
        std::vector<int> real(static_cast<std::size_t>(count), 0);
        for (int round = 0; round < 400; ++round) {
            bool healing = round > 200;
            for (auto& [name, site] : input.sites)
                if (one_in(10) || healing) site.in_touch = healing || !site.in_touch;
            for (const auto& step : plan_rollout(input).steps) {
                ASSERT_EQ(step.what, RolloutStep::What::update);
                auto index = static_cast<std::size_t>(std::stoi(step.site.substr(1)));
                ASSERT_TRUE(input.sites[index].second.in_touch) << seed;
                auto& found = input.found[index];
                ASSERT_EQ(found.revision, "till.1") << seed;
                found.revision = "till.2";
                found.hash = "new";
                found.observed = false;
                real[index] = 1;
            }
            for (std::size_t i = 0; i < real.size(); ++i) {
                auto& found = input.found[i];
                if (real[i] == 1 && (one_in(3) || healing)) real[i] = 2;
                if (!input.sites[i].second.in_touch) continue;
                if (one_in(2) || healing) {
                    found.observed = true;
                    found.ready = real[i] == 1 ? 0 : 1;
                    found.updated = real[i] == 2 || found.revision == "till.1" ? 1 : 0;
                }
            }
        }
        EXPECT_TRUE(plan_rollout(input).steps.empty()) << seed;
        for (const auto& found : input.found) EXPECT_EQ(found.revision, "till.2") << seed;
    }
}

/// With every site in touch all the time the bound is exact.
TEST(Rollout, PropertyNeverMoreDownThanAllowedAmongSitesInTouch) {
    for (std::uint64_t seed = 1, end = test::seeds(500); seed <= end; ++seed) {
        env::SeededChance chance(seed);
        auto one_in = [&](std::uint64_t n) { return chance.bits() % n == 0; };
        int count = 1 + static_cast<int>(chance.bits() % 12);
        std::int64_t most = 1 + static_cast<std::int64_t>(chance.bits() % 4);
        auto input = fleet(count, most);
        std::vector<bool> down(static_cast<std::size_t>(count), false);
        int rounds = 0;
        for (; rounds < 2000; ++rounds) {
            auto plan = plan_rollout(input);
            for (const auto& step : plan.steps) {
                auto index = static_cast<std::size_t>(std::stoi(step.site.substr(1)));
                input.found[index].revision = "till.2";
                input.found[index].hash = "new";
                input.found[index].observed = false;
                down[index] = true;
            }
            ASSERT_LE(std::count(down.begin(), down.end(), true), most) << seed;
            bool done = true;
            for (std::size_t i = 0; i < down.size(); ++i) {
                auto& found = input.found[i];
                if (down[i] && one_in(3)) down[i] = false;
                if (one_in(2)) found.observed = true, found.ready = down[i] ? 0 : 1, found.updated = down[i] ? 0 : 1;
                done = done && found.revision == "till.2" && found.observed && found.ready == 1;
            }
            if (done) break;
        }
        EXPECT_LT(rounds, 2000) << seed;
    }
}

} // namespace
} // namespace skerry::plan
