#include "plan/site.h"

#include "base/test_seeds.h"
#include "env/seeded_chance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace skerry::plan {
namespace {

SiteNode node(std::string name, std::int64_t cpu = 1000) {
    return {.name = std::move(name), .cpu = MilliCpu{cpu}, .memory = Bytes{1 << 30}, .in_touch = true};
}

SiteAllocation pos(std::uint32_t replicas) {
    SiteAllocation allocation;
    allocation.name = "retail/till.pos.store";
    allocation.replicas = replicas;
    allocation.revision = "till.1";
    allocation.hash = "h1";
    allocation.state = "running";
    allocation.cpu = MilliCpu{100};
    allocation.resolved = true;
    return allocation;
}

SiteInstance instance(std::string name, std::string on, bool ready = true, std::string made = "2026-01-01T00:00:00Z") {
    return {.name = std::move(name),
            .node = std::move(on),
            .revision = "till.1",
            .state = "running",
            .made = std::move(made),
            .ready = ready,
            .hash = "h1"};
}

using What = InstanceChange::What;

TEST(Site, SpreadsOverNodesThatRunNothingOfTheSame) {
    auto plan = plan_site({pos(2)}, {node("a"), node("b")});
    EXPECT_EQ(plan.changes, (std::vector<InstanceChange>{{What::create, 0, "", "a"}, {What::create, 0, "", "b"}}));
    EXPECT_TRUE(plan.shortages[0].reason.empty());
}

TEST(Site, SaysWhyThereIsNoRoom) {
    auto plan = plan_site({pos(3)}, {node("a", 250)});
    EXPECT_EQ(plan.changes.size(), 2u);
    EXPECT_EQ(plan.shortages[0].reason, "NoRoom");
    EXPECT_NE(plan.shortages[0].message.find("1 replica has no node: 1 node matches; 1 lacks cpu"), std::string::npos)
        << plan.shortages[0].message;
    EXPECT_EQ(plan_site({pos(1)}, {}).shortages[0].reason, "NoNode");
}

TEST(Site, WhatIsForOneNodeIsMadeThereOrNowhere) {
    auto one = pos(1);
    one.only = "b";
    EXPECT_EQ(plan_site({one}, {node("a"), node("b")}).changes, (std::vector<InstanceChange>{{What::create, 0, "", "b"}}));
    auto away = node("b");
    away.in_touch = false;
    auto plan = plan_site({one}, {node("a"), away});
    EXPECT_TRUE(plan.changes.empty());
    EXPECT_NE(plan.shortages[0].message.find("node b alone"), std::string::npos) << plan.shortages[0].message;
}

TEST(Site, AMistakeInReplicasIsBoundedAndSaysSo) {
    auto many = pos(100'000);
    many.cpu = MilliCpu{0};
    auto plan = plan_site({many}, {node("a"), node("b")});
    EXPECT_EQ(plan.changes.size(), most_new);
    EXPECT_TRUE(plan.shortages[0].reason.empty()) << "the next turn goes on";
    for (std::size_t i = 0; i < 2 * most_on_a_node; ++i)
        many.instances.push_back(instance("i" + std::to_string(i), i % 2 ? "a" : "b"));
    plan = plan_site({many}, {node("a"), node("b")});
    EXPECT_TRUE(plan.changes.empty());
    EXPECT_EQ(plan.shortages[0].reason, "NoRoom");
    EXPECT_NE(plan.shortages[0].message.find("at most 250 instances"), std::string::npos) << plan.shortages[0].message;
}

TEST(Site, APortIsPublishedOncePerNode) {
    auto one = pos(1), two = pos(1);
    one.ports = two.ports = {{80}};
    one.instances = {instance("x", "a")};
    auto plan = plan_site({one, two}, {node("a")});
    EXPECT_TRUE(plan.changes.empty());
    EXPECT_EQ(plan.shortages[1].reason, "PortTaken");
    EXPECT_EQ(plan_site({one, two}, {node("a"), node("b")}).changes, (std::vector<InstanceChange>{{What::create, 1, "", "b"}}));
}

TEST(Site, ReplacesWhatASilentNodeHeldAndKeepsItsObject) {
    auto allocation = pos(1);
    allocation.instances = {instance("x", "b")};
    auto silent = node("b");
    silent.in_touch = false;
    EXPECT_TRUE(plan_site({allocation}, {node("a"), silent}).changes.empty()) << "not silent for long enough";
    silent.silent = true;
    EXPECT_EQ(plan_site({allocation}, {node("a"), silent}).changes, (std::vector<InstanceChange>{{What::create, 0, "", "a"}}));
}

TEST(Site, DrainsTheSurplusAndKeepsTheReplacementThatIsReady) {
    auto allocation = pos(1);
    allocation.instances = {instance("original", "b"), instance("replacement", "a", true, "2026-01-02T00:00:00Z")};
    EXPECT_EQ(plan_site({allocation}, {node("a"), node("b")}).changes,
              (std::vector<InstanceChange>{{What::erase, 0, "original", ""}}));
    allocation.instances[1].ready = false;
    EXPECT_EQ(plan_site({allocation}, {node("a"), node("b")}).changes,
              (std::vector<InstanceChange>{{What::erase, 0, "replacement", ""}}));
}

TEST(Site, InstancesOfANodeThatIsGoneForGoodGo) {
    auto allocation = pos(1);
    allocation.instances = {instance("x", "gone")};
    EXPECT_EQ(plan_site({allocation}, {node("a")}).changes,
              (std::vector<InstanceChange>{{What::erase, 0, "x", ""}, {What::create, 0, "", "a"}}));
}

TEST(Site, UpdatesAFewReplicasAtATime) {
    auto allocation = pos(4);
    for (auto name : {"w", "x", "y", "z"}) allocation.instances.push_back(instance(name, "a"));
    allocation.revision = "till.2";
    EXPECT_EQ(plan_site({allocation}, {node("a")}).changes.size(), 4u) << "the same hash restarts nothing";
    allocation.hash = "h2";
    EXPECT_EQ(plan_site({allocation}, {node("a")}).changes.size(), 1u);
    allocation.instances[0].revision = "till.2";
    EXPECT_TRUE(plan_site({allocation}, {node("a")}).changes.empty()) << "told, and still reports the old one as ready";
    allocation.instances[0].hash = "h2";
    EXPECT_EQ(plan_site({allocation}, {node("a")}).changes.size(), 1u);
    allocation.state = "stopped";
    EXPECT_EQ(plan_site({allocation}, {node("a")}).changes.size(), 4u);
}

TEST(Site, WithoutItsRevisionNothingIsMadeOrChanged) {
    auto allocation = pos(2);
    allocation.resolved = false;
    allocation.instances = {instance("x", "a")};
    EXPECT_TRUE(plan_site({allocation}, {node("a")}).changes.empty());
}

SiteAllocation once(std::uint32_t replicas) {
    auto allocation = pos(replicas);
    allocation.once = true;
    return allocation;
}

/// Rule F7, step by step: the lease, then the word to stop, then what stands in for it.
TEST(Site, AtMostOnceIsReplacedAfterTheLeaseOfASilentNode) {
    auto allocation = once(1);
    allocation.instances = {instance("x", "a")};
    std::vector<SiteNode> nodes{node("a"), node("b")};
    nodes[0].silent = true, nodes[0].in_touch = false, nodes[0].leased = true;
    EXPECT_TRUE(plan_site({allocation}, nodes).changes.empty());
    nodes[0].leased = false;
    EXPECT_EQ(plan_site({allocation}, nodes).changes, (std::vector<InstanceChange>{{What::stop, 0, "x", ""}}));
    allocation.instances[0].state = "stopped";
    auto plan = plan_site({allocation}, nodes);
    EXPECT_TRUE(plan.changes.empty()) << "told, and a lease may have been granted meanwhile";
    EXPECT_EQ(plan.shortages[0].reason, "LeaseNotOver");
    allocation.instances[0].gone = true;
    EXPECT_EQ(plan_site({allocation}, nodes).changes, (std::vector<InstanceChange>{{What::create, 0, "", "b"}}));
    allocation.instances.push_back(instance("y", "b"));
    EXPECT_EQ(plan_site({allocation}, nodes).changes, (std::vector<InstanceChange>{{What::erase, 0, "x", ""}}));
}

TEST(Site, AtMostOnceOnANodeThatKnewNoLeaseIsNotReplacedByTime) {
    auto allocation = once(1);
    allocation.instances = {instance("x", "a")};
    allocation.instances[0].fenced = false; // started under another policy
    std::vector<SiteNode> nodes{node("a"), node("b")};
    nodes[0].silent = true, nodes[0].in_touch = false;
    EXPECT_TRUE(plan_site({allocation}, nodes).changes.empty());
}

TEST(Site, AtMostOnceIsNotMadeBesideWhatAnEarlierAllocationLeft) {
    auto allocation = once(1);
    allocation.others = 1;
    EXPECT_TRUE(plan_site({allocation}, {node("a")}).changes.empty());
}

TEST(Site, WhatAnEarlierAllocationLeftStopsFirst) {
    auto allocation = pos(2);
    allocation.others = 1;
    auto plan = plan_site({allocation}, {node("a")});
    EXPECT_EQ(plan.changes.size(), 1u) << "the other replica need not wait";
    EXPECT_EQ(plan.shortages[0].reason, "OldOneStops");
    allocation.others = 3;
    EXPECT_TRUE(plan_site({allocation}, {node("a")}).changes.empty());
}

TEST(Site, WhatGoesAltogetherIsSeenOff) {
    auto allocation = pos(0);
    allocation.instances = {instance("x", "a"), instance("y", "b"), instance("z", "away"), instance("w", "gone")};
    allocation.instances[1].state = "stopped", allocation.instances[1].gone = true;
    std::vector<SiteNode> nodes{node("a"), node("b"), node("away")};
    nodes[2].silent = true, nodes[2].in_touch = false;
    auto plan = plan_site({allocation}, nodes);
    EXPECT_EQ(plan.changes,
              (std::vector<InstanceChange>{
                  {What::stop, 0, "x", ""}, {What::erase, 0, "y", ""}, {What::erase, 0, "z", ""}, {What::erase, 0, "w", ""}}));
    allocation.instances = {instance("x", "a")};
    allocation.instances[0].state = "stopped";
    EXPECT_TRUE(plan_site({allocation}, nodes).changes.empty()) << "told, and waited for";
    allocation.replicas = 1;
    EXPECT_EQ(plan_site({allocation}, nodes).changes, (std::vector<InstanceChange>{{What::update, 0, "x", ""}}))
        << "wanted again, it is the same one";
}

TEST(Site, AtMostOnceThatIsTooMuchStopsBeforeItIsErased) {
    auto allocation = once(1);
    allocation.instances = {instance("x", "a"), instance("y", "b")};
    EXPECT_EQ(plan_site({allocation}, {node("a"), node("b")}).changes, (std::vector<InstanceChange>{{What::stop, 0, "x", ""}}));
}

TEST(Site, AtMostOnceThatStoppedHereRunsAgainRatherThanAnother) {
    auto allocation = once(1);
    allocation.instances = {instance("x", "a", false)};
    allocation.instances[0].state = "stopped", allocation.instances[0].gone = true;
    EXPECT_EQ(plan_site({allocation}, {node("a"), node("b")}).changes, (std::vector<InstanceChange>{{What::update, 0, "x", ""}}));
}

TEST(Site, AHigherEpochReachesEveryInstanceWithoutARestart) {
    auto allocation = once(2);
    allocation.instances = {instance("x", "a"), instance("y", "b")};
    allocation.instances[0].current = false;
    EXPECT_EQ(plan_site({allocation}, {node("a"), node("b")}).changes, (std::vector<InstanceChange>{{What::update, 0, "x", ""}}));
}

/// Nodes fall silent, lose their leases, return and answer at random: never do more run than are wanted.
TEST(Site, PropertyAtMostOnceNeverRunsTwice) {
    for (std::uint64_t seed = 1, end = test::seeds(500); seed <= end; ++seed) {
        env::SeededChance chance(seed);
        std::vector<SiteNode> nodes{node("a"), node("b"), node("c")};
        auto allocation = once(1 + static_cast<std::uint32_t>(chance.bits() % 2));
        struct Machine {
            std::map<std::string, bool> told; ///< by instance: whether it should run, as the node last heard
            std::vector<std::string> running;
        };
        std::map<std::string, Machine> machines;
        int made = 0;
        auto seat = [&](const std::string& name) { return std::ranges::find(nodes, name, &SiteNode::name); };
        for (int round = 0; round < 120; ++round) {
            bool healing = round > 100;
            for (auto& one : nodes) {
                auto& machine = machines[one.name];
                if (healing || chance.bits() % 8 == 0) one.silent = !healing && !one.silent, one.in_touch = !one.silent;
                if (one.silent && one.leased && chance.bits() % 3 == 0) one.leased = false, machine.running.clear();
                if (one.silent) continue;
                // It hears all, then has a lease; what it runs follows.
                machine.told.clear();
                for (auto& each : allocation.instances)
                    if (each.node == one.name) machine.told[each.name] = each.state == "running";
                one.leased = true;
                machine.running.clear();
                for (const auto& [name, runs] : machine.told)
                    if (runs) machine.running.push_back(name);
            }
            for (auto& each : allocation.instances) {
                auto at = seat(each.node);
                auto& machine = machines[each.node];
                each.ready = std::ranges::count(machine.running, each.name) > 0;
                bool said = !at->silent && machine.told.contains(each.name) && !machine.told[each.name];
                each.gone = each.state == "stopped" && (!at->leased || said);
            }
            std::size_t running = 0;
            for (const auto& [name, machine] : machines) running += machine.running.size();
            ASSERT_LE(running, allocation.replicas) << "seed " << seed << " round " << round;
            for (const auto& change : plan_site({allocation}, nodes).changes) {
                auto each = std::ranges::find(allocation.instances, change.instance, &SiteInstance::name);
                if (change.what == What::create)
                    allocation.instances.push_back(instance("i" + std::to_string(made++), change.node, false));
                else if (change.what == What::erase)
                    allocation.instances.erase(each);
                else
                    each->state = change.what == What::stop ? "stopped" : "running", each->gone = false;
            }
        }
        EXPECT_TRUE(plan_site({allocation}, nodes).changes.empty()) << seed;
        EXPECT_EQ(allocation.instances.size(), allocation.replicas) << seed;
    }
}

/// Nodes come and go at random; healthy instances are never taken from where fewer than wanted are; in the end exactly the wanted
/// number runs.
TEST(Site, PropertyConvergesAndNeverDropsBelowWhatIsReady) {
    for (std::uint64_t seed = 1, end = test::seeds(300); seed <= end; ++seed) {
        env::SeededChance chance(seed);
        std::vector<SiteNode> nodes{node("a"), node("b"), node("c")};
        auto allocation = pos(1 + static_cast<std::uint32_t>(chance.bits() % 4));
        int made = 0;
        for (int round = 0; round < 60; ++round) {
            bool healing = round > 40;
            for (auto& one : nodes)
                if (healing || chance.bits() % 6 == 0) one.silent = !healing && !one.silent, one.in_touch = !one.silent;
            auto ready_in_touch = [&] {
                return std::count_if(allocation.instances.begin(), allocation.instances.end(), [&](const SiteInstance& one) {
                    return one.ready && std::any_of(nodes.begin(), nodes.end(),
                                                    [&](const SiteNode& n) { return n.name == one.node && !n.silent; });
                });
            };
            auto before = std::min<std::int64_t>(ready_in_touch(), allocation.replicas);
            for (const auto& change : plan_site({allocation}, nodes).changes) {
                if (change.what == What::create) {
                    allocation.instances.push_back(instance("i" + std::to_string(made++), change.node, false,
                                                            "2026-01-01T00:00:" + std::to_string(10 + round) + "Z"));
                } else if (change.what == What::erase) {
                    std::erase_if(allocation.instances, [&](const SiteInstance& one) { return one.name == change.instance; });
                } else {
                    ADD_FAILURE() << "nothing to update, seed " << seed;
                }
            }
            EXPECT_GE(ready_in_touch(), before) << seed;
            for (auto& one : allocation.instances)
                if (healing || chance.bits() % 2 == 0) one.ready = true;
        }
        EXPECT_EQ(allocation.instances.size(), allocation.replicas) << seed;
        EXPECT_TRUE(plan_site({allocation}, nodes).changes.empty()) << seed;
    }
}

} // namespace
} // namespace skerry::plan
