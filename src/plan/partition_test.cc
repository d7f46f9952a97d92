#include "plan/partition.h"

#include "base/test_seeds.h"
#include "env/seeded_chance.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace skerry::plan {
namespace {

using Slot = std::pair<std::string, std::string>;

/// One replica at store-1, which is away for so long; store-2 and store-3 match too.
PartitionInput away(Duration silent) {
    PartitionInput input;
    input.policy = PartitionPolicy::at_least_once;
    input.sites["store-1"] = {.in_touch = false, .silent = silent};
    input.sites["store-2"] = {.in_touch = true};
    input.sites["store-3"] = {.in_touch = true};
    input.held.push_back(
        {.site = "store-1", .replicas = 1, .observed = true, .ready = 1, .running_since = "2026-03-01T08:00:00Z"});
    return input;
}

/// store-2 stands in for it.
PartitionInput substituted(OnHeal on_heal = OnHeal::keep_original) {
    auto input = away(1h);
    input.on_heal = on_heal;
    input.held.push_back({.site = "store-2",
                          .suffix = "store-1",
                          .substitutes = "store-1",
                          .replicas = 1,
                          .observed = true,
                          .ready = 1,
                          .running_since = "2026-03-01T12:10:00Z"});
    return input;
}

Verdict only(const PartitionPlan& plan) {
    return plan.verdicts.size() == 1 ? plan.verdicts[0] : Verdict{.site = "not one verdict"};
}

TEST(Partition, NothingIsSaidOfSitesInTouch) {
    auto input = away(0s);
    input.sites["store-1"].in_touch = true;
    EXPECT_TRUE(plan_partition(input).verdicts.empty());
}

TEST(Partition, KeepPlacesNothingHoweverLong) {
    auto input = away(400 * 24h);
    input.policy = PartitionPolicy::keep;
    auto verdict = only(plan_partition(input));
    EXPECT_EQ(verdict.reason, "Keep");
    EXPECT_EQ(verdict.missing, 0u);
}

TEST(Partition, AtLeastOnceWaitsForReplaceAfter) {
    auto plan = plan_partition(away(4min));
    EXPECT_EQ(only(plan).reason, "Waiting");
    EXPECT_EQ(plan.next, Duration(6min));
    plan = plan_partition(away(10min));
    EXPECT_EQ(only(plan).reason, "Substituted");
    EXPECT_EQ(only(plan).missing, 1u);
    EXPECT_FALSE(only(plan).moves);
}

TEST(Partition, ANeighbourThatHearsItHoldsTheSubstituteBack) {
    auto input = away(1h);
    input.sites["store-1"].heard_by = "store-2";
    auto verdict = only(plan_partition(input));
    EXPECT_EQ(verdict.reason, "HeardByNeighbour");
    EXPECT_EQ(verdict.missing, 0u);
    EXPECT_NE(verdict.message.find("store-2 hears it"), std::string::npos) << verdict.message;
    // As the loop has it: silence counts from the neighbour's last word.
    input.sites["store-1"].silent = 0s;
    EXPECT_EQ(only(plan_partition(input)).reason, "HeardByNeighbour");
}

TEST(Partition, FrozenAndPaced) {
    auto input = away(1h);
    input.sites["store-1"].one_of_many = true;
    EXPECT_EQ(only(plan_partition(input)).reason, "Frozen");
    EXPECT_EQ(only(plan_partition(input)).missing, 0u);
    input = away(1h);
    input.sites["store-2"] = {.in_touch = false, .silent = 1h};
    input.held.push_back({.site = "store-2", .replicas = 1});
    auto plan = plan_partition(input);
    ASSERT_EQ(plan.verdicts.size(), 2u);
    EXPECT_EQ(plan.verdicts[0].missing, 1u);
    EXPECT_EQ(plan.verdicts[1].reason, "Paced");
    EXPECT_TRUE(plan.next);
    input.granted = {"store-2"};
    EXPECT_EQ(plan_partition(input).verdicts[1].missing, 1u);
}

TEST(Partition, OneThatStandsInIsLeftAlone) {
    auto plan = plan_partition(substituted());
    EXPECT_EQ(only(plan).reason, "Substituted");
    EXPECT_EQ(only(plan).missing, 0u);
    EXPECT_EQ(plan.substitutes.at(Slot("store-2", "store-1")), 1u);
}

TEST(Partition, ASubstituteThatIsLostInTurnDoesNotCount) {
    auto input = substituted();
    input.sites["store-2"] = {.in_touch = false, .silent = 3min};
    auto plan = plan_partition(input);
    EXPECT_EQ(plan.verdicts[0].missing, 0u);
    EXPECT_EQ(plan.next, Duration(7min));
    input.sites["store-2"].silent = 10min;
    plan = plan_partition(input);
    EXPECT_EQ(plan.verdicts[0].missing, 1u);
    EXPECT_EQ(plan.substitutes.at(Slot("store-2", "store-1")), 1u) << "not touched: it may run";
    // A second one stands in at store-3, and store-2 returns: the one that is ready stays.
    input.sites["store-2"].in_touch = true;
    input.held[1].ready = 0;
    input.held.push_back(
        {.site = "store-3", .suffix = "store-1", .substitutes = "store-1", .replicas = 1, .observed = true, .ready = 1});
    plan = plan_partition(input);
    EXPECT_EQ(plan.verdicts[0].missing, 0u);
    EXPECT_EQ(plan.substitutes.at(Slot("store-2", "store-1")), 0u);
    EXPECT_EQ(plan.substitutes.at(Slot("store-3", "store-1")), 1u);
}

TEST(Partition, KeepOriginalCallsItBackAndDrainsWhenItIsReady) {
    auto input = substituted();
    input.sites["store-1"].in_touch = true;
    auto plan = plan_partition(input);
    EXPECT_TRUE(only(plan).recall) << "what was reported before the cut says nothing of now";
    EXPECT_EQ(only(plan).reason, "Returning");
    EXPECT_EQ(plan.substitutes.at(Slot("store-2", "store-1")), 1u);
    input.held[0].recalled = true;
    input.held[0].observed = false;
    plan = plan_partition(input);
    EXPECT_FALSE(only(plan).recall);
    EXPECT_EQ(plan.substitutes.at(Slot("store-2", "store-1")), 1u);
    input.held[0].observed = true;
    input.held[0].ready = 0;
    EXPECT_EQ(plan_partition(input).substitutes.at(Slot("store-2", "store-1")), 1u) << "it has to be ready";
    input.held[0].ready = 1;
    plan = plan_partition(input);
    EXPECT_EQ(only(plan).reason, "Returned");
    EXPECT_EQ(plan.substitutes.at(Slot("store-2", "store-1")), 0u);
    EXPECT_EQ(only(plan).gives, 0u);
}

TEST(Partition, KeepSubstituteDropsTheOriginalOnceTheSubstituteIsReady) {
    auto input = substituted(OnHeal::keep_substitute);
    input.sites["store-1"].in_touch = true;
    input.held[1].ready = 0;
    EXPECT_EQ(only(plan_partition(input)).gives, 0u);
    input.held[1].ready = 1;
    auto plan = plan_partition(input);
    EXPECT_EQ(only(plan).gives, 1u);
    EXPECT_EQ(plan.substitutes.at(Slot("store-2", "store-1")), 1u);
    // Its site away at that moment: nobody knows whether it runs.
    input.sites["store-2"].in_touch = false;
    EXPECT_EQ(plan_partition(input).verdicts[0].gives, 0u);
}

TEST(Partition, KeepSubstituteTradesOneForOneWhereFewerStandInThanThereAre) {
    auto input = substituted(OnHeal::keep_substitute);
    input.sites["store-1"].in_touch = true;
    // Its share grew while it was away, and of two only one ever found a place elsewhere.
    input.held[0].replicas = 2;
    auto plan = plan_partition(input);
    EXPECT_EQ(only(plan).gives, 1u);
    EXPECT_EQ(only(plan).reason, "Returned");
    EXPECT_EQ(plan.settled, (std::set{Slot("store-2", "store-1")}));
    // Two allocations of one each, and two substitutes, one of them not ready yet.
    input.held[0].replicas = 1;
    input.held.push_back(input.held[0]);
    input.held.back().suffix = "store-3";
    input.held.push_back(input.held[1]);
    input.held.back().site = "store-3";
    input.held.back().ready = 0;
    input.sites["store-3"] = input.sites["store-2"];
    plan = plan_partition(input);
    EXPECT_EQ(only(plan).gives, 1u);
    EXPECT_EQ(plan.settled, (std::set{Slot("store-2", "store-1")}));
    EXPECT_EQ(plan.substitutes.at(Slot("store-3", "store-1")), 1u);
}

TEST(Partition, LongestRunningAsksFirstAndComparesThen) {
    auto input = substituted(OnHeal::longest_running);
    input.sites["store-1"].in_touch = true;
    EXPECT_TRUE(only(plan_partition(input)).recall);
    EXPECT_EQ(only(plan_partition(input)).gives, 0u);
    input.held[0].recalled = true;
    EXPECT_EQ(plan_partition(input).substitutes.at(Slot("store-2", "store-1")), 0u) << "it has run since eight";
    // The site lost power meanwhile: its instance is younger than the substitute.
    input.held[0].running_since = "2026-03-01T13:55:00Z";
    EXPECT_EQ(only(plan_partition(input)).gives, 1u);
    // It does not run at all.
    input.held[0].running_since.clear();
    input.held[0].ready = 0;
    EXPECT_EQ(only(plan_partition(input)).gives, 1u);
    // A clock of 1970 proves nothing.
    input.held[0].ready = 1;
    input.held[0].running_since = "1970-01-01T00:03:00Z";
    EXPECT_EQ(only(plan_partition(input)).gives, 0u);
    EXPECT_EQ(plan_partition(input).substitutes.at(Slot("store-2", "store-1")), 0u);
}

TEST(Partition, AtMostOnceMovesOnlyAfterTheLease) {
    auto input = away(1h);
    input.policy = PartitionPolicy::at_most_once;
    EXPECT_EQ(only(plan_partition(input)).reason, "LeaseRuns") << "nothing is known of its lease";
    input.sites["store-1"].lease_left = 20s;
    EXPECT_EQ(plan_partition(input).next, Duration(20s));
    input.sites["store-1"].lease_left = 0s;
    auto verdict = only(plan_partition(input));
    EXPECT_TRUE(verdict.moves);
    EXPECT_EQ(verdict.missing, 1u);
    // That it is alive says nothing against it: it has stopped.
    input.sites["store-1"].heard_by = "store-2";
    EXPECT_TRUE(only(plan_partition(input)).moves);
    input.sites["store-1"].one_of_many = true;
    EXPECT_EQ(only(plan_partition(input)).reason, "Frozen");
}

TEST(Partition, AStoppedAppHasNoSubstitutes) {
    auto input = away(1h);
    input.running = false;
    EXPECT_EQ(only(plan_partition(input)).missing, 0u);
    input = substituted();
    input.running = false;
    input.sites["store-1"].in_touch = true;
    EXPECT_EQ(plan_partition(input).substitutes.at(Slot("store-2", "store-1")), 0u);
}

TEST(Partition, ScaledAwayAndItsSubstituteGoes) {
    auto input = substituted();
    input.held[0].replicas = 0;
    EXPECT_EQ(plan_partition(input).substitutes.at(Slot("store-2", "store-1")), 0u);
    input = substituted();
    input.held[0].replicas = 2;
    input.held[1].replicas = input.held[1].ready = 3;
    EXPECT_EQ(plan_partition(input).substitutes.at(Slot("store-2", "store-1")), 2u);
}

TEST(Partition, APolicyThatChangedWhileAwayStillDrainsOnHeal) {
    auto input = substituted();
    input.policy = PartitionPolicy::keep;
    EXPECT_EQ(only(plan_partition(input)).reason, "Keep");
    EXPECT_EQ(plan_partition(input).substitutes.at(Slot("store-2", "store-1")), 1u);
    input.sites["store-1"].in_touch = true;
    input.held[0].recalled = true;
    EXPECT_EQ(plan_partition(input).substitutes.at(Slot("store-2", "store-1")), 0u);
}

TEST(Partition, ManyThatVanishAtOnceMakeTheParentDoubtItself) {
    Caution caution;
    std::map<std::string, Duration> silent;
    for (int i = 0; i < 40; ++i) silent["s" + std::to_string(i)] = 10min + i * 1s;
    EXPECT_EQ(vanished_together(silent, 100, caution).size(), 40u);
    EXPECT_TRUE(vanished_together(silent, 1000, caution).empty()) << "four of a hundred are no sign";
    // Forty that went one by one over a day are forty sites.
    for (int i = 0; i < 40; ++i) silent["s" + std::to_string(i)] = i * 30min;
    EXPECT_TRUE(vanished_together(silent, 100, caution).empty());
    // Long gone ones do not taint a single one of today, nor the other way round.
    for (int i = 0; i < 39; ++i) silent["s" + std::to_string(i)] = 100h + i * 1s;
    silent["s39"] = 10min;
    EXPECT_FALSE(vanished_together(silent, 100, caution).contains("s39"));
    EXPECT_EQ(vanished_together(silent, 100, caution).size(), 39u);
    // Two of three sites are two sites.
    EXPECT_TRUE(vanished_together({{"a", 1h}, {"b", 1h}}, 3, caution).empty());
    EXPECT_EQ(vanished_together({{"a", 1h}, {"b", 1h}, {"c", 1h}}, 3, caution).size(), 3u);
}

/// Whatever happens: an original never goes while its substitutes are not ready, nor they while it is not.
TEST(Partition, PropertySomethingReadyAlwaysStays) {
    for (std::uint64_t seed = 1, end = test::seeds(20'000); seed <= end; ++seed) {
        env::SeededChance chance(seed);
        auto draw = [&](std::uint64_t n) { return chance.bits() % n; };
        PartitionInput input;
        input.policy = PartitionPolicy::at_least_once;
        input.on_heal = static_cast<OnHeal>(draw(3));
        const char* times[] = {"", "2026-03-01T08:00:00Z", "2026-03-01T12:00:00Z", "1970-01-01T00:00:00Z"};
        for (const char* name : {"a", "b", "c"})
            input.sites[name] = {.in_touch = draw(3) > 0, .silent = static_cast<std::int64_t>(draw(20)) * 1min};
        std::uint32_t wanted = 1 + static_cast<std::uint32_t>(draw(3));
        auto held = [&](std::string site, std::string substitutes) {
            std::uint32_t count = substitutes.empty() ? wanted : 1 + static_cast<std::uint32_t>(draw(3));
            return HeldAllocation{.site = std::move(site),
                                  .suffix = substitutes,
                                  .substitutes = substitutes,
                                  .replicas = count,
                                  .observed = draw(4) > 0,
                                  .ready = static_cast<std::uint32_t>(draw(count + 1)),
                                  .running_since = times[draw(4)],
                                  .recalled = draw(2) > 0};
        };
        input.held.push_back(held("a", ""));
        for (const char* name : {"b", "c"})
            if (draw(2)) input.held.push_back(held(name, "a"));
        auto plan = plan_partition(input);
        bool own_ready = input.sites["a"].in_touch && input.held[0].observed && input.held[0].recalled &&
                         input.held[0].ready >= input.held[0].replicas;
        std::uint32_t kept_ready = 0, was_ready = 0;
        std::uint32_t gives = plan.verdicts.empty() ? 0 : plan.verdicts[0].gives;
        for (std::size_t i = 1; i < input.held.size(); ++i) {
            const auto& one = input.held[i];
            bool ready = input.sites[one.site].in_touch && one.observed && one.ready >= one.replicas;
            if (!ready) continue;
            was_ready += one.replicas;
            kept_ready += plan.substitutes.at({one.site, one.suffix});
        }
        ASSERT_GE(kept_ready, gives) << seed;
        // What was ready among the substitutes, up to what is wanted, goes only for an original that is ready.
        if (!own_ready) {
            ASSERT_GE(kept_ready, std::min(was_ready, wanted)) << seed;
        }
    }
}

} // namespace
} // namespace skerry::plan
