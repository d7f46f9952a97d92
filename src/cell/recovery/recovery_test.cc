#include "cell/cell_test.h"

#include <gmock/gmock.h>

namespace skerry::cell {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

/// Rules H3 and H4: a core and a site, one of which comes back from a backup.
class RecoveryTest : public CellTest {
protected:
    std::shared_ptr<store::MemoryDisk> backup_of(Machine& one) { return std::make_shared<store::MemoryDisk>(*one.disk); }
    /// The machine goes down, and comes up with an older disk.
    void restore(Machine& one, const std::shared_ptr<store::MemoryDisk>& backup) {
        one.crash();
        one.disk = std::make_shared<store::MemoryDisk>(*backup);
        if (&one == &core)
            boot_core();
        else
            boot_site();
    }
    void begin() {
        boot();
        write_site();
        write_revision("till.1");
        write_allocation("till.pos.store-17", "till.1");
        world.pass(3s);
        ASSERT_TRUE(has(site, Kind::allocation, "till.pos.store-17"));
    }
    /// A Revision that may run only once.
    void write_once() {
        model::Revision once;
        once.mutable_metadata()->set_name("once.1");
        once.mutable_metadata()->set_namespace_("default");
        auto& component = *once.mutable_spec()->add_components()->mutable_component();
        component.set_name("main");
        component.mutable_partition()->set_policy("atMostOnce");
        write(core, Kind::revision, once);
    }
    void write_component(const std::string& app) {
        model::Allocation given;
        given.mutable_metadata()->set_name(app + ".main.store-17");
        given.mutable_metadata()->set_namespace_("default");
        given.mutable_spec()->set_site("store-17");
        given.mutable_spec()->set_component("main");
        given.mutable_spec()->set_revision(app + ".1");
        given.mutable_spec()->set_replicas(1);
        write(core, Kind::allocation, given);
    }
    store::ObjectPtr at(Machine& one, Kind kind, const std::string& name) { return one.store->get({kind, "default", name}); }
    bool same_at_both(Kind kind, const std::string& name) {
        auto above = at(core, kind, name), below = at(site, kind, name);
        return above && below && above->uid == below->uid && *above->wish.bytes == *below->wish.bytes;
    }
    PeerView child() { return *core.cell->peers().child("store-17"); }
    const model::AllocationSpec& spec_at(Machine& one, const std::string& name) {
        return store::as<model::Allocation>(*at(one, Kind::allocation, name)).spec();
    }
};

TEST_F(RecoveryTest, WhatARestoredCoreForgotComesBackFromItsSite) {
    begin();
    auto backup = backup_of(core);
    write_revision("till.2", "db.g1.x");
    write_allocation("till.pos.store-17", "till.2");
    write_allocation("web.main.store-17", "till.2");
    world.pass(3s);
    Uid uid = at(site, Kind::allocation, "web.main.store-17")->uid;
    std::uint32_t generation = at(site, Kind::allocation, "till.pos.store-17")->generation;
    restore(core, backup);
    world.pass(5s);
    EXPECT_TRUE(core.cell->recovery().active());
    ASSERT_TRUE(has(core, Kind::allocation, "web.main.store-17"));
    EXPECT_EQ(at(core, Kind::allocation, "web.main.store-17")->uid, uid);
    EXPECT_EQ(spec_at(core, "till.pos.store-17").revision(), "till.2");
    EXPECT_EQ(at(core, Kind::allocation, "till.pos.store-17")->generation, generation + 1) << "above the highest seen";
    EXPECT_TRUE(has(core, Kind::revision, "till.2"));
    EXPECT_TRUE(has(core, Kind::secret, "db.g1.x"));
    for (const char* name : {"till.pos.store-17", "web.main.store-17"}) EXPECT_TRUE(same_at_both(Kind::allocation, name)) << name;
    world.pass(60s);
    EXPECT_FALSE(core.cell->recovery().active());
    EXPECT_EQ(core.cell->epochs().term(), 2u);
    EXPECT_EQ(child().orphans, 0u);
    // From here on absence means something again.
    erase(core, {Kind::allocation, "default", "web.main.store-17"});
    world.pass(3s);
    EXPECT_FALSE(has(site, Kind::allocation, "web.main.store-17"));
    // And a restart finds nothing to recover from.
    core.crash();
    boot_core();
    world.pass(5s);
    EXPECT_FALSE(core.cell->recovery().active());
    EXPECT_EQ(core.cell->epochs().term(), 2u);
}

/// What a site holds may be as the backup has it, and all the same it shows that others were told more.
TEST_F(RecoveryTest, ALaterPlaceInItsHistoryIsEnoughToKnow) {
    begin();
    auto backup = backup_of(core);
    write_allocation("web.main.store-17", "till.1");
    world.pass(3s);
    erase(core, {Kind::allocation, "default", "web.main.store-17"});
    world.pass(3s);
    restore(core, backup);
    world.pass(5s);
    EXPECT_TRUE(core.cell->recovery().active());
    world.pass(60s);
    EXPECT_FALSE(core.cell->recovery().active());
    world.cut();
    world.heal();
    world.pass(30s);
    EXPECT_FALSE(core.cell->recovery().active()) << "it has learnt its new place";
    EXPECT_EQ(core.cell->epochs().term(), 2u);
}

TEST_F(RecoveryTest, WhatWasDecidedSinceTheHistoryWentBackStands) {
    begin();
    write_allocation("web.main.store-17", "till.1");
    write_allocation("old.main.store-17", "till.1");
    world.pass(3s);
    auto backup = backup_of(core);
    for (int n = 0; n < 3; ++n) write_allocation("web.main.store-17", "till.2");
    write_allocation("old.main.store-17", "till.2");
    write_allocation("new.main.store-17", "till.2");
    world.pass(3s);
    world.cut();
    restore(core, backup);
    write_allocation("web.main.store-17", "till.3");
    erase(core, {Kind::allocation, "default", "old.main.store-17"});
    Uid uid = at(site, Kind::allocation, "new.main.store-17")->uid;
    write_allocation("new.main.store-17", "till.4"); // made anew, since what is forgotten is
    world.heal();
    world.pass(40s);
    EXPECT_EQ(spec_at(core, "web.main.store-17").revision(), "till.3");
    EXPECT_EQ(at(core, Kind::allocation, "web.main.store-17")->generation, 5u) << "the site knew generation 4";
    EXPECT_FALSE(has(core, Kind::allocation, "old.main.store-17"));
    EXPECT_FALSE(has(site, Kind::allocation, "old.main.store-17"));
    EXPECT_EQ(spec_at(site, "new.main.store-17").revision(), "till.4");
    EXPECT_EQ(at(site, Kind::allocation, "new.main.store-17")->uid, uid) << "nothing that hangs on it restarts";
    for (const char* name : {"web.main.store-17", "new.main.store-17"}) EXPECT_TRUE(same_at_both(Kind::allocation, name)) << name;
    world.pass(60s);
    EXPECT_EQ(child().orphans, 0u);
    EXPECT_EQ(child().trouble, "");
}

/// A frame's items, their seals and the cursor are one transaction of the site, which has a bound (rule S4).
TEST_F(RecoveryTest, ManySmallObjectsAndTheirSealsFitIntoFrames) {
    begin();
    world.cut();
    for (int n = 0; n < 400; ++n) write_allocation("a" + std::to_string(n), "r");
    world.heal();
    world.pass(40s);
    EXPECT_TRUE(in_touch());
    for (int n = 0; n < 400; ++n) ASSERT_TRUE(same_at_both(Kind::allocation, "a" + std::to_string(n))) << n;
    EXPECT_GE(site.store->notes("sealed").size(), 400u);
    for (int n = 0; n < 400; ++n) erase(core, {Kind::allocation, "default", "a" + std::to_string(n)});
    world.pass(5s);
    EXPECT_TRUE(in_touch());
    EXPECT_FALSE(has(site, Kind::allocation, "a399"));
    EXPECT_LT(site.store->notes("sealed").size(), 10u) << "a seal goes with what it is of";
}

TEST_F(RecoveryTest, ASiteGivesBackNothingButWhatItWasSent) {
    begin();
    auto backup = backup_of(core);
    write_revision("till.2");
    write_allocation("web.main.store-17", "till.2");
    world.pass(3s);
    // The site is in wrong hands: it changes what it holds of the core's, and invents what it never was sent.
    site.crash();
    {
        auto opened = store::Store::open(site.env(), std::make_unique<store::MemoryBackend>(site.disk), {});
        ASSERT_TRUE(opened);
        store::Transaction forged;
        auto web = (*opened)->get({Kind::allocation, "default", "web.main.store-17"});
        model::Allocation changed = store::as<model::Allocation>(*web);
        changed.mutable_spec()->set_replicas(1'000);
        changed.mutable_metadata()->set_generation(web->generation + 1);
        forged.put(web->key, web->uid, web->home, web->generation + 1, changed.SerializeAsString(),
                   store::Transaction::anything(), web->wish.from);
        model::App app;
        Uid uid(Id{6, 6});
        app.mutable_metadata()->set_name("worm");
        app.mutable_metadata()->set_namespace_("default");
        app.mutable_metadata()->set_uid(uid.text());
        app.mutable_metadata()->set_home(web->home.text());
        app.mutable_metadata()->set_generation(1);
        forged.put({Kind::app, "default", "worm"}, uid, web->home, 1, app.SerializeAsString(), store::Transaction::absent(),
                   web->wish.from);
        // Not even with the seal of something else.
        forged.note("sealed", "App default/worm", *(*opened)->note("sealed", "Allocation default/web.main.store-17"));
        (*opened)->commit(std::move(forged), nullptr);
        ASSERT_TRUE((*opened)->flush());
    }
    boot_site();
    restore(core, backup);
    world.pass(100s);
    EXPECT_FALSE(has(core, Kind::app, "worm"));
    EXPECT_FALSE(has(core, Kind::allocation, "web.main.store-17"));
    EXPECT_TRUE(has(core, Kind::revision, "till.2")) << "that one it was sent";
    // They run on there, and people are told.
    EXPECT_TRUE(has(site, Kind::app, "worm"));
    EXPECT_TRUE(has(site, Kind::allocation, "web.main.store-17"));
    EXPECT_EQ(child().orphans, 3u) << "with the Revision that one of them runs by";
    EXPECT_THAT(child().left_there, Contains(HasSubstr("App default/worm (nothing proves")));
    // Also a restart forgets nothing of that.
    core.crash();
    boot_core();
    world.pass(10s);
    EXPECT_TRUE(has(site, Kind::allocation, "web.main.store-17"));
    EXPECT_FALSE(has(core, Kind::app, "worm"));
    model::Site decided;
    decided.mutable_metadata()->set_name("store-17");
    (*decided.mutable_metadata()->mutable_annotations())["skerry/orphans"] = "drop";
    write(core, Kind::site, decided);
    world.pass(30s);
    EXPECT_FALSE(has(site, Kind::app, "worm"));
    EXPECT_FALSE(has(site, Kind::allocation, "web.main.store-17"));
    EXPECT_TRUE(has(site, Kind::allocation, "till.pos.store-17"));
    EXPECT_EQ(child().orphans, 0u);
    EXPECT_THAT(child().left_there, testing::IsEmpty());
}

TEST_F(RecoveryTest, ARestoredSiteIsGivenBackWhatItDecided) {
    begin();
    model::App own;
    own.mutable_metadata()->set_name("kiosk");
    own.mutable_metadata()->set_namespace_("default");
    own.mutable_spec()->set_state("running");
    write(site, Kind::app, own);
    world.pass(3s);
    auto backup = backup_of(site);
    own.mutable_spec()->set_state("stopped");
    write(site, Kind::app, own);
    own.mutable_metadata()->set_name("radio");
    write(site, Kind::app, own);
    write_instance("till.pos.store-17.abcde");
    world.pass(3s);
    ASSERT_TRUE(has(core, Kind::instance, "till.pos.store-17.abcde"));
    Uid uid = at(core, Kind::instance, "till.pos.store-17.abcde")->uid;
    restore(site, backup);
    world.pass(10s);
    EXPECT_EQ(store::as<model::App>(*at(site, Kind::app, "kiosk")).spec().state(), "stopped");
    ASSERT_TRUE(has(site, Kind::app, "radio"));
    ASSERT_TRUE(has(site, Kind::instance, "till.pos.store-17.abcde"));
    EXPECT_EQ(at(site, Kind::instance, "till.pos.store-17.abcde")->uid, uid);
    for (const char* name : {"kiosk", "radio"}) EXPECT_TRUE(same_at_both(Kind::app, name)) << name;
    world.pass(60s);
    EXPECT_FALSE(site.cell->recovery().active());
    EXPECT_TRUE(same_at_both(Kind::instance, "till.pos.store-17.abcde"));
}

/// What it decides is no more than its Instances, which are soft: an opening that its backup lacks tells it.
TEST_F(RecoveryTest, ARestoredSiteWithoutAppsOfItsOwnLearnsIt) {
    begin();
    auto backup = backup_of(site);
    site.crash();
    boot_site();
    write_instance("till.pos.store-17.abcde");
    world.pass(3s);
    ASSERT_TRUE(has(core, Kind::instance, "till.pos.store-17.abcde"));
    EXPECT_FALSE(site.cell->recovery().active());
    Uid uid = at(core, Kind::instance, "till.pos.store-17.abcde")->uid;
    restore(site, backup);
    world.pass(10s);
    EXPECT_TRUE(site.cell->recovery().active());
    ASSERT_TRUE(has(site, Kind::instance, "till.pos.store-17.abcde"));
    EXPECT_EQ(at(site, Kind::instance, "till.pos.store-17.abcde")->uid, uid);
    world.pass(60s);
    EXPECT_FALSE(site.cell->recovery().active());
    EXPECT_TRUE(same_at_both(Kind::instance, "till.pos.store-17.abcde"));
}

TEST_F(RecoveryTest, WhileItRecoversLoopsWriteNothingAndNobodyIsGrantedALease) {
    begin();
    site.cell->leases().want("site", true);
    world.pass(10s);
    ASSERT_TRUE(site.cell->leases().own().runs(world.now));
    Duration length = site.cell->leases().own().length;
    auto backup = backup_of(core);
    write_allocation("web.main.store-17", "till.2");
    world.pass(3s);
    core.crash();
    core.disk = std::make_shared<store::MemoryDisk>(*backup);
    core.boot(slices_for_both(slices_for_sites(), slices_for_nodes()), nullptr,
              [](Cell& cell) { cell.recovery().add_planner("test"); });
    world.pass(2s);
    ASSERT_TRUE(core.cell->recovery().active());
    Writing writing(*core.cell, "test");
    EXPECT_FALSE(writing.begin());
    // A restart in the middle changes nothing of that, and waits for as long again.
    world.pass(20s);
    core.crash();
    core.boot(slices_for_both(slices_for_sites(), slices_for_nodes()), nullptr,
              [](Cell& cell) { cell.recovery().add_planner("test"); });
    Instant started = world.now;
    while (core.cell->recovery().active()) {
        ASSERT_LT(world.now, started + 10min);
        EXPECT_FALSE(Writing(*core.cell, "test").begin());
        world.pass(1s);
    }
    EXPECT_GE(world.now, started + length + sync::lease_margin(length)) << "what the forgotten past granted is over";
    EXPECT_FALSE(site.cell->leases().own().runs(world.now));
    EXPECT_THAT(site.cell->leases().own().trouble, HasSubstr("recovers"));
    // Not before the loops have seen what came back.
    world.pass(10s);
    EXPECT_FALSE(site.cell->leases().own().runs(world.now));
    EXPECT_TRUE(Writing(*core.cell, "test").begin());
    core.cell->recovery().planned("test");
    world.pass(10s);
    EXPECT_TRUE(site.cell->leases().own().runs(world.now));
}

/// Rules F4, H4: the backup is from before the first lease, so there is no note of any in it.
TEST_F(RecoveryTest, ALeaseThatTheBackupHasNoNoteOfIsWaitedOut) {
    begin();
    write_once();
    write_component("once");
    world.pass(3s);
    auto backup = backup_of(core);
    site.cell->leases().want("site", true);
    world.pass(5s);
    Duration length = site.cell->leases().own().length;
    ASSERT_GT(length, Duration{0});
    // Nobody tells that it is a backup. The site's daemon may be a copy of one that still runs.
    site.crash();
    boot_site();
    site.cell->leases().want("site", true);
    restore(core, backup);
    world.pass(length);
    EXPECT_FALSE(core.cell->recovery().active());
    EXPECT_FALSE(site.cell->leases().own().runs(world.now)) << site.cell->leases().own().trouble;
    world.pass(10s);
    EXPECT_TRUE(site.cell->leases().own().runs(world.now)) << site.cell->leases().own().trouble;
}

TEST_F(RecoveryTest, ItWaitsForWhatASiteOfTodayWouldGet) {
    begin();
    write_site("60s");
    write_once();
    world.cut();
    Instant started = world.now;
    core.cell->recovery().behind("its operator");
    while (core.cell->recovery().active()) {
        ASSERT_LT(world.now, started + 20min);
        world.pass(1s);
    }
    EXPECT_GE(world.now, started + 310s + sync::lease_margin(310s)) << "whoever holds one may be cut off";
}

/// Two peers of different age, or one at two times: it is the later one that counts, in whatever order they call.
TEST_F(RecoveryTest, WhatIsLaterAtALatePeerCountsAboveWhatCameBackBefore) {
    begin();
    auto backup = backup_of(core);
    write_allocation("web.main.store-17", "till.2");
    world.pass(3s);
    auto old = backup_of(site);
    write_allocation("web.main.store-17", "till.3");
    write_allocation("web.main.store-17", "till.4");
    world.pass(3s);
    auto late = backup_of(site);
    world.cut();
    restore(core, backup);
    restore(site, old);
    world.heal();
    world.pass(2min);
    ASSERT_FALSE(core.cell->recovery().active());
    ASSERT_EQ(spec_at(core, "web.main.store-17").revision(), "till.2");
    world.cut();
    restore(site, late);
    world.heal();
    world.pass(2min);
    EXPECT_EQ(spec_at(core, "web.main.store-17").revision(), "till.4");
    EXPECT_TRUE(same_at_both(Kind::allocation, "web.main.store-17"));
    // What people decide from here on is above that.
    world.cut();
    write_allocation("web.main.store-17", "till.5");
    restore(site, late);
    world.heal();
    world.pass(2min);
    EXPECT_EQ(spec_at(core, "web.main.store-17").revision(), "till.5");
    EXPECT_TRUE(same_at_both(Kind::allocation, "web.main.store-17"));
}

TEST_F(RecoveryTest, WhatMayHaveBeenDeletedSinceIsLeftWhereItIs) {
    begin();
    auto backup = backup_of(core);
    write_allocation("web.main.store-17", "till.1");
    world.pass(3s);
    world.cut();
    restore(core, backup);
    core.cell->recovery().behind("site/store-18");
    world.pass(60s);
    ASSERT_FALSE(core.cell->recovery().active());
    // More deletions than are remembered.
    for (int n = 0; n < 12'000; n += 100) {
        store::Transaction made, gone;
        for (int each = n; each < n + 100; ++each) {
            Key key{Kind::config, "default", "c" + std::to_string(each)};
            model::Config config;
            Uid uid(core.chance.id());
            config.mutable_metadata()->set_name(key.name);
            config.mutable_metadata()->set_namespace_("default");
            config.mutable_metadata()->set_uid(uid.text());
            config.mutable_metadata()->set_home(core.store->cell().text());
            config.mutable_metadata()->set_generation(1);
            made.put(key, uid, core.store->cell(), 1, config.SerializeAsString(), store::Transaction::absent());
            gone.erase(key, store::Transaction::anything());
        }
        core.store->commit(std::move(made), nullptr);
        world.settle();
        core.store->commit(std::move(gone), nullptr);
        world.settle();
    }
    ASSERT_FALSE(core.store->since(core.cell->recovery().since()));
    world.heal();
    world.pass(40s);
    EXPECT_FALSE(has(core, Kind::allocation, "web.main.store-17"));
    EXPECT_TRUE(has(site, Kind::allocation, "web.main.store-17"));
    EXPECT_EQ(child().orphans, 1u);
    EXPECT_THAT(child().left_there, Contains(HasSubstr("may have been deleted")));
}

TEST_F(RecoveryTest, WhoComesBackLaterFindsACellThatGoesOn) {
    begin();
    auto backup = backup_of(core);
    write_once();
    for (const char* app : {"once", "web"}) write_component(app);
    write_revision("web.1");
    world.pass(3s);
    world.cut();
    restore(core, backup);
    world.pass(10s);
    // Another peer would have told: here the test does.
    core.cell->recovery().behind("site/store-18");
    world.pass(60s);
    ASSERT_FALSE(core.cell->recovery().active());
    std::uint32_t term = core.cell->epochs().term();
    world.heal();
    world.pass(40s);
    EXPECT_FALSE(core.cell->recovery().active()) << "it shows the same loss";
    EXPECT_EQ(core.cell->epochs().term(), term);
    EXPECT_TRUE(same_at_both(Kind::allocation, "web.main.store-17"));
    // What may run only once has another owner by now.
    EXPECT_FALSE(has(core, Kind::allocation, "once.main.store-17"));
    EXPECT_FALSE(has(site, Kind::allocation, "once.main.store-17"));
    EXPECT_EQ(child().orphans, 0u);
}

} // namespace
} // namespace skerry::cell
