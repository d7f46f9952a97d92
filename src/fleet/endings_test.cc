#include "fleet/one_cell_test.h"

/// How instances end, and what a lost network costs them.
namespace skerry::fleet {
namespace {

TEST_F(OneCell, ADeafInstanceHasItsGraceAlsoOnceItsAppIsGone) {
    push("pos", "1", "sha256:aa");
    auto app = till();
    app.mutable_spec()->mutable_components(0)->set_stop_grace("60s");
    apply(app);
    ASSERT_EQ(machine.running().size(), 1u);
    machine.behaviour.deaf = true;
    erase({Kind::app, "default", "till"});
    for (int i = 0; i < 50; ++i) world.pass(1s);
    EXPECT_EQ(machine.running().size(), 1u) << "killed before its grace was over";
    for (int i = 0; i < 15; ++i) world.pass(1s);
    EXPECT_TRUE(machine.processes().empty());
}

/// Told to stop, then the daemon dies; while nobody looks the app is wanted again. Whether it was asked to stop is not known.
class OneCellAsked : public OneCell {
protected:
    OneCellAsked() {
        push("pos", "1", "sha256:aa");
        auto app = till();
        app.mutable_spec()->mutable_components(0)->set_stop_grace("100s");
        apply(app);
        machine.behaviour.deaf = true;
        change_till([](model::App& one) { one.mutable_spec()->set_state("stopped"); });
        EXPECT_EQ(instance()->status().phase(), "Stopping");
        adopts = false;
        crash();
        change_till([](model::App& one) { one.mutable_spec()->set_state("running"); });
        driver->probe_answer = {};
        for (int i = 0; i < 61; ++i) world.pass(1s);
        EXPECT_EQ(machine.starts(), 1u);
        EXPECT_EQ(instance()->status().phase(), "Running");
        name = machine.running().at(0);
    }
    void end(int code) {
        machine.exit(name, code);
        for (int i = 0; i < 10; ++i) world.pass(1s);
        EXPECT_EQ(machine.running().size(), 1u);
        EXPECT_EQ(machine.starts(), 2u);
    }
    drivers::InstanceName name;
};

TEST_F(OneCellAsked, AnEndThatComesOfItIsNoRestart) {
    end(143);
    EXPECT_EQ(instance()->status().restarts(), 0u);
}

TEST_F(OneCellAsked, WhatEndsLongAfterWasNotAsked) {
    for (int i = 0; i < 120; ++i) world.pass(1s);
    EXPECT_EQ(machine.starts(), 1u) << "it runs on, as wanted";
    end(1);
    EXPECT_EQ(instance()->status().restarts(), 1u);
}

TEST_F(OneCell, ManyThatAreDeafHoldNobodyBack) {
    push("pos", "1", "sha256:aa");
    auto app = till();
    app.mutable_spec()->mutable_components(0)->clear_ports();
    app.mutable_spec()->mutable_components(0)->clear_health();
    app.mutable_spec()->mutable_components(0)->mutable_resources()->set_cpu("10m");
    app.mutable_spec()->mutable_components(0)->mutable_resources()->set_memory("1Mi");
    app.mutable_spec()->mutable_components(0)->set_stop_grace("60s");
    app.mutable_spec()->mutable_components(0)->mutable_placement()->set_replicas(12);
    apply(app);
    for (int i = 0; i < 5; ++i) world.pass(1s);
    ASSERT_EQ(machine.running().size(), 12u);
    machine.behaviour.deaf = true;
    erase({Kind::app, "default", "till"});
    app.mutable_metadata()->set_name("next");
    app.mutable_spec()->mutable_components(0)->mutable_placement()->set_replicas(3);
    apply(app);
    for (int i = 0; i < 5; ++i) world.pass(1s);
    EXPECT_EQ(machine.running().size(), 15u);
    for (int i = 0; i < 70; ++i) world.pass(1s);
    EXPECT_EQ(machine.processes().size(), 3u);
}

TEST_F(OneCell, OfPolicyAtMostOnceTheOldOneOfANameIsGoneFirst) {
    push("pos", "1", "sha256:aa");
    auto app = till();
    auto& component = *app.mutable_spec()->mutable_components(0);
    component.clear_ports();
    component.clear_health();
    component.mutable_partition()->set_policy("atMostOnce");
    component.set_stop_grace("60s");
    apply(app);
    ASSERT_EQ(machine.running().size(), 1u);
    auto old = machine.running().at(0);
    machine.behaviour.deaf = true;
    erase({Kind::app, "default", "till"});
    apply(app);
    for (int i = 0; i < 55; ++i) {
        ASSERT_EQ(machine.running(), std::vector{old}) << "two of one name (rule H1)";
        world.pass(1s);
    }
    for (int i = 0; i < 20; ++i) world.pass(1s);
    ASSERT_EQ(machine.running().size(), 1u);
    EXPECT_NE(machine.running().at(0), old);
}

TEST_F(OneCell, ANetworkThatOthersTookAwayComesBackWithAnEventAndNoRestart) {
    push("pos", "1", "sha256:aa");
    apply(till());
    auto repaired = [&] {
        return std::ranges::count_if(store->list(Kind::event), [](const auto& event) {
            return store::as<model::Event>(*event).spec().reason() == "NetworkRepaired";
        });
    };
    for (int i = 0; i < 30; ++i) world.pass(1s);
    EXPECT_EQ(repaired(), 0);
    network->lost = {"rules"};
    for (int i = 0; i < 30; ++i) world.pass(1s);
    EXPECT_EQ(repaired(), 1);
    EXPECT_TRUE(instance()->status().ready());
    EXPECT_EQ(machine.starts(), 1u);
}

TEST_F(OneCell, WhoIsOutOfReachForWantOfALinkIsNotRestarted) {
    push("pos", "1", "sha256:aa");
    auto app = till();
    auto& health = *app.mutable_spec()->mutable_components(0)->mutable_health();
    health.mutable_http()->set_port("http");
    health.set_period("1s");
    health.set_failures(1);
    apply(app);
    ASSERT_TRUE(instance()->status().ready());
    prober->outcome = [this](const std::string&, std::uint16_t) {
        return network->lost.empty() ? Result<void>() : fail(Code::unavailable, "no route to host");
    };
    network->lost = {"link"};
    for (int i = 0; i < 30; ++i) world.pass(1s);
    EXPECT_TRUE(instance()->status().ready());
    EXPECT_EQ(machine.starts(), 1u);
    // Where the network is not at fault, it is the instance.
    prober->outcome = [](const std::string&, std::uint16_t) { return fail(Code::unavailable, "503"); };
    for (int i = 0; i < 10; ++i) world.pass(1s);
    EXPECT_GT(machine.starts(), 1u);
}

} // namespace
} // namespace skerry::fleet
