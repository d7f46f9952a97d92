#include "place/place.h"

#include "base/test_seeds.h"
#include "env/seeded_chance.h"
#include "model/app.pb.h"
#include "model/meta.pb.h"

#include <gtest/gtest.h>

#include <numeric>

namespace skerry::place {
namespace {

Snapshot::Candidate site(std::string name, std::int64_t cpu = 4000, std::int64_t memory = 1 << 30) {
    Snapshot::Candidate candidate;
    candidate.name = std::move(name);
    candidate.cpu_free = MilliCpu{cpu};
    candidate.memory_free = Bytes{memory};
    return candidate;
}

std::vector<std::uint32_t> by_row(const Snapshot& snapshot, const Proposal& proposal) {
    std::vector<std::uint32_t> counts(snapshot.size(), 0);
    for (const Assignment& assignment : proposal.assignments) counts[assignment.row] = assignment.replicas;
    return counts;
}

TEST(Place, SpreadsEvenlyAndByNameAmongEquals) {
    Snapshot snapshot;
    for (auto name : {"c", "a", "b"}) snapshot.add(site(name));
    EXPECT_EQ(by_row(snapshot, propose(snapshot, {.replicas = 4})), (std::vector<std::uint32_t>{1, 2, 1}));
}

TEST(Place, ReplicasThatAreThereStay) {
    Snapshot snapshot;
    auto a = site("a");
    a.replicas = 3;
    snapshot.add(a);
    snapshot.add(site("b"));
    EXPECT_EQ(by_row(snapshot, propose(snapshot, {.replicas = 4})), (std::vector<std::uint32_t>{3, 1}));
    EXPECT_EQ(by_row(snapshot, propose(snapshot, {.replicas = 2})), (std::vector<std::uint32_t>{2, 0}));
}

TEST(Place, EachGivesEveryMatchingCandidateItsSetAlsoWhenClosedOrUnknown) {
    Snapshot snapshot;
    auto closed = site("a");
    closed.open = false;
    snapshot.add(closed);
    Snapshot::Candidate unknown;
    unknown.name = "b";
    unknown.open = false;
    snapshot.add(unknown);
    snapshot.add(site("c", 100));
    Proposal proposal = propose(snapshot, {.mode = Mode::each, .replicas = 2, .cpu = MilliCpu{100}});
    EXPECT_EQ(by_row(snapshot, proposal), (std::vector<std::uint32_t>{2, 2, 1}));
    EXPECT_EQ(proposal.unplaced, 1u);
    EXPECT_EQ(proposal.text("site"), "3 sites match; 1 lacks cpu");
}

TEST(Place, SaysWhyByCount) {
    model::Labels store, depot;
    store["tier"] = "store";
    depot["tier"] = "depot";
    Snapshot snapshot;
    for (int i = 0; i < 10; ++i) {
        auto candidate = site("s" + std::to_string(i), 4000, i < 4 ? 10 : 0);
        candidate.labels = i < 9 ? &store : &depot;
        candidate.jurisdiction = i < 2 ? "US" : "FR";
        candidate.open = i != 8;
        snapshot.add(candidate);
    }
    model::Selector selector;
    (*selector.mutable_match_labels())["tier"] = "store";
    model::Within within;
    within.add_jurisdictions("FR");
    Proposal proposal = propose(snapshot, {.replicas = 5, .selector = &selector, .within = &within, .memory = Bytes{10}});
    EXPECT_EQ(proposal.unplaced, 3u);
    EXPECT_EQ(proposal.text("site"),
              "9 sites match; 6 lack memory; 2 are out of jurisdiction; 1 takes nothing new (out of touch or closed)");
}

TEST(Place, NothingMatches) {
    Snapshot snapshot;
    snapshot.add(site("a"));
    model::Selector selector;
    (*selector.mutable_match_labels())["tier"] = "store";
    Proposal proposal = propose(snapshot, {.replicas = 1, .selector = &selector});
    EXPECT_EQ(proposal.matching, 0u);
    EXPECT_EQ(proposal.unplaced, 1u);
    EXPECT_EQ(proposal.text("site"), "0 sites match");
}

TEST(Place, APortIsTakenOncePerMachine) {
    Snapshot snapshot;
    auto a = site("a");
    a.machines = 3;
    a.used_ports = {{80}, {80}};
    snapshot.add(a);
    Proposal proposal = propose(snapshot, {.replicas = 2, .ports = {{80}}});
    EXPECT_EQ(by_row(snapshot, proposal), (std::vector<std::uint32_t>{1}));
    EXPECT_EQ(proposal.text("site"), "1 site matches; 1 has port 80 taken");
}

TEST(Place, TcpAndUdpHavePortsOfTheirOwn) {
    Snapshot snapshot;
    auto a = site("a");
    a.used_ports = {{53}, {53, model::Transport::udp}};
    snapshot.add(a);
    EXPECT_EQ(propose(snapshot, {.replicas = 1, .ports = {{80, model::Transport::udp}, {80}}}).unplaced, 0u);
    EXPECT_EQ(propose(snapshot, {.replicas = 1, .ports = {{53, model::Transport::udp}}}).text("site"),
              "1 site matches; 1 has port 53/udp taken");
}

TEST(Place, BinpackFillsTheFullestFirst) {
    Snapshot snapshot;
    snapshot.add(site("a", 4000, 100));
    snapshot.add(site("b", 4000, 30));
    EXPECT_EQ(by_row(snapshot, propose(snapshot, {.mode = Mode::binpack, .replicas = 4, .memory = Bytes{10}})),
              (std::vector<std::uint32_t>{1, 3}));
}

TEST(Place, PrefersImageThenRoom) {
    Snapshot snapshot;
    snapshot.add(site("a", 4000, 50));
    snapshot.add(site("b", 4000, 90));
    EXPECT_EQ(by_row(snapshot, propose(snapshot, {.replicas = 1})), (std::vector<std::uint32_t>{0, 1}));
    snapshot.holds_image[0] = true;
    EXPECT_EQ(by_row(snapshot, propose(snapshot, {.replicas = 1})), (std::vector<std::uint32_t>{1, 0}));
}

/// Random snapshots: nothing over its room, existing replicas stay, as many placed as fit, the result fed back is unchanged,
/// evenness.
TEST(Place, Properties) {
    for (std::uint64_t seed = 1, end = test::seeds(2000); seed <= end; ++seed) {
        env::SeededChance chance(seed);
        auto up_to = [&](std::uint64_t n) { return chance.bits() % (n + 1); };
        Snapshot snapshot;
        std::uint64_t there = 0;
        for (std::size_t i = 0, n = up_to(12); i < n; ++i) {
            auto candidate =
                site("s" + std::to_string(i), static_cast<std::int64_t>(up_to(1000)), static_cast<std::int64_t>(up_to(1000)));
            candidate.open = up_to(4) > 0;
            candidate.replicas = up_to(3) == 0 ? static_cast<std::uint32_t>(up_to(4)) : 0;
            there += candidate.replicas;
            snapshot.add(candidate);
        }
        Constraints wanted{.mode = up_to(1) ? Mode::spread : Mode::binpack,
                           .replicas = static_cast<std::uint32_t>(up_to(20)),
                           .cpu = MilliCpu{static_cast<std::int64_t>(up_to(300))},
                           .memory = Bytes{static_cast<std::int64_t>(up_to(300))}};
        Proposal proposal = propose(snapshot, wanted);
        auto counts = by_row(snapshot, proposal);
        EXPECT_EQ(counts, by_row(snapshot, propose(snapshot, wanted)));
        std::uint64_t total = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
        EXPECT_EQ(total + proposal.unplaced, std::max<std::uint64_t>(total, wanted.replicas)) << seed;
        EXPECT_LE(total, wanted.replicas) << seed;
        Snapshot after = snapshot;
        for (std::size_t row = 0; row < snapshot.size(); ++row) {
            if (there <= wanted.replicas) {
                EXPECT_GE(counts[row], snapshot.replicas[row]) << seed;
            } else {
                EXPECT_LE(counts[row], snapshot.replicas[row]) << seed;
            }
            std::int64_t more = std::int64_t{counts[row]} - snapshot.replicas[row];
            if (more > 0) {
                EXPECT_TRUE(snapshot.open[row]);
                EXPECT_LE(more * wanted.cpu.count, snapshot.cpu_free[row]->count) << seed;
                EXPECT_LE(more * wanted.memory.count, snapshot.memory_free[row]->count) << seed;
            }
            after.replicas[row] = counts[row];
            after.cpu_free[row]->count -= more * wanted.cpu.count;
            after.memory_free[row]->count -= more * wanted.memory.count;
            bool room_left = snapshot.open[row] && after.cpu_free[row]->count >= wanted.cpu.count &&
                             after.memory_free[row]->count >= wanted.memory.count;
            EXPECT_FALSE(proposal.unplaced > 0 && room_left) << seed;
            // Evenness: nobody got a new replica while another with room had two fewer.
            if (wanted.mode == Mode::spread && more > 0) {
                for (std::size_t other = 0; other < snapshot.size(); ++other) {
                    std::int64_t held = std::int64_t{counts[other]} - snapshot.replicas[other];
                    bool fits = snapshot.open[other] && snapshot.cpu_free[other]->count - (held + 1) * wanted.cpu.count >= 0 &&
                                snapshot.memory_free[other]->count - (held + 1) * wanted.memory.count >= 0;
                    if (fits) {
                        EXPECT_LE(counts[row], counts[other] + 1) << seed;
                    }
                }
            }
        }
        EXPECT_EQ(by_row(after, propose(after, wanted)), counts) << seed;
    }
}

} // namespace
} // namespace skerry::place
