#include "fleet/one_cell_test.h"
#include "base/test_seeds.h"
#include "fleet/revisions_loop.h"

/// The life of an app in one cell.
namespace skerry::fleet {
namespace {

TEST_F(OneCell, FromApplyToARunningProcess) {
    push("pos", "1", "sha256:aa");
    apply(till());
    ASSERT_TRUE(instance());
    EXPECT_EQ(instance()->status().phase(), "Running") << instance()->status().message();
    EXPECT_TRUE(instance()->status().ready());
    EXPECT_EQ(instance()->status().revision(), "till.1");
    EXPECT_EQ(instance()->spec().node(), "here");
    EXPECT_TRUE(instance()->metadata().name().starts_with("till.pos.here."));
    EXPECT_TRUE(store->get(Key{Kind::allocation, "default", "till.pos.here"}));
    EXPECT_EQ(reason("Available"), "Available") << message("Available");
    EXPECT_EQ(reason("Progressing"), "Complete") << message("Progressing");
    ASSERT_EQ(machine.processes().size(), 1u);
    EXPECT_EQ(machine.processes().begin()->second.spec.environment.at("WHERE"), "here 10.0.7.9");
    EXPECT_EQ(store->get<model::Site>(Key{Kind::site, "", "here"})->status().used_ports(0), 80u);
}

TEST_F(OneCell, AnIdleCellWritesNothing) {
    push("pos", "1", "sha256:aa");
    apply(till());
    for (int i = 0; i < 100; ++i) world.pass(2s);
    auto writes = disk->writes();
    auto number = store->cursor().number;
    for (int i = 0; i < 1800; ++i) world.pass(2s);
    EXPECT_EQ(disk->writes(), writes);
    EXPECT_EQ(store->cursor().number, number);
    EXPECT_EQ(machine.starts(), 1u);
}

TEST_F(OneCell, ACrashOfTheDaemonRestartsNothing) {
    push("pos", "1", "sha256:aa");
    apply(till());
    auto pid = instance()->status().pid();
    for (int i = 0; i < 3; ++i) crash();
    EXPECT_EQ(machine.starts(), 1u);
    EXPECT_EQ(instance()->status().pid(), pid);
    EXPECT_TRUE(instance()->status().ready());
    EXPECT_EQ(instance()->status().restarts(), 0u);
}

/// The daemon dies after each single step of an update: a callback, a job of a worker (a write, a start, a stop), a job's answer.
TEST_F(OneCell, ACrashAtAnyStepEndsInOneRunningInstanceOfTheWantedRevision) {
    push("pos", "1", "sha256:aa");
    apply(till());
    bool finished = false;
    int crash_after = 0;
    for (; !finished; ++crash_after) {
        ASSERT_LT(crash_after, 2000);
        auto starts = machine.starts();
        cell::Writing writing(*cell, "test");
        writing.begin();
        auto wish = cell::wish_of<model::App>(*store->get(till_key));
        wish.mutable_spec()->mutable_components(0)->clear_args();
        wish.mutable_spec()->mutable_components(0)->add_args(std::to_string(crash_after));
        writing.update(*store->get(till_key), wish);
        writing.end();
        int done = 0;
        for (int idle = 0; done < crash_after && idle < 30;) {
            if (step())
                ++done, idle = 0;
            else
                world.pass(100ms), ++idle;
        }
        finished = done < crash_after;
        crash();
        ASSERT_TRUE(instance()) << crash_after;
        const auto& app = *store->get<model::App>(till_key);
        EXPECT_EQ(machine.running().size(), 1u) << crash_after;
        EXPECT_TRUE(instance()->status().ready()) << crash_after << " " << instance()->status().message();
        EXPECT_EQ(instance()->status().revision(), app.status().revision()) << crash_after;
        // Whether the last edit was lost or not: what the app says is what runs.
        const auto& args = app.spec().components(0).args();
        EXPECT_EQ(machine.processes().begin()->second.spec.args, std::vector<std::string>(args.begin(), args.end()))
            << crash_after;
        EXPECT_LE(machine.starts(), starts + 1) << crash_after << ": one start for one update, however it was interrupted";
    }
    EXPECT_GT(crash_after, 40);
}

/// Rules H3, H4: our store went back, and a site knows more of our own history than we do.
TEST_F(OneCell, WhatASiteKnowsOfALaterPastIsOvertaken) {
    push("pos", "1", "sha256:aa");
    apply(till());
    Key key{Kind::allocation, "default", "till.pos.here"};
    ASSERT_EQ(cell->epochs().term(), 1u);
    auto before = store->get(key);
    auto report = cell::part_of<model::Allocation>(*before, store::Part::found);
    report.mutable_status()->set_observed_generation(50);
    report.mutable_status()->mutable_epoch()->set_term(3);
    report.mutable_status()->mutable_epoch()->set_count(7);
    cell::report_part(*store, *before, store::Part::found, report);
    settle();
    auto after = store->get(key);
    EXPECT_EQ(after->uid, before->uid);
    EXPECT_GE(after->generation, 51u);
    EXPECT_EQ(store::as<model::Allocation>(*after).spec().epoch().term(), 4u);
    EXPECT_EQ(cell->epochs().term(), 4u);
    auto generation = after->generation;
    for (int i = 0; i < 60; ++i) world.pass(2s);
    EXPECT_EQ(store->get(key)->generation, generation) << "once";
    EXPECT_EQ(machine.starts(), 1u);
    EXPECT_TRUE(instance()->status().ready());
    crash();
    EXPECT_EQ(cell->epochs().term(), 4u);
}

/// Rule S5: what the disk lost of any object that makes an instance run stops nothing, and is made good.
TEST_F(OneCell, ADamagedRowStopsNothing) {
    push("pos", "1", "sha256:aa");
    apply(till());
    Key allocation{Kind::allocation, "default", "till.pos.here"}, site{Kind::site, "", "here"};
    Key own{Kind::instance, "default", instance()->metadata().name()};
    auto uid_of = [&](const Key& key) { return store->get(key)->uid; };
    Uid app_uid = uid_of(till_key), allocation_uid = uid_of(allocation), instance_uid = uid_of(own);
    auto pid = instance()->status().pid();
    auto lose = [&](std::vector<Key> keys) {
        close();
        for (const Key& key : keys) disk->damage(key);
        open();
        for (int i = 0; i < 60; ++i) world.pass(2s);
        ASSERT_EQ(machine.starts(), 1u) << keys[0].text();
        ASSERT_EQ(machine.running().size(), 1u) << keys[0].text();
    };
    auto all_is_well = [&](const char* what) {
        EXPECT_TRUE(store->missing().empty()) << what;
        EXPECT_EQ(machine.starts(), 1u) << what;
        ASSERT_TRUE(instance()) << what;
        EXPECT_EQ(instance()->status().pid(), pid) << what;
        EXPECT_TRUE(instance()->status().ready()) << what;
        EXPECT_EQ(reason("Available"), "Available") << what << ": " << message("Available");
        EXPECT_EQ(store->count(Kind::allocation), 1u) << what;
    };
    for (const Key& key : {Key{Kind::revision, "default", "till.1"}, allocation, own, Key{Kind::node, "", "here"},
                           Key{Kind::project, "", "default"}}) {
        lose({key});
        all_is_well(key.text().c_str());
    }
    EXPECT_EQ(uid_of(allocation), allocation_uid);
    EXPECT_EQ(uid_of(own), instance_uid);

    lose({site}); // its labels are only in people's minds
    EXPECT_EQ(store->missing(), std::set{site});
    model::Site here;
    here.mutable_metadata()->set_name("here");
    (*here.mutable_metadata()->mutable_labels())["tier"] = "store";
    (*here.mutable_spec()->mutable_values())["printer"] = "10.0.7.9";
    write(Kind::site, here);
    for (int i = 0; i < 60; ++i) world.pass(2s);
    all_is_well("Site");

    lose({till_key});
    EXPECT_EQ(store->missing(), std::set{till_key});
    apply(till());
    all_is_well("App");
    EXPECT_EQ(uid_of(till_key), app_uid) << "applied again, it is the same app";

    std::vector all{till_key, Key{Kind::revision, "default", "till.1"}, allocation, own};
    lose(all);
    lose(all); // still so after another start
    apply(till());
    for (int i = 0; i < 60; ++i) world.pass(2s);
    all_is_well("everything");
    EXPECT_EQ(uid_of(own), instance_uid);
    change_till([](model::App& one) { one.mutable_spec()->mutable_components(0)->add_args("-v"); });
    EXPECT_EQ(machine.starts(), 2u) << "and follows wishes again";
}

TEST_F(OneCell, ARestartOfTheMachineStartsEverythingAgain) {
    push("pos", "1", "sha256:aa");
    apply(till());
    close();
    machine.reboot();
    open();
    settle();
    EXPECT_EQ(machine.running().size(), 1u);
    EXPECT_TRUE(instance()->status().ready()) << instance()->status().message();
}

TEST_F(OneCell, NothingWantedIsSilentlyNotRun) {
    auto app = till();
    apply(app);
    EXPECT_EQ(reason("Available"), "ImageMissing");
    EXPECT_NE(message("Available").find("skerry image push"), std::string::npos);
    push("pos", "1", "sha256:aa");
    EXPECT_EQ(reason("Available"), "Available") << "it retries when the image appears";
    change_till([](model::App& one) {
        (*one.mutable_spec()->mutable_components(0)->mutable_placement()->mutable_sites()->mutable_match_labels())["tier"] =
            "ship";
    });
    EXPECT_EQ(reason("Placed"), "NoMatchingSite");
    EXPECT_NE(message("Placed").find("tier=ship"), std::string::npos);
    EXPECT_TRUE(machine.running().empty());
    change_till([](model::App& one) {
        one.mutable_spec()->mutable_components(0)->mutable_placement()->clear_sites();
        one.mutable_spec()->mutable_components(0)->mutable_resources()->set_memory("2Gi");
    });
    EXPECT_EQ(reason("Placed"), "NoRoom") << message("Placed");
    EXPECT_EQ(reason("Progressing"), "NoRoom") << "what is nowhere is not complete";
}

TEST_F(OneCell, HoweverManyBecomePossibleAtOnce) {
    // More than one transaction holds writes or notes (rule S4); under the sanitizers fewer, which take a minute for all.
    const auto count = static_cast<std::size_t>(std::min(test::seeds(140), 140));
    auto name = [](std::size_t n) { return "app" + std::to_string(n); };
    cell::Writing making(*cell, "test");
    making.begin();
    for (std::size_t n = 0; n < count; ++n) {
        auto app = till();
        app.mutable_metadata()->set_name(name(n));
        app.mutable_spec()->mutable_components(0)->clear_ports();
        making.create(Kind::app, app);
    }
    making.end();
    settle();
    push("pos", "1", "sha256:aa");
    for (int n = 0; n < 20 && machine.running().size() < count; ++n) settle();
    EXPECT_EQ(machine.running().size(), count);
    cell::Writing going(*cell, "test");
    going.begin();
    for (std::size_t n = 0; n < count; ++n) going.erase(*store->get({Kind::app, "default", name(n)}));
    going.end();
    for (int n = 0; n < 20 && !store->notes("epoch.site").empty(); ++n) settle();
    EXPECT_EQ(machine.running().size(), 0u);
    EXPECT_TRUE(store->notes("epoch.site").empty());
}

TEST_F(OneCell, ConfigsThatNoAppReadsCostNoTurn) {
    push("pos", "1", "sha256:aa");
    auto app = till();
    auto& variable = *app.mutable_spec()->mutable_components(0)->add_env();
    variable.set_name("GREETING");
    variable.mutable_from()->set_config("read");
    variable.mutable_from()->set_key("greeting");
    apply(app);
    RevisionsLoop loop(*cell);
    auto made = [](const std::string& name) {
        auto object = std::make_shared<store::Object>();
        object->key = {Kind::config, "default", name};
        object->wish.number = 7;
        return store::Change{.key = object->key, .before = nullptr, .after = object, .number = 7};
    };
    EXPECT_TRUE(loop.wakes(made("other"))) << "nothing is known before the first turn";
    loop.turn();
    EXPECT_FALSE(loop.wakes(made("other")));
    EXPECT_TRUE(loop.wakes(made("read"))) << "it is missing, and waited for";
}

TEST_F(OneCell, ATakenPortIsTold) {
    push("pos", "1", "sha256:aa");
    machine.occupy_port(80);
    apply(till());
    ASSERT_TRUE(instance());
    EXPECT_EQ(instance()->status().reason(), "PortTaken");
    EXPECT_EQ(reason("Available"), "PortTaken") << message("Available");
    machine.occupy_port(80, false);
    for (int i = 0; i < 40; ++i) world.pass(2s);
    EXPECT_TRUE(instance()->status().ready()) << instance()->status().message();
}

TEST_F(OneCell, OnlyWhatMattersRestarts) {
    push("pos", "1", "sha256:aa");
    apply(till());
    change_till([](model::App& one) { (*one.mutable_metadata()->mutable_labels())["a"] = "b"; });
    EXPECT_EQ(store->count(Kind::revision), 1u) << "labels are not the spec";
    change_till([](model::App& one) { one.mutable_spec()->mutable_components(0)->set_stop_grace("3s"); });
    EXPECT_EQ(store->count(Kind::revision), 2u);
    EXPECT_EQ(machine.starts(), 1u) << "a new revision with the same effective hash";
    EXPECT_EQ(instance()->status().revision(), "till.3");
    push("pos", "1", "sha256:bb");
    EXPECT_EQ(machine.starts(), 1u) << "a moved tag alone";
    change_till([](model::App& one) { one.mutable_spec()->mutable_components(0)->add_args("-v"); });
    EXPECT_EQ(machine.starts(), 2u);
    EXPECT_EQ(machine.processes().begin()->second.spec.image, "sha256:bb");
    EXPECT_EQ(instance()->status().restarts(), 0u) << "an update is no restart";
}

TEST_F(OneCell, StoppedKeepsTheObjectsAndDeletedLeavesNothing) {
    push("pos", "1", "sha256:aa");
    apply(till());
    change_till([](model::App& one) { one.mutable_spec()->set_state("stopped"); });
    EXPECT_TRUE(machine.processes().empty());
    EXPECT_EQ(instance()->status().phase(), "Stopped");
    EXPECT_EQ(reason("Available"), "Stopped");
    crash();
    EXPECT_EQ(instance()->status().restarts(), 0u);
    change_till([](model::App& one) { one.mutable_spec()->set_state("running"); });
    EXPECT_EQ(machine.running().size(), 1u);
    erase(till_key);
    EXPECT_TRUE(machine.processes().empty());
    EXPECT_TRUE(machine.connections().empty());
    for (Kind kind : {Kind::revision, Kind::allocation, Kind::instance}) EXPECT_EQ(store->count(kind), 0u) << model::name(kind);
    EXPECT_TRUE(store->notes("handle").empty());
}

TEST_F(OneCell, AnImageThatWentWhileItWasStoppedIsFetchedAgain) {
    push("pos", "1", "sha256:aa");
    images->drop_unused = true;
    apply(till());
    change_till([](model::App& one) { one.mutable_spec()->set_state("stopped"); });
    EXPECT_FALSE(images->here.contains("sha256:aa"));
    change_till([](model::App& one) { one.mutable_spec()->set_state("running"); });
    EXPECT_EQ(machine.running().size(), 1u);
    EXPECT_TRUE(images->here.contains("sha256:aa"));
    EXPECT_EQ(images->fetched, 2u);
}

TEST_F(OneCell, SecretsArePinnedRotatedAndSwept) {
    push("pos", "1", "sha256:aa");
    model::Secret secret;
    secret.mutable_metadata()->set_name("key");
    secret.mutable_metadata()->set_namespace_("default");
    (*secret.mutable_data())["token"] = "one";
    write(Kind::secret, secret);
    auto app = till();
    auto& variable = *app.mutable_spec()->mutable_components(0)->add_env();
    variable.set_name("KEY");
    variable.mutable_from()->set_secret("key");
    variable.mutable_from()->set_key("token");
    apply(app);
    ASSERT_EQ(machine.processes().size(), 1u);
    EXPECT_EQ(machine.processes().begin()->second.spec.environment.at("KEY"), "one");
    EXPECT_EQ(store->count(Kind::secret), 2u);
    change<model::Secret>(Key{Kind::secret, "default", "key"},
                          [](model::Secret& one) { (*one.mutable_data())["token"] = "two"; });
    EXPECT_EQ(machine.processes().begin()->second.spec.environment.at("KEY"), "two");
    EXPECT_TRUE(store->get(Key{Kind::revision, "default", "till.1-2"}));
    erase(till_key);
    EXPECT_EQ(store->count(Kind::secret), 1u);
}

TEST_F(OneCell, WhatIsRevokedRunsOnAndIsStartedNowhere) {
    push("pos", "1", "sha256:aa");
    apply(till());
    Key revision{Kind::revision, "default", "till.1"};
    change<model::Revision>(revision,
                            [](model::Revision& one) { one.mutable_spec()->mutable_revoked()->set_reason("it loses receipts"); });
    EXPECT_EQ(machine.running().size(), 1u) << "an order not to start is no order to stop";
    EXPECT_TRUE(instance()->status().ready());
    EXPECT_EQ(reason("Progressing"), "Revoked") << message("Progressing");
    crash();
    EXPECT_EQ(machine.starts(), 1u);
    machine.exit(machine.running().at(0), 1);
    for (int i = 0; i < 60; ++i) world.pass(1s);
    EXPECT_EQ(machine.starts(), 1u);
    EXPECT_EQ(instance()->status().reason(), "Revoked");
    EXPECT_EQ(reason("Available"), "Revoked") << message("Available");
    close();
    machine.reboot();
    open();
    settle();
    EXPECT_TRUE(machine.running().empty()) << "also after a restart of the machine";
    change_till([](model::App& one) { one.mutable_spec()->mutable_components(0)->add_args("-v"); });
    EXPECT_EQ(machine.running().size(), 1u) << message("Progressing");
    EXPECT_EQ(reason("Available"), "Available");
}

TEST_F(OneCell, AHaltedRolloutGoesNowhereUntilItGoesOn) {
    push("pos", "1", "sha256:aa");
    apply(till());
    change_till([](model::App& one) {
        one.mutable_spec()->mutable_rollout()->set_halted(true);
        one.mutable_spec()->mutable_components(0)->add_args("-v");
    });
    EXPECT_EQ(machine.starts(), 1u);
    EXPECT_EQ(reason("Progressing"), "Halted") << message("Progressing");
    change_till([](model::App& one) { one.mutable_spec()->mutable_rollout()->clear_halted(); });
    EXPECT_EQ(machine.starts(), 2u);
    EXPECT_EQ(reason("Progressing"), "Complete") << message("Progressing");
}

TEST_F(OneCell, WhatExitsStartsAgainWithBackOff) {
    push("pos", "1", "sha256:aa");
    apply(till());
    for (int i = 0; i < 3; ++i) {
        machine.exit(machine.running().at(0), 3);
        for (int n = 0; n < 10; ++n) world.pass(1s);
    }
    EXPECT_EQ(machine.starts(), 4u);
    EXPECT_EQ(instance()->status().restarts(), 3u);
    machine.kill_out_of_memory(machine.running().at(0));
    world.pass(100ms);
    EXPECT_EQ(instance()->status().reason(), "OOMKilled");
    EXPECT_EQ(instance()->status().phase(), "BackOff");
}

TEST_F(OneCell, FailedHealthMakesItUnreadyThenRestartsIt) {
    push("pos", "1", "sha256:aa");
    auto app = till();
    auto& health = *app.mutable_spec()->mutable_components(0)->mutable_health();
    health.mutable_tcp()->set_port("http");
    health.set_period("5s");
    health.set_failures(3);
    apply(app);
    EXPECT_TRUE(instance()->status().ready());
    healthy = false;
    for (int i = 0; i < 6; ++i) world.pass(1s);
    EXPECT_FALSE(instance()->status().ready());
    EXPECT_EQ(reason("Available"), "Unhealthy");
    EXPECT_EQ(machine.starts(), 1u);
    for (int i = 0; i < 15; ++i) world.pass(1s);
    EXPECT_EQ(machine.starts(), 2u);
    healthy = true;
    for (int i = 0; i < 10; ++i) world.pass(1s);
    EXPECT_TRUE(instance()->status().ready());
    EXPECT_EQ(instance()->status().restarts(), 1u);
}

TEST_F(OneCell, AWishBeyondTheRuntimeIsRefusedWithTheRemedy) {
    push("pos", "1", "sha256:aa");
    driver->able.exec = false;
    auto app = till();
    app.mutable_spec()->mutable_components(0)->mutable_health()->mutable_exec()->add_command("/check");
    apply(app);
    ASSERT_TRUE(instance());
    EXPECT_EQ(instance()->status().reason(), "RuntimeUnable");
    EXPECT_TRUE(instance()->status().message().contains("http or tcp")) << instance()->status().message();
    EXPECT_EQ(machine.starts(), 0u);
    change_till([](model::App& one) {
        auto& health = *one.mutable_spec()->mutable_components(0)->mutable_health();
        health.clear_exec();
        health.mutable_tcp()->set_port("http");
    });
    EXPECT_EQ(machine.starts(), 1u);
}

TEST_F(OneCell, AnImageWhoseStartOrStopIsUnderWayIsKept) {
    push("pos", "1", "sha256:aa");
    apply(till());
    auto starts = [this] { return machine.starts(); };
    ASSERT_EQ(starts(), 1u);
    // At every step of the way down: as long as anything of it is on the machine, its image is among those kept.
    cell::Writing writing(*cell, "test");
    writing.begin();
    auto wish = cell::wish_of<model::App>(*store->get(till_key));
    wish.mutable_spec()->set_state("stopped");
    writing.update(*store->get(till_key), wish);
    writing.end();
    for (int i = 0; i < 300; ++i) {
        if (!step()) world.pass(100ms);
        ASSERT_TRUE(machine.running().empty() || images->kept.contains("sha256:aa")) << "at step " << i;
    }
    EXPECT_TRUE(machine.running().empty());
    EXPECT_TRUE(images->kept.empty());
}

TEST_F(OneCell, AMachineWithBadLuckConvergesAllTheSame) {
    env::SeededChance luck(11);
    machine.behaviour = {.chance = [&] { return luck.fraction(); },
                         .fail = 0.2,
                         .half = 0.2,
                         .stall = 0,
                         .forget = 0.3,
                         .usual = {},
                         .stalled = {},
                         .spend = {}};
    push("pos", "1", "sha256:aa");
    apply(till());
    for (int round = 0; round < 10; ++round) {
        change_till([&](model::App& one) {
            one.mutable_spec()->mutable_components(0)->clear_args();
            one.mutable_spec()->mutable_components(0)->add_args(std::to_string(round));
        });
        if (round % 3 == 0) crash();
    }
    machine.behaviour = {};
    for (int i = 0; i < 100; ++i) world.pass(2s);
    ASSERT_EQ(machine.running().size(), 1u);
    EXPECT_EQ(machine.processes().begin()->second.spec.args, std::vector<std::string>{"9"});
    EXPECT_TRUE(instance()->status().ready()) << instance()->status().message();
    EXPECT_EQ(machine.connections().size(), 1u);
}

} // namespace
} // namespace skerry::fleet
