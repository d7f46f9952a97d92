#include "cell/links/seats.h"
#include "cell/slices/slicer.h"
#include "cell/test_world.h"
#include "cell/writing.h"
#include "fleet/fleet.h"
#include "fleet/write_image_test.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/event.pb.h"
#include "model/image.pb.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/site.pb.h"

#include <gtest/gtest.h>

/// A machine that speaks for a site no more, and what it had reported.
namespace skerry::fleet {
namespace {

using model::Kind;
using store::Key;
using Role = env::Peer::Role;

class Leavers : public testing::Test {
protected:
    Leavers()
        : core(world, {Role::core, "core", {}}, {.version = "1", .with_default_project = true}, 1),
          site(world, {Role::site, "store-1", {}}, {.version = "1", .parents = {"core:1"}}, 2),
          other(world, {Role::site, "store-1", {}}, {.version = "1", .parents = {"core:1"}}, 3) {
        world.at["core:1"] = &core;
        boot_core();
        make_site();
        boot(site);
        sit(site);
        world.pass(10s);
        for (const char* name : {"till.main.store-1.a", "till.main.store-1.b"}) write_instance(site, name);
        write_node(site);
        site.cell->events().record({Kind::node, "", "store-1"}, {}, cell::Tone::normal, "Booted", "it booted");
        world.pass(10s);
        EXPECT_EQ(core.store->count(Kind::instance), 2u);
        EXPECT_EQ(core.store->count(Kind::node), 1u);
    }
    void boot_core() {
        core.boot(cell::slices_for_both(cell::slices_for_sites(), cell::slices_for_nodes()), nullptr,
                  [](cell::Cell& cell) { add_loops(cell, {}); });
    }
    void boot(cell::Machine& machine) { machine.boot(cell::slices_for_nodes(), cell::slice_of_site("store-1")); }
    void make_site() {
        ensure_site(
            *core.cell,
            {.name = "store-1", .labels = {{"tier", "store"}}, .values = {}, .parents = {}, .jurisdiction = {}, .profile = "lan"},
            [](auto) {});
        world.settle();
    }
    void sit(cell::Machine& machine) {
        store::Transaction transaction;
        cell::take_seat(transaction, Role::site, "store-1",
                        {.object = core.store->get(site_key)->uid, .cell = machine.store->cell()});
        core.store->commit(std::move(transaction), nullptr);
        world.settle();
        core.cell->dismiss(Role::site, "store-1", "it joined anew");
        core.cell->wake("leavers");
    }
    static void write_instance(cell::Machine& at, const std::string& name) {
        cell::Writing writing(*at.cell, "test");
        writing.begin();
        model::Instance instance;
        instance.mutable_metadata()->set_name(name);
        instance.mutable_metadata()->set_namespace_("default");
        instance.mutable_spec()->set_site("store-1");
        instance.mutable_spec()->set_node("store-1");
        writing.create(Kind::instance, instance);
        writing.end();
    }
    static void write_node(cell::Machine& at) {
        cell::Writing writing(*at.cell, "test");
        writing.begin();
        model::Node node;
        node.mutable_metadata()->set_name("store-1");
        node.mutable_spec()->set_site("store-1");
        writing.create(Kind::node, node);
        writing.end();
    }
    void erase(const Key& key) {
        store::Transaction transaction;
        transaction.erase(key, store::Transaction::anything());
        core.store->commit(std::move(transaction), nullptr);
        world.settle();
    }
    std::size_t left(cell::Machine& of) {
        std::size_t count = 0;
        for (Kind kind : {Kind::node, Kind::instance, Kind::allocation, Kind::event})
            for (const auto& object : core.store->list(kind)) count += object->wish.from == of.store->cell() ? 1 : 0;
        return count;
    }

    Key site_key{Kind::site, "", "store-1"};
    cell::World world;
    cell::Machine core, site, other;
};

TEST_F(Leavers, WhatADeletedSitesMachineReportedGoes_H6) {
    EXPECT_GE(left(site), 4u);
    erase(site_key);
    world.pass(5s);
    EXPECT_EQ(left(site), 0u);
    world.pass(5min);
    EXPECT_EQ(left(site), 0u) << "and does not come back";
    EXPECT_EQ(site.store->count(Kind::instance), 2u) << "there it runs on";
    EXPECT_EQ(cell::left_site(*core.store, site.store->cell()), "store-1");
    make_site();
    sit(site);
    EXPECT_FALSE(cell::left_site(*core.store, site.store->cell())) << "it joined anew";
    world.pass(60s);
    EXPECT_GE(left(site), 3u);
}

TEST_F(Leavers, AlsoWhenTheCoreDiedInBetween) {
    erase(site_key);
    core.crash();
    boot_core();
    world.pass(5s);
    EXPECT_EQ(left(site), 0u);
}

TEST_F(Leavers, WhatAReplacedMachineReportedMakesRoomForTheOneThatCame) {
    boot(other);
    write_node(other);
    world.pass(10s);
    EXPECT_GE(left(site), 4u) << "it has not joined";
    sit(other);
    world.pass(30s);
    EXPECT_EQ(left(site), 0u);
    auto node = core.store->get({Kind::node, "", "store-1"});
    ASSERT_TRUE(node);
    EXPECT_EQ(node->home, other.store->cell());
    auto found = core.store->get(site_key)->found.from;
    EXPECT_NE(found, site.store->cell());
}

/// The site holds a lease.
struct LeaversWithLease : Leavers {
    LeaversWithLease() {
        site.cell->leases().want("test", true);
        world.pass(20s);
        EXPECT_TRUE(site.cell->leases().own().runs(world.now));
        world.pass(100ms);
        until = site.cell->leases().own().until;
    }
    Instant until;
};

TEST_F(LeaversWithLease, NothingCountsAsGoneBeforeItsLeaseIsOver_F4) {
    erase(site_key);
    until = site.cell->leases().own().until;
    while (world.now + 1s < until) {
        world.pass(500ms);
        ASSERT_GE(left(site), 4u) << "its lease runs for " << text(until - world.now);
    }
    world.pass(30s);
    EXPECT_EQ(left(site), 0u);
}

TEST_F(LeaversWithLease, NorAfterARestartOfTheCore) {
    erase(site_key);
    until = site.cell->leases().own().until;
    core.crash();
    boot_core();
    while (world.now + 1s < until) {
        world.pass(500ms);
        ASSERT_GE(left(site), 4u);
    }
    world.pass(60s);
    EXPECT_EQ(left(site), 0u);
}

TEST_F(LeaversWithLease, ALeaseOfTheOneThatCameKeepsNothingOfTheOneThatWent) {
    boot(other);
    other.cell->leases().want("test", true);
    sit(other);
    world.pass(60s);
    EXPECT_TRUE(other.cell->leases().own().runs(world.now));
    EXPECT_EQ(left(site), 0u);
}

/// An App of policy atMostOnce that runs at the site, by its lease.
struct LeaversOnce : LeaversWithLease {
    LeaversOnce() {
        cell::Writing writing(*core.cell, "test");
        writing.begin();
        write_image(writing);
        model::App app;
        app.mutable_metadata()->set_name("ledger");
        app.mutable_metadata()->set_namespace_("default");
        app.mutable_spec()->set_state("running");
        auto& component = *app.mutable_spec()->add_components();
        component.set_name("pos");
        component.set_image("pos:1");
        component.mutable_partition()->set_policy("atMostOnce");
        component.mutable_placement()->set_mode("each");
        (*component.mutable_placement()->mutable_sites()->mutable_match_labels())["tier"] = "store";
        writing.create(Kind::app, app);
        writing.end();
        world.pass(20s);
        EXPECT_EQ(core.store->count(Kind::allocation), 1u);
        obey(site, 1);
        world.pass(20s);
    }
    void obey(cell::Machine& machine, std::uint32_t replicas) {
        for (const auto& object : machine.store->list(Kind::allocation)) {
            model::Allocation found;
            found.mutable_status()->set_observed_generation(object->generation);
            found.mutable_status()->set_replicas(replicas);
            cell::report_part(*machine.store, *object, store::Part::found, found);
        }
        world.settle();
    }
};

TEST_F(LeaversOnce, TheMachineThatCameCannotSayThatNothingOfThatRunsElsewhere_F4) {
    boot(other);
    sit(other);
    until = site.cell->leases().own().until;
    erase({Kind::app, "default", "ledger"});
    while (world.now + 1s < until) {
        world.pass(500ms);
        obey(other, 0);
        ASSERT_EQ(core.store->count(Kind::allocation), 1u) << "its lease runs for " << text(until - world.now);
    }
    for (int n = 0; n < 60; ++n) {
        world.pass(1s);
        obey(other, 0);
    }
    EXPECT_EQ(core.store->count(Kind::allocation), 0u);
}

} // namespace
} // namespace skerry::fleet
