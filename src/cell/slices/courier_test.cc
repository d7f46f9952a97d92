#include "cell/cell_test.h"
#include "cell/slices/couriers.h"

#include <gmock/gmock.h>

namespace skerry::cell {

namespace {

using How = Couriers::How;
using Neighbour = Couriers::Neighbour;
using testing::HasSubstr;

class CourierTest : public CellTest {
protected:
    /// What a file has in it, as bytes.
    std::string pack(Machine& from, Couriers::Extent extent = Couriers::Extent::difference) {
        auto carried = from.cell->couriers().pack(&from == &core ? Neighbour::child : Neighbour::parent,
                                                  (&from == &core ? site : core).peer(), extent);
        EXPECT_TRUE(carried) << carried.error().message;
        return sync::write_carried(*carried).value();
    }
    Result<Couriers::Outcome> apply(Machine& to, const std::string& bytes, How how = How::apply) {
        Result<Couriers::Outcome> outcome = fail(Code::internal, "no answer");
        to.cell->couriers().apply(&to == &core ? Neighbour::child : Neighbour::parent, (&to == &core ? site : core).peer(),
                                  sync::read_carried(bytes).value(), how, [&](auto answer) { outcome = std::move(answer); });
        world.settle();
        return outcome;
    }
    void restore_core(const std::shared_ptr<store::MemoryDisk>& backup) {
        core.crash();
        core.disk = std::make_shared<store::MemoryDisk>(*backup);
        boot_core();
    }
    std::string revision_at(Machine& one, const std::string& name) {
        const auto* allocation = one.store->get<model::Allocation>({Kind::allocation, "default", name});
        return allocation ? allocation->spec().revision() : "none";
    }
    /// A site that has till-a by link, and is cut off.
    void boot_apart() {
        boot();
        write_site();
        write_revision("till.1", "till.1.key");
        write_allocation("till-a", "till.1");
        world.pass(5s);
        EXPECT_TRUE(has(site, Kind::secret, "till.1.key"));
        world.cut();
        world.pass(10s);
    }
};

TEST_F(CourierTest, AFileThereAndOneBackMoveTheCursorsWithoutALink) {
    boot_apart();
    write_revision("till.2");
    write_allocation("till-a", "till.2");
    auto looked = apply(site, pack(core), How::look);
    ASSERT_TRUE(looked);
    EXPECT_GE(looked->taken.items, 2u);
    EXPECT_FALSE(has(site, Kind::revision, "till.2")) << "looking changes nothing";

    std::string there = pack(core);
    ASSERT_TRUE(apply(site, there));
    EXPECT_TRUE(has(site, Kind::revision, "till.2"));
    EXPECT_FALSE(has(site, Kind::secret, "till.1.key")) << "what left the slice goes";
    EXPECT_EQ(apply(site, there)->taken.brings, sync::Brings::nothing);
    write_instance("till-a.x");
    report_phase(site, "till-a.x", "Running");
    std::string back = pack(site);
    ASSERT_TRUE(apply(core, back));
    ASSERT_TRUE(has(core, Kind::instance, "till-a.x"));
    EXPECT_EQ(core.store->get<model::Instance>({Kind::instance, "default", "till-a.x"})->status().phase(), "Running");
    EXPECT_EQ(apply(core, back)->taken.brings, sync::Brings::nothing);
    EXPECT_FALSE(in_touch());

    // The acknowledgement outlives a restart.
    core.crash();
    boot_core();
    auto next = core.cell->couriers().pack(Neighbour::child, site.peer(), Couriers::Extent::difference);
    ASSERT_TRUE(next);
    EXPECT_TRUE(next->courier.base);
    EXPECT_TRUE(next->slices[0].batches.empty());

    // A link that returns sends the difference, which is none.
    world.heal();
    std::uint64_t before = world.bytes;
    for (int seconds = 0; seconds < 40 && !in_touch(); ++seconds) world.pass(1s); // it dials with a back-off
    world.pass(5s);
    EXPECT_TRUE(in_touch());
    EXPECT_LT(world.bytes - before, 3'000u);
}

TEST_F(CourierTest, AnOlderFileBehindALinkChangesNothing) {
    boot_apart();
    write_revision("till.2");
    write_allocation("till-a", "till.2");
    std::string old = pack(core);
    write_revision("till.3");
    write_allocation("till-a", "till.3");
    world.heal();
    world.pass(40s);
    ASSERT_TRUE(has(site, Kind::revision, "till.3"));
    auto outcome = apply(site, old);
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_EQ(outcome->taken.brings, sync::Brings::nothing);
    EXPECT_TRUE(has(site, Kind::revision, "till.3"));
    world.pass(40s);
    EXPECT_TRUE(in_touch()) << "a wire that was up comes back";
}

TEST_F(CourierTest, ThePowerMayFailBetweenAnyTwoTransactions) {
    boot_apart();
    for (int n = 0; n < 300; ++n) write_revision("more." + std::to_string(n));
    for (int n = 0; n < 300; ++n) write_allocation("more-" + std::to_string(n), "more." + std::to_string(n));
    std::string file = pack(core);
    for (int steps = 0; steps < 40; ++steps) {
        bool answered = false;
        site.cell->couriers().apply(Neighbour::parent, core.peer(), sync::read_carried(file).value(), How::apply,
                                    [&](auto) { answered = true; });
        for (int n = 0; n < steps && !world.posted.empty(); ++n) {
            auto call = std::move(world.posted.front());
            world.posted.pop_front();
            call();
        }
        if (answered) break;
        site.crash();
        boot_site();
    }
    auto outcome = apply(site, file);
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_EQ(outcome->taken.kept, 0u);
    for (int n = 0; n < 300; ++n) ASSERT_TRUE(has(site, Kind::allocation, "more-" + std::to_string(n)));
    ASSERT_TRUE(apply(core, pack(site)));
    EXPECT_TRUE(
        core.cell->couriers().pack(Neighbour::child, site.peer(), Couriers::Extent::difference)->slices[0].batches.empty());
}

TEST_F(CourierTest, AFileForAnotherCellIsRefused) {
    boot_apart();
    std::string file = pack(core);
    Result<Couriers::Outcome> outcome;
    env::Peer stranger{Role::core, "other", CellId(Id{9, 9})};
    site.cell->couriers().apply(Neighbour::parent, stranger, sync::read_carried(file).value(), How::apply,
                                [&](auto answer) { outcome = std::move(answer); });
    world.settle();
    ASSERT_FALSE(outcome);
    EXPECT_THAT(outcome.error().message, HasSubstr("its slices go from cell"));
}

TEST_F(CourierTest, WhatASiteMayNotDecideIsRefusedFromAFileToo) {
    boot_apart();
    auto carried = site.cell->couriers().pack(Neighbour::parent, core.peer(), Couriers::Extent::everything);
    ASSERT_TRUE(carried);
    // Its parent's own slice, as if it were the site's.
    auto forged = core.cell->couriers().pack(Neighbour::child, site.peer(), Couriers::Extent::everything);
    ASSERT_TRUE(forged);
    for (std::size_t lane = 0; lane < sync::lanes; ++lane) carried->slices[lane] = forged->slices[lane];
    Result<Couriers::Outcome> outcome;
    core.cell->couriers().apply(Neighbour::child, site.peer(), std::move(*carried), How::apply,
                                [&](auto answer) { outcome = std::move(answer); });
    world.settle();
    ASSERT_FALSE(outcome);
    EXPECT_THAT(outcome.error().message, HasSubstr("may not decide this"));
}

/// What a file brings has its proof with it (rule H3): a core that forgot it is given it back when a link returns.
TEST_F(CourierTest, WhatAFileBroughtComesBackOverALink) {
    boot_apart();
    auto backup = std::make_shared<store::MemoryDisk>(*core.disk);
    write_revision("till.2");
    write_allocation("till-b", "till.2");
    ASSERT_TRUE(apply(site, pack(core)));
    Uid uid = site.store->get({Kind::allocation, "default", "till-b"})->uid;
    restore_core(backup);
    world.heal();
    world.pass(40s);
    ASSERT_TRUE(has(core, Kind::allocation, "till-b"));
    EXPECT_EQ(core.store->get({Kind::allocation, "default", "till-b"})->uid, uid);
    EXPECT_TRUE(has(site, Kind::allocation, "till-b"));
}

TEST_F(CourierTest, AFileTellsThatTheHistoryWentBackAndNoOldOneIsPacked) {
    boot_apart();
    auto backup = std::make_shared<store::MemoryDisk>(*core.disk);
    write_revision("till.2");
    write_allocation("till-a", "till.2");
    write_allocation("till-b", "till.2");
    ASSERT_TRUE(apply(site, pack(core)));
    restore_core(backup);
    EXPECT_FALSE(core.cell->recovery().active());
    auto told = apply(core, pack(site, Couriers::Extent::everything));
    ASSERT_TRUE(told) << told.error().message;
    ASSERT_TRUE(core.cell->recovery().active());
    auto old = core.cell->couriers().pack(Neighbour::child, site.peer(), Couriers::Extent::difference);
    ASSERT_FALSE(old);
    EXPECT_EQ(old.error().code, Code::unavailable);
    EXPECT_THAT(old.error().message, HasSubstr("rule H3"));

    world.pass(5min);
    ASSERT_FALSE(core.cell->recovery().active());
    ASSERT_TRUE(apply(core, pack(site, Couriers::Extent::everything)));
    EXPECT_FALSE(core.cell->recovery().active()) << "it shows the same loss";
    auto brought = apply(site, pack(core));
    ASSERT_TRUE(brought) << brought.error().message;
    EXPECT_EQ(revision_at(site, "till-a"), "till.2") << "an earlier generation does not stand against a later one";
    EXPECT_EQ(revision_at(site, "till-b"), "till.2") << "absence is no tombstone";
    EXPECT_EQ(revision_at(core, "till-a"), "till.1") << "a file cannot be asked";

    world.heal();
    world.pass(40s);
    EXPECT_EQ(revision_at(core, "till-a"), "till.2");
    EXPECT_EQ(revision_at(core, "till-b"), "till.2");
}

} // namespace

} // namespace skerry::cell
