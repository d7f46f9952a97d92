#include "cell/test_world.h"
#include "model/allocation.pb.h"
#include "model/epoch.h"
#include "model/site.pb.h"
#include "sync/lease.h"

#include <gtest/gtest.h>

namespace skerry::cell {

namespace {

using Role = env::Peer::Role;

/// A core, a site and a node, without roles; whoever needs a lease says so.
class LeaseTest : public testing::Test {
protected:
    LeaseTest()
        : core(world, {Role::core, "core", {}}, {.version = "1"}, 1),
          site(world, {Role::site, "store-17", {}}, {.version = "1", .parents = {"core:1"}}, 2),
          node(world, {Role::node, "n1", {}}, {.version = "1", .parents = {"site:1"}}, 3) {
        world.at["core:1"] = &core;
        world.at["site:1"] = &site;
    }
    void boot_core() { core.boot(slices_for_sites(), nullptr); }
    void boot_site() { site.boot(slices_for_nodes(), slice_of_site("store-17")); }
    void boot_node() { node.boot(nullptr, slice_of_node("n1")); }
    void write_site(const std::string& lease = "20s") {
        model::Site message;
        auto before = core.store->get({model::Kind::site, "", "store-17"});
        Uid uid = before ? before->uid : Uid(core.chance.id());
        message.mutable_metadata()->set_name("store-17");
        message.mutable_metadata()->set_uid(uid.text());
        message.mutable_metadata()->set_home(core.store->cell().text());
        message.mutable_metadata()->set_generation(before ? before->generation + 1 : 1);
        auto& uplink = *message.mutable_spec()->add_uplinks();
        uplink.set_beat("1s");
        uplink.set_lease(lease);
        store::Transaction transaction;
        transaction.put({model::Kind::site, "", "store-17"}, uid, core.store->cell(), before ? before->generation + 1 : 1,
                        message.SerializeAsString(), store::Transaction::anything());
        core.store->commit(std::move(transaction), nullptr);
        world.settle();
    }
    static Leases::Own own(Machine& at) { return at.cell->leases().own(); }
    std::optional<Instant> over() {
        auto view = core.cell->peers().child("store-17");
        return view ? view->lease_over : std::nullopt;
    }

    World world;
    Machine core, site, node;
};

TEST_F(LeaseTest, AChildHasOneOnlyWhileItNeedsOne) {
    boot_core();
    write_site();
    boot_site();
    world.pass(5s);
    EXPECT_FALSE(own(site).runs(world.now));
    EXPECT_FALSE(over());
    EXPECT_FALSE(core.store->note("lease", "site/store-17")) << "nothing was written for nothing";
    site.cell->leases().want("node", true);
    world.pass(100ms);
    EXPECT_TRUE(own(site).runs(world.now));
    EXPECT_EQ(own(site).length, Duration(20s));
    ASSERT_TRUE(over());
    EXPECT_GE(*over(), own(site).until + skerry::sync::lease_margin(20s));
    world.pass(10min);
    EXPECT_TRUE(own(site).runs(world.now + 10s)) << "renewed";
    site.cell->leases().want("node", false);
    world.pass(1min);
    EXPECT_FALSE(over());
}

/// Its note is lost, and another child's is not: then this one may have had a lease too (rule F4).
TEST_F(LeaseTest, ThatNoNoteSpeaksOfALeaseIsNoProofThatThereIsNone) {
    boot_core();
    write_site();
    boot_site();
    site.cell->leases().want("node", true);
    world.pass(5s);
    auto note = core.store->note("lease", "site/store-17");
    ASSERT_TRUE(note);
    store::Transaction damage;
    damage.note("lease", "site/other", *note);
    damage.erase_note("lease", "site/store-17");
    core.store->commit(std::move(damage), nullptr);
    world.settle();
    world.cut();
    core.crash();
    boot_core();
    ASSERT_TRUE(over());
    EXPECT_GE(*over(), own(site).until);
    world.pass(1min);
    EXPECT_FALSE(over()) << "it is over by now, whoever had it";
}

TEST_F(LeaseTest, TheRootNeedsNone) {
    boot_core();
    EXPECT_EQ(own(core).until, Instant::never());
}

TEST_F(LeaseTest, ItEndsByItselfWhenTheLinkIsDownAndComesBackWithIt) {
    boot_core();
    write_site();
    boot_site();
    site.cell->leases().want("node", true);
    world.pass(5s);
    world.cut();
    Instant cut = world.now;
    EXPECT_TRUE(own(site).runs(world.now));
    ASSERT_TRUE(over());
    EXPECT_GT(*over(), own(site).until + 2s);
    world.pass(20s);
    EXPECT_FALSE(own(site).runs(world.now));
    EXPECT_LE(own(site).until, cut + 20s);
    EXPECT_NE(own(site).trouble.find("rule F1"), std::string::npos);
    world.pass(10s);
    EXPECT_FALSE(over());
    world.heal();
    world.pass(40s);
    EXPECT_TRUE(own(site).runs(world.now));
}

/// Rule F4, and rule F1 for a machine that was started again.
TEST_F(LeaseTest, RestartsOfEitherSide) {
    boot_core();
    write_site();
    boot_site();
    site.cell->leases().want("node", true);
    world.pass(5s);
    world.cut();
    world.is_cut = true;
    core.crash();
    world.pass(1s);
    boot_core();
    ASSERT_TRUE(over()) << "it has not called, and may hold one";
    EXPECT_EQ(*over(), world.now + 20s + skerry::sync::lease_margin(20s));
    // The site's daemon too, and nothing held its lease for it: as long as another may have it, it waits.
    site.crash();
    boot_site();
    EXPECT_NE(own(site).trouble.find("rule F2"), std::string::npos);
    site.cell->leases().want("node", true);
    world.heal();
    world.pass(2s);
    EXPECT_FALSE(own(site).runs(world.now));
    EXPECT_NE(own(site).trouble.find("started lately"), std::string::npos) << own(site).trouble;
    world.pass(23s);
    EXPECT_TRUE(own(site).runs(world.now));
    // The parent alone: what runs is renewed at once.
    core.crash();
    world.pass(1s);
    boot_core();
    Instant until = own(site).until;
    world.pass(10s);
    EXPECT_GT(own(site).until, until);
    // The site's daemon alone: the same boot, so it is granted again at once.
    world.pass(30s);
    site.crash();
    boot_site();
    site.cell->leases().want("node", true);
    world.pass(2s);
    EXPECT_TRUE(own(site).runs(world.now));
}

TEST_F(LeaseTest, ARecalledLeaseIsOnesOwn) {
    boot_core();
    write_site();
    boot_site();
    site.cell->leases().recall(world.now + 7s, 20s);
    EXPECT_TRUE(own(site).runs(world.now + 6s));
    EXPECT_FALSE(own(site).runs(world.now + 7s));
}

/// Rule F5.
TEST_F(LeaseTest, TiersNest) {
    boot_core();
    write_site("6s");
    boot_site();
    boot_node();
    node.cell->leases().want("node", true);
    world.pass(5s);
    ASSERT_TRUE(own(node).runs(world.now)) << own(node).trouble;
    EXPECT_LE(own(node).until, own(site).until) << "its own would be 15 s";
    for (int n = 0; n < 200; ++n) {
        world.pass(100ms);
        ASSERT_LE(own(node).until, own(site).until);
        ASSERT_TRUE(own(node).runs(world.now));
    }
    site.cell->leases().grant_nothing("it recovers (rule H3)");
    world.pass(20s);
    EXPECT_FALSE(own(node).runs(world.now));
    EXPECT_NE(own(node).trouble.find("rule H3"), std::string::npos) << own(node).trouble;
}

/// The parent dies at each step of the first grants: whatever the child holds, a restarted parent knows of.
TEST_F(LeaseTest, ACrashAtAnyWriteNeverForgetsWhatWasGranted) {
    for (auto fate : {store::MemoryDisk::Fate::lost, store::MemoryDisk::Fate::kept}) {
        for (unsigned step = 1; step <= 4; ++step) {
            core.crash();
            site.crash();
            world = World();
            core.disk = std::make_shared<store::MemoryDisk>();
            site.disk = std::make_shared<store::MemoryDisk>();
            world.at["core:1"] = &core;
            world.at["site:1"] = &site;
            boot_core();
            write_site();
            boot_site();
            world.pass(2s);
            core.disk->crash_on_write(step, fate);
            site.cell->leases().want("node", true);
            // A second write, so that later steps are reached as well.
            world.pass(500ms);
            Instant held = own(site).until;
            bool runs = own(site).runs(world.now);
            world.cut();
            world.is_cut = true;
            core.disk->crash_on_write(0, fate); // it is mended before the next start
            core.crash();
            boot_core();
            if (!runs) continue;
            ASSERT_TRUE(over()) << "step " << step;
            EXPECT_GE(*over(), held + skerry::sync::lease_margin(20s)) << "step " << step;
        }
    }
}

/// Another machine of that name speaks; what the one before it holds is not its own (rule F1).
TEST_F(LeaseTest, WhoCallsIsToldFromWhoHoldsIt) {
    auto view = [&] { return site.cell->peers().child("n1"); };
    boot_site();
    site.cell->leases().want("own", true);
    boot_core();
    write_site("1h");
    boot_node();
    node.cell->leases().want("node", true);
    world.pass(40s);
    ASSERT_TRUE(view() && view()->lease_over);
    EXPECT_TRUE(view()->holds_lease);
    node.crash();
    Machine other(world, {Role::node, "n1", {}}, {.version = "1", .parents = {"site:1"}}, 4);
    other.boot(nullptr, slice_of_node("n1"));
    other.cell->leases().want("node", true);
    world.pass(3s);
    ASSERT_TRUE(view() && view()->lease_over);
    EXPECT_EQ(view()->peer.cell, other.store->cell());
    EXPECT_FALSE(view()->holds_lease);
    world.pass(1min);
    ASSERT_TRUE(view() && view()->lease_over);
    EXPECT_TRUE(view()->holds_lease) << "once the earlier one was over";
    other.crash();
}

/// A note that was damaged on the disk is there, without what it said (store, rule S5).
TEST_F(LeaseTest, EpochsRiseAlsoWhereNobodyKnowsHowFarTheyWere) {
    boot_core();
    store::Transaction raised, damage;
    core.cell->epochs().raise(6, raised);
    auto last = core.cell->epochs().next(raised);
    model::Allocation given;
    given.mutable_metadata()->set_name("a");
    *given.mutable_spec()->mutable_epoch() = last;
    raised.put({model::Kind::allocation, "default", "a"}, Uid(core.chance.id()), core.store->cell(), 1, given.SerializeAsString(),
               store::Transaction::absent());
    damage.note("epoch", "term", "");
    core.store->commit(std::move(raised), nullptr);
    core.store->commit(std::move(damage), nullptr);
    world.settle();
    for (int i = 0; i < 2; ++i) {
        core.crash();
        boot_core();
        store::Transaction next;
        auto epoch = core.cell->epochs().next(next);
        EXPECT_TRUE(model::compare(last, epoch) < 0) << model::text(epoch);
        last = epoch;
        core.store->commit(std::move(next), nullptr);
        world.settle();
    }
}

/// Rule H4.
TEST_F(LeaseTest, EpochsOnlyRise) {
    boot_core();
    store::Transaction one, two, higher, three;
    auto& epochs = core.cell->epochs();
    auto first = epochs.next(one), second = epochs.next(two);
    EXPECT_TRUE(model::compare(first, second) < 0);
    core.store->commit(std::move(one), nullptr);
    core.store->commit(std::move(two), nullptr);
    world.settle();
    core.crash();
    boot_core();
    auto third = core.cell->epochs().next(three);
    EXPECT_TRUE(model::compare(second, third) < 0) << model::text(third);
    core.cell->epochs().raise(7, higher);
    core.store->commit(std::move(higher), nullptr);
    world.settle();
    core.crash();
    boot_core();
    EXPECT_EQ(core.cell->epochs().term(), 8u);
    store::Transaction four;
    EXPECT_TRUE(model::compare(third, core.cell->epochs().next(four)) < 0);
}

} // namespace

} // namespace skerry::cell
