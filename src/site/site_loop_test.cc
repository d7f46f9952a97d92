#include "cell/slices/slicer.h"
#include "cell/test_world.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/site.pb.h"
#include "site/site.h"

#include <gtest/gtest.h>

namespace skerry::site {
namespace {

using cell::Machine;
using model::Kind;
using Role = env::Peer::Role;

/// A site, and machines that have the name of one node of it, one after the other. A site of its own: it needs no lease.
struct SiteLoopTest : testing::Test {
    SiteLoopTest()
        : site(world, {Role::core, "here", {}}, {.version = "1"}, 1),
          node(world, {Role::node, "here.back", {}}, {.version = "1", .parents = {"site:1"}}, 2),
          other(world, {Role::node, "here.back", {}}, {.version = "1", .parents = {"site:1"}}, 3) {
        world.at["site:1"] = &site;
        site.boot(cell::slices_for_nodes(), nullptr, [](cell::Cell& cell) { add_loops(cell, {.name = "here", .version = "1"}); });
    }
    ~SiteLoopTest() override {
        other.crash();
        node.crash();
    }
    template<class M>
    void write(Kind kind, M message) {
        Uid uid(site.chance.id());
        auto& meta = *message.mutable_metadata();
        meta.set_uid(uid.text());
        meta.set_home(site.store->cell().text());
        meta.set_generation(1);
        store::Transaction transaction;
        transaction.put({kind, meta.namespace_(), meta.name()}, uid, site.store->cell(), 1, message.SerializeAsString(),
                        store::Transaction::absent());
        site.store->commit(std::move(transaction), nullptr);
        world.settle();
    }
    void boot(Machine& machine) {
        machine.boot(nullptr, cell::slice_of_node("here.back"));
        machine.cell->leases().want("node", true);
        world.pass(3s);
    }
    /// The node, linked and with a lease, and an Instance on it whose allocation is gone.
    void furnish(const std::string& state) {
        model::Node place;
        place.mutable_metadata()->set_name("here.back");
        place.mutable_spec()->set_site("here");
        write(Kind::node, place);
        boot(node);
        model::Instance ledger;
        ledger.mutable_metadata()->set_name(key.name);
        ledger.mutable_metadata()->set_namespace_(key.project);
        (*ledger.mutable_metadata()->mutable_labels())["skerry/partition"] = "atMostOnce";
        ledger.mutable_spec()->set_site("here");
        ledger.mutable_spec()->set_node("here.back");
        ledger.mutable_spec()->set_allocation("ledger.main");
        ledger.mutable_spec()->set_state(state);
        write(Kind::instance, ledger);
    }
    /// What its node loop would say: nothing runs.
    void say_stopped(Machine& machine) {
        auto object = machine.store->get(key);
        ASSERT_TRUE(object);
        model::Instance report;
        report.mutable_status()->set_phase("Stopped");
        report.mutable_status()->set_observed_generation(object->generation);
        ASSERT_TRUE(machine.store->report(key, object->uid, store::Part::found, report.SerializeAsString()));
        world.pass(3s);
    }
    bool is_there() const { return site.store->get(key) != nullptr; }

    cell::World world;
    Machine site, node, other;
    store::Key key{Kind::instance, "default", "ledger.main.x"};
};

/// Rules F1, F7 and H6.
TEST_F(SiteLoopTest, ANewMachineOfANodesNameDoesNotSpeakForWhatTheOldOneRunsUnderItsLease) {
    furnish("running");
    world.pass(3s);
    ASSERT_TRUE(is_there()) << "its allocation is gone, and it is told to stop";
    ASSERT_EQ(site.store->get<model::Instance>(key)->spec().state(), "stopped");
    auto view = site.cell->peers().child("here.back");
    ASSERT_TRUE(view && view->lease_over);

    node.crash(); // what it runs it runs on, to the end of its lease
    boot(other);
    say_stopped(other);
    Instant over = *site.cell->peers().child("here.back")->lease_over;
    ASSERT_GT(over, world.now);
    EXPECT_TRUE(is_there()) << "what it does not know it cannot have seen end";
    world.pass(over - world.now - 1s);
    EXPECT_TRUE(is_there());
    world.pass(10s);
    EXPECT_FALSE(is_there());
}

TEST_F(SiteLoopTest, WhoHoldsTheLeaseIsBelievedAtOnce) {
    furnish("stopped");
    world.pass(3s);
    ASSERT_TRUE(is_there());
    say_stopped(node);
    EXPECT_FALSE(is_there());
}

} // namespace
} // namespace skerry::site
