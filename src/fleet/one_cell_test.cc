#include "cell/cell.h"
#include "cell/writing.h"
#include "drivers/fake/fake.h"
#include "fleet/fleet.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/event.pb.h"
#include "model/image.pb.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/overriding.h"
#include "model/revision.pb.h"
#include "model/secret.pb.h"
#include "model/site.pb.h"
#include "node/fakes.h"
#include "node/node.h"
#include "site/site.h"
#include "store/memory/memory_backend.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

/// `skerry up` without the outside: fleet, site and node in one real cell, over a memory store and a fake machine.
namespace skerry::fleet {
namespace {

using model::Kind;
using store::Key;

class OneCell : public testing::Test {
protected:
    OneCell() { open(); }
    ~OneCell() override { close(); }

    void open() {
        store = *store::Store::open(world.env(), std::make_unique<store::MemoryBackend>(disk), {});
        images = std::make_unique<node::FakeImages>(world);
        images->here = images_here;
        prober = std::make_unique<node::FakeProber>(world);
        prober->outcome = [this](const std::string&, std::uint16_t) {
            return healthy ? Result<void>() : fail(Code::unavailable, "503");
        };
        driver = std::make_unique<drivers::fake::FakeDriver>(machine);
        if (!adopts) driver->probe_answer = fail(Code::unsupported, "not now");
        network = std::make_unique<drivers::fake::FakeNetwork>(machine);
        cell::Cell::Options options{.self = {.role = env::Peer::Role::core, .name = "core", .cell = {}},
                                    .version = "test",
                                    .parents = {},
                                    .with_default_project = true};
        cell = cell::Cell::make(world.env(), *store, options, nullptr, nullptr);
        add_loops(*cell, {.own_site = "here"});
        site::add_loops(*cell, {.name = "here", .own_node = "here", .version = "test", .api = {}});
        node::add_loops(*cell, {.name = "here",
                                .machine = {.cpu = MilliCpu{2000},
                                            .memory = Bytes{1 << 30},
                                            .addresses = {"192.0.2.1"},
                                            .os = "linux",
                                            .kernel = "6",
                                            .architecture = "amd64"},
                                .drivers = {{"container", driver.get()}},
                                .network = network.get(),
                                .images = images.get(),
                                .prober = prober.get(),
                                .version = "test",
                                .post_from_any_thread = {},
                                .mend_period = 10s});
        cell->start();
        ensure_site(*cell,
                    {.name = "here",
                     .labels = {{"tier", "store"}},
                     .values = {{"printer", "10.0.7.9"}},
                     .parents = {},
                     .jurisdiction = {},
                     .profile = {}},
                    [](auto) {});
        settle();
    }
    /// The process dies.
    void close() {
        if (images) images_here = images->here;
        cell.reset();
        driver.reset();
        network.reset();
        images.reset();
        prober.reset();
        world.crash();
        store.reset();
    }
    void crash() {
        close();
        open();
    }
    void settle() {
        for (int i = 0; i < 30; ++i) world.pass(100ms);
    }

    /// The smallest thing that can happen; false if nothing can without time passing.
    bool step() {
        if (!world.posted.empty()) {
            auto call = std::move(world.posted.front());
            world.posted.pop_front();
            call();
            return true;
        }
        return world.run_job() || world.land_job();
    }

    void write(Kind kind, google::protobuf::Message& message) {
        cell::Writing writing(*cell, "test");
        writing.begin();
        writing.create(kind, message);
        writing.end();
        world.settle();
    }
    template<class M>
    void change(const Key& key, std::function<void(M&)> edit) {
        cell::Writing writing(*cell, "test");
        writing.begin();
        auto wish = cell::wish_of<M>(*store->get(key));
        edit(wish);
        writing.update(*store->get(key), wish);
        writing.end();
        settle();
    }
    void erase(const Key& key) {
        cell::Writing writing(*cell, "test");
        writing.begin();
        writing.erase(*store->get(key));
        writing.end();
        settle();
    }
    void push(const std::string& name, const std::string& tag, const std::string& digest) {
        Key key{Kind::image, "default", name};
        if (store->get(key))
            return change<model::Image>(key,
                                        [&](model::Image& image) { image.mutable_spec()->mutable_tags(0)->set_digest(digest); });
        model::Image image;
        image.mutable_metadata()->set_name(name);
        image.mutable_metadata()->set_namespace_("default");
        auto& line = *image.mutable_spec()->add_tags();
        line.set_name(tag);
        line.set_digest(digest);
        write(Kind::image, image);
        settle();
    }
    static model::App till() {
        model::App app;
        app.mutable_metadata()->set_name("till");
        app.mutable_metadata()->set_namespace_("default");
        app.mutable_spec()->set_state("running");
        auto& component = *app.mutable_spec()->add_components();
        component.set_name("pos");
        component.set_image("pos:1");
        auto& port = *component.add_ports();
        port.set_name("http");
        port.set_port(8080);
        port.set_publish(80);
        auto& variable = *component.add_env();
        variable.set_name("WHERE");
        variable.set_value("$(site.name) $(site.values.printer)");
        component.mutable_placement()->set_mode("each");
        (*component.mutable_placement()->mutable_sites()->mutable_match_labels())["tier"] = "store";
        return app;
    }
    void apply(model::App app) {
        write(Kind::app, app);
        settle();
    }
    Key till_key{Kind::app, "default", "till"};
    /// What the site `here` says instead of the App's WHERE.
    model::Override where_override(const std::string& value) {
        model::Override override_;
        override_.mutable_metadata()->set_name("where");
        override_.mutable_metadata()->set_namespace_("default");
        auto& spec = *override_.mutable_spec();
        spec.mutable_target()->set_kind("App");
        spec.mutable_target()->set_name("till");
        spec.mutable_target()->set_uid(store->get(till_key)->uid.text());
        spec.set_path("spec.components[name=pos].env[name=WHERE].value");
        spec.set_base_value("\"$(site.name) $(site.values.printer)\"");
        spec.set_value(value);
        spec.set_site("here");
        return override_;
    }
    void change_till(std::function<void(model::App&)> edit) { change<model::App>(till_key, std::move(edit)); }

    const model::Condition* condition(std::string_view type) {
        return model::find_condition(store->get<model::App>(till_key)->status().conditions(), type);
    }
    std::string reason(std::string_view type) { return condition(type) ? condition(type)->reason() : "none"; }
    std::string message(std::string_view type) { return condition(type) ? condition(type)->message() : "none"; }
    const model::Instance* instance() {
        auto list = store->list(Kind::instance);
        return list.size() == 1 ? &store::as<model::Instance>(*list[0]) : nullptr;
    }

    store::TestEnv world{7};
    std::shared_ptr<store::MemoryDisk> disk = std::make_shared<store::MemoryDisk>();
    drivers::fake::FakeMachine machine;
    bool healthy = true;
    bool adopts = true; ///< a node that is opened
    std::set<std::string> images_here;
    std::unique_ptr<store::Store> store;
    std::unique_ptr<node::FakeImages> images;
    std::unique_ptr<node::FakeProber> prober;
    std::unique_ptr<drivers::fake::FakeDriver> driver;
    std::unique_ptr<drivers::fake::FakeNetwork> network;
    std::unique_ptr<cell::Cell> cell;
};

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

/// Rules W2, W3 and A6: what runs is the revision with the site's overrides, and restarts only for what an override changes.
TEST_F(OneCell, AnOverrideHoldsAtItsSiteOverEveryRevision) {
    push("pos", "1", "sha256:aa");
    apply(till());
    auto environment = [&] { return machine.processes().begin()->second.spec.environment; };
    auto override_ = where_override("\"harbour\"");
    write(Kind::override_, override_);
    settle();
    EXPECT_EQ(environment().at("WHERE"), "harbour");
    EXPECT_EQ(machine.starts(), 2u);
    EXPECT_TRUE(instance()->spec().revision().starts_with("till.1.at.")) << instance()->spec().revision();
    const auto* allocation = store->get<model::Allocation>(Key{Kind::allocation, "default", "till.pos.here"});
    EXPECT_EQ(allocation->status().revision(), "till.1") << "told as what was asked for";
    EXPECT_EQ(reason("Available"), "Available") << message("Available");
    EXPECT_EQ(reason("Overridden"), "Overridden");
    Key key{Kind::override_, "default", "where"};
    auto holds = [&](std::string_view type) {
        return model::holds(store->get<model::Override>(key)->status().conditions(), type);
    };
    EXPECT_TRUE(holds("Applied"));
    crash();
    EXPECT_EQ(machine.starts(), 2u);

    // A new revision gets it, too; what it says otherwise at the same place is a conflict, and the override stands.
    change_till([](model::App& app) { app.mutable_spec()->mutable_components(0)->add_args("-v"); });
    EXPECT_EQ(environment().at("WHERE"), "harbour");
    EXPECT_TRUE(instance()->spec().revision().starts_with("till.2.at."));
    EXPECT_EQ(machine.starts(), 3u);
    EXPECT_FALSE(holds("Conflict"));
    change_till([](model::App& app) { app.mutable_spec()->mutable_components(0)->mutable_env(0)->set_value("third"); });
    EXPECT_EQ(environment().at("WHERE"), "harbour");
    EXPECT_EQ(machine.starts(), 3u) << "nothing that runs has changed";
    EXPECT_TRUE(holds("Conflict"));
    EXPECT_EQ(store->get<model::Override>(key)->status().home_value(), "\"third\"");
    change_till([](model::App& app) { app.mutable_spec()->mutable_components(0)->mutable_env(0)->set_name("ELSE"); });
    EXPECT_TRUE(holds("Detached"));
    change_till([](model::App& app) { app.mutable_spec()->mutable_components(0)->mutable_env(0)->set_name("WHERE"); });
    EXPECT_FALSE(holds("Detached"));

    // What would be no right App leaves what runs as it is.
    auto starts = machine.starts();
    change<model::Override>(key, [](model::Override& o) { o.mutable_spec()->set_value("\"$(nobody.knows)\""); });
    EXPECT_EQ(machine.starts(), starts);
    EXPECT_EQ(reason("Available"), "Available") << "it runs on";
    EXPECT_FALSE(holds("Applied"));

    erase(key);
    EXPECT_EQ(environment().at("WHERE"), "third");
    EXPECT_EQ(instance()->spec().revision(), store->get<model::App>(till_key)->status().revision());
    EXPECT_EQ(reason("Overridden"), "none");
    for (const auto& revision : store->list(Kind::revision))
        EXPECT_FALSE(model::is_effective(store::as<model::Revision>(*revision))) << revision->key.text();
}

/// Rule A1: what a site makes of a revision is revoked with it.
TEST_F(OneCell, WhatIsRevokedIsNotStartedWithOverridesEither) {
    push("pos", "1", "sha256:aa");
    apply(till());
    auto override_ = where_override("\"harbour\"");
    write(Kind::override_, override_);
    settle();
    ASSERT_EQ(machine.starts(), 2u);
    change<model::Revision>({Kind::revision, "default", "till.1"},
                            [](model::Revision& one) { one.mutable_spec()->mutable_revoked()->set_reason("it loses receipts"); });
    EXPECT_EQ(machine.running().size(), 1u) << "an order not to start is no order to stop";
    machine.exit(machine.running().at(0), 1);
    for (int i = 0; i < 60; ++i) world.pass(1s);
    EXPECT_EQ(machine.starts(), 2u);
    EXPECT_EQ(reason("Available"), "Revoked") << message("Available");
    change<model::Override>({Kind::override_, "default", "where"},
                            [](model::Override& one) { one.mutable_spec()->set_value("\"quay\""); });
    EXPECT_EQ(machine.starts(), 2u) << "another override makes it no better";
    EXPECT_EQ(reason("Available"), "Revoked") << message("Available");
    change_till([](model::App& one) { one.mutable_spec()->mutable_components(0)->add_args("-v"); });
    EXPECT_EQ(machine.starts(), 3u) << message("Progressing");
    EXPECT_EQ(reason("Available"), "Available");
}

/// Rule H7, about a site that nobody hears; its loops are elsewhere, so what they left here is written.
class SiteAway : public OneCell {
protected:
    void begin(const std::string& policy) {
        push("pos", "1", "sha256:aa");
        auto app = till();
        app.mutable_spec()->mutable_components(0)->mutable_partition()->set_policy(policy);
        apply(app);
        ensure_site(
            *cell, {.name = "far", .labels = {{"tier", "store"}}, .values = {}, .parents = {}, .jurisdiction = {}, .profile = {}},
            [](auto) {});
        model::Node node; // somebody has joined there
        node.mutable_metadata()->set_name("far-1");
        node.mutable_spec()->set_site("far");
        write(Kind::node, node);
        settle();
        if (at_far()) return;
        auto allocation = cell::wish_of<model::Allocation>(*store->get(Key{Kind::allocation, "default", "till.pos.here"}));
        allocation.mutable_metadata()->set_name("till.pos.far");
        allocation.mutable_spec()->set_site("far");
        write(Kind::allocation, allocation);
        settle();
    }
    void label(const std::string& tier) {
        change<model::Site>({Kind::site, "", "far"},
                            [&](model::Site& site) { (*site.mutable_metadata()->mutable_labels())["tier"] = tier; });
    }
    const model::Allocation* at_far() { return store->get<model::Allocation>(Key{Kind::allocation, "default", "till.pos.far"}); }
    bool is_removing() { return at_far() && model::holds(at_far()->status().conditions(), "Removing"); }
};

TEST_F(SiteAway, WhatGoesThereIsShownAsRemoving) {
    begin("keep");
    ASSERT_TRUE(at_far());
    EXPECT_FALSE(is_removing());
    std::string uid = at_far()->metadata().uid();
    label("depot");
    EXPECT_TRUE(is_removing());
    EXPECT_EQ(at_far()->spec().replicas(), 0u);
    label("store");
    ASSERT_TRUE(at_far());
    EXPECT_EQ(at_far()->metadata().uid(), uid) << "it never went, so nothing there restarts";
    EXPECT_EQ(at_far()->spec().replicas(), 1u);
    EXPECT_FALSE(is_removing());
    erase(till_key);
    EXPECT_FALSE(store->get(till_key)) << "deleting waits for nobody";
    EXPECT_TRUE(is_removing());
    crash();
    EXPECT_TRUE(is_removing());

    // Another App of that name: it does not take over what goes.
    apply(till());
    EXPECT_EQ(at_far()->metadata().uid(), uid);
    EXPECT_TRUE(is_removing());
    EXPECT_EQ(reason("Available"), "Available") << message("Available");
    erase({Kind::site, "", "far"});
    EXPECT_FALSE(at_far()) << "a site that is gone for good brings nothing back";
}

TEST_F(SiteAway, WhatCannotRunThereAnyMoreIsGone) {
    begin("atMostOnce");
    ASSERT_TRUE(at_far());
    erase(till_key);
    EXPECT_FALSE(at_far()) << "it holds no lease";
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
