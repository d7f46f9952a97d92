#include "cell/handover.h"
#include "cell/links/seats.h"
#include "cell/slices/slicer.h"
#include "cell/test_world.h"
#include "cell/writing.h"
#include "fleet/fleet.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/revision.pb.h"
#include "model/secret.pb.h"
#include "model/site.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

/// A site that is decommissioned hands over what it decides (rule H6).
namespace skerry::fleet {
namespace {

using model::Kind;
using store::Key;
using testing::HasSubstr;
using Role = env::Peer::Role;

constexpr Kind handed_kinds[] = {Kind::app, Kind::allocation, Kind::revision, Kind::secret, Kind::config};

class Handover : public testing::Test {
protected:
    Handover()
        : core(world, {Role::core, "core", {}}, {.version = "1", .with_default_project = true}, 1),
          site(world, {Role::site, "store-1", {}}, {.version = "1", .parents = {"core:1"}}, 2) {
        world.at["core:1"] = &core;
        boot_core();
        for (const char* name : {"store-1", "store-2"}) make_site(name);
        boot_site();
        sit();
        world.pass(10s);
        model::Secret secret;
        secret.mutable_metadata()->set_name("key");
        secret.mutable_metadata()->set_namespace_("default");
        (*secret.mutable_data())["token"] = "one";
        write(site, Kind::secret, secret);
        model::Config config;
        config.mutable_metadata()->set_name("menu");
        config.mutable_metadata()->set_namespace_("default");
        (*config.mutable_data())["soup"] = "leek";
        write(site, Kind::config, config);
        model::App own = app("till");
        write(site, Kind::app, own);
        world.pass(30s);
        EXPECT_EQ(site.store->count(Kind::allocation), 1u);
        EXPECT_EQ(core.store->count(Kind::app), 1u);
        EXPECT_EQ(core.store->count(Kind::revision), 0u) << "they stay there (W1)";
    }
    void boot_core() {
        core.boot(cell::slices_for_both(cell::slices_for_sites(), cell::slices_for_nodes()), nullptr,
                  [](cell::Cell& cell) { add_loops(cell, {}); });
    }
    void boot_site() {
        // Its id is in its store, which is open by then.
        if (!self) {
            site.boot(cell::slices_for_nodes(), cell::slice_of_site("store-1"));
            self = site.store->cell();
            site.crash();
        }
        site.boot(cell::slices_for_nodes(), cell::slice_of_site("store-1", *self),
                  [](cell::Cell& cell) { add_loops(cell, {.own_site = "store-1", .caution = {}, .only_own_site = true}); });
    }
    void make_site(const std::string& name) {
        ensure_site(
            *core.cell,
            {.name = name, .labels = {{"tier", "store"}}, .values = {}, .parents = {}, .jurisdiction = {}, .profile = "lan"},
            [](auto) {});
        world.settle();
    }
    void sit() {
        store::Transaction transaction;
        cell::take_seat(transaction, Role::site, "store-1",
                        {.object = core.store->get(site_key)->uid, .cell = site.store->cell()});
        core.store->commit(std::move(transaction), nullptr);
        world.settle();
    }
    static model::App app(const std::string& name) {
        model::App app;
        app.mutable_metadata()->set_name(name);
        app.mutable_metadata()->set_namespace_("default");
        app.mutable_spec()->set_state("running");
        app.mutable_spec()->mutable_rollout()->set_max_unavailable("100%");
        auto& component = *app.mutable_spec()->add_components();
        component.set_name("pos");
        component.set_runtime("container");
        component.set_image("pos@sha256:" + std::string(64, 'a'));
        component.mutable_partition()->set_policy("keep");
        component.mutable_placement()->set_mode("each");
        component.mutable_placement()->set_replicas(1);
        for (const char* kind : {"secret", "config"}) {
            auto& variable = *component.add_env();
            variable.set_name(kind == std::string("secret") ? "TOKEN" : "SOUP");
            if (kind == std::string("secret"))
                variable.mutable_from()->set_secret("key");
            else
                variable.mutable_from()->set_config("menu");
            variable.mutable_from()->set_key(kind == std::string("secret") ? "token" : "soup");
        }
        return app;
    }
    void write(cell::Machine& at, Kind kind, google::protobuf::Message& message) {
        cell::Writing writing(*at.cell, "test");
        writing.begin();
        writing.create(kind, message);
        writing.end();
        world.settle();
    }
    template<class M, class Edit>
    void edit(cell::Machine& at, const Key& key, Edit change) {
        auto object = at.store->get(key);
        ASSERT_TRUE(object) << key.text();
        auto wish = cell::wish_of<M>(*object);
        change(wish);
        cell::Writing writing(*at.cell, "test");
        writing.begin();
        writing.update(*object, wish);
        writing.end();
        world.settle();
    }
    void decommission() {
        edit<model::Site>(core, site_key, [](model::Site& wish) {
            (*wish.mutable_metadata()->mutable_annotations())[std::string(model::decommission_annotation)] = "true";
        });
    }
    void erase(cell::Machine& at, const Key& key) {
        store::Transaction transaction;
        transaction.erase(key, store::Transaction::anything());
        at.store->commit(std::move(transaction), nullptr);
        world.settle();
    }
    std::string leaving_words() {
        const auto* wish = core.store->get<model::Site>(site_key);
        const auto* condition = wish ? model::find_condition(wish->status().conditions(), "Leaving") : nullptr;
        return condition ? condition->reason() + ": " + condition->message() : "";
    }
    /// All that there was is decided at the core, and the site has copies.
    void expect_all_over() {
        EXPECT_TRUE(cell::has_handed_over(*core.store, "store-1")) << leaving_words();
        std::map<Kind, std::size_t> counts{
            {Kind::app, 1}, {Kind::allocation, 1}, {Kind::revision, 1}, {Kind::secret, 2}, {Kind::config, 2}};
        for (Kind kind : handed_kinds) {
            EXPECT_EQ(core.store->count(kind), counts[kind]) << model::name(kind);
            for (const auto& object : core.store->list(kind)) {
                EXPECT_EQ(object->home, core.store->cell()) << object->key.text();
                EXPECT_FALSE(object->wish.from) << object->key.text();
                auto copy = site.store->get(object->key);
                ASSERT_TRUE(copy) << object->key.text();
                EXPECT_EQ(copy->uid, object->uid);
                EXPECT_EQ(copy->wish.from, core.store->cell()) << object->key.text();
                EXPECT_EQ(*copy->wish.bytes, *object->wish.bytes) << object->key.text();
            }
        }
    }
    std::optional<Error> ask(cell::Machine& at, std::function<void(cell::Admission&, cell::Answer)> act) {
        std::optional<Error> error;
        act(at.cell->admission(), [&](auto answer) {
            if (!answer) error = answer.error().error;
        });
        world.settle();
        return error;
    }
    static trust::Identity people() { return trust::Identity::user("operator", {std::string(trust::administrators)}); }

    Key site_key{Kind::site, "", "store-1"}, app_key{Kind::app, "default", "till"};
    std::optional<CellId> self;
    cell::World world;
    cell::Machine core, site;
};

TEST_F(Handover, AllThatASiteDecidesIsTheParentsAndNothingRestarts) {
    auto before = site.store->list(Kind::allocation).front();
    auto app_before = site.store->get(app_key);
    decommission();
    world.pass(20s);
    expect_all_over();
    auto after = site.store->list(Kind::allocation).front();
    EXPECT_EQ(after->uid, before->uid);
    EXPECT_EQ(after->key, before->key);
    EXPECT_EQ(store::as<model::Allocation>(*after).spec().SerializeAsString(),
              store::as<model::Allocation>(*before).spec().SerializeAsString());
    EXPECT_EQ(core.store->get(app_key)->generation, app_before->generation + 1);
    world.pass(2min);
    expect_all_over();
}

TEST_F(Handover, WhoeverDiesInBetweenTheRestFollows) {
    for (int each = 0; each < 2; ++each) {
        decommission();
        for (int n = 0; n < 8; ++n) {
            world.pass(n * 3ms);
            auto& dies = n % 2 == 0 ? core : site;
            dies.crash();
            n % 2 == 0 ? boot_core() : boot_site();
        }
        world.pass(1min);
        expect_all_over();
    }
}

TEST_F(Handover, TheSiteLetsGoOfNothingThatTheParentDoesNotHave) {
    std::vector<store::ObjectPtr> decided;
    for (Kind kind : handed_kinds)
        for (auto& object : site.store->list(kind))
            if (!object->wish.from) decided.push_back(std::move(object));
    ASSERT_EQ(decided.size(), 7u);
    auto wish = cell::wish_of<model::Site>(*core.store->get(site_key));
    (*wish.mutable_metadata()->mutable_annotations())[std::string(model::decommission_annotation)] = "true";
    cell::Writing writing(*core.cell, "test");
    writing.begin();
    writing.update(*core.store->get(site_key), wish);
    writing.end();
    std::size_t steps = 0;
    for (; !world.posted.empty(); ++steps) {
        auto call = std::move(world.posted.front());
        world.posted.pop_front();
        call();
        for (const auto& object : decided) {
            auto here = site.store->get(object->key), above = core.store->get(object->key);
            bool held = here && here->uid == object->uid && !here->wish.from;
            bool taken = above && above->uid == object->uid && !above->wish.from;
            ASSERT_TRUE(held || taken) << object->key.text() << " at step " << steps;
        }
    }
    EXPECT_GT(steps, 20u);
    world.pass(10s);
    expect_all_over();
}

TEST_F(Handover, FromTheStartOnNobodyDecidesSuchThingsThere) {
    decommission();
    world.pass(20s);
    auto refused = ask(site, [&](cell::Admission& gate, auto answer) {
        gate.create(people(), Kind::app, std::make_unique<model::App>(app("other")), {}, answer);
    });
    ASSERT_TRUE(refused);
    EXPECT_THAT(refused->message, HasSubstr("is being decommissioned"));
    refused = ask(core, [&](cell::Admission& gate, auto answer) {
        auto wish = std::make_unique<model::Site>(cell::wish_of<model::Site>(*core.store->get(site_key)));
        wish->mutable_metadata()->clear_annotations();
        gate.update(people(), Kind::site, std::move(wish), {}, answer);
    });
    ASSERT_TRUE(refused);
    EXPECT_THAT(refused->message, HasSubstr("cannot be taken back"));
}

TEST_F(Handover, WhatWasTheSitesOwnStartsNowhereElseBeforePeopleSaySo) {
    decommission();
    world.pass(20s);
    erase(core, site_key);
    world.pass(1min);
    EXPECT_EQ(core.store->count(Kind::allocation), 0u) << "the App is for each site that there is, but handed over for one only";
    const auto* found = core.store->get<model::App>(app_key);
    ASSERT_TRUE(found);
    std::string words;
    for (const auto& condition : found->status().conditions()) words += condition.message() + "\n";
    EXPECT_THAT(words, HasSubstr("skerry/only-site-"));
    edit<model::App>(core, app_key, [](model::App& wish) { wish.mutable_metadata()->clear_annotations(); });
    world.pass(1min);
    ASSERT_EQ(core.store->count(Kind::allocation), 1u);
    auto allocation = core.store->list(Kind::allocation).front();
    EXPECT_EQ(store::as<model::Allocation>(*allocation).spec().site(), "store-2");
    EXPECT_EQ(core.store->count(Kind::revision), 1u) << "the one that came with it";
    EXPECT_TRUE(core.store->get({Kind::secret, "default", "key"}));
}

TEST_F(Handover, ANameThatIsTakenWaitsForPeople) {
    model::Secret secret;
    secret.mutable_metadata()->set_name("key");
    secret.mutable_metadata()->set_namespace_("default");
    (*secret.mutable_data())["token"] = "the core's";
    write(core, Kind::secret, secret);
    decommission();
    world.pass(30s);
    EXPECT_FALSE(cell::has_handed_over(*core.store, "store-1"));
    EXPECT_THAT(leaving_words(), HasSubstr("key"));
    EXPECT_EQ(core.store->get<model::Secret>({Kind::secret, "default", "key"})->data().at("token"), "the core's");
    EXPECT_EQ(core.store->count(Kind::revision), 1u) << "nothing is made anew meanwhile";
    erase(core, {Kind::secret, "default", "key"});
    world.pass(30s);
    expect_all_over();
}

/// A site in wrong hands decides no more by it than it did.
TEST_F(Handover, ACapturedSiteHandsOverWhatIsItsOwnOnly) {
    world.cut(); // the core has copies, and nothing is handed over yet
    CellId cell = site.store->cell();
    auto problem = [&](Kind kind, const google::protobuf::Message& content) {
        const auto& meta = model::metadata(content);
        return cell::handover_problem(*core.store, "store-1", cell, {kind, meta.namespace_(), meta.name()}, content);
    };
    auto mine = cell::wish_of<model::App>(*core.store->get(app_key));
    (*mine.mutable_metadata()->mutable_annotations())[std::string(model::only_site_annotation)] = "store-1";
    EXPECT_THAT(problem(Kind::app, mine), HasSubstr("nobody asked it for"));
    decommission();
    EXPECT_EQ(problem(Kind::app, mine), "");
    mine.mutable_metadata()->clear_annotations();
    EXPECT_THAT(problem(Kind::app, mine), HasSubstr("not for the site alone"));

    auto ours = app("ours");
    write(core, Kind::app, ours);
    model::Revision revision = cell::wish_of<model::Revision>(*site.store->list(Kind::revision).front());
    EXPECT_EQ(problem(Kind::revision, revision), "");
    revision.mutable_spec()->set_app_uid(core.store->get({Kind::app, "default", "ours"})->uid.text());
    EXPECT_THAT(problem(Kind::revision, revision), HasSubstr("of no App of the site"));

    model::Secret secret;
    secret.mutable_metadata()->set_name("other");
    secret.mutable_metadata()->set_namespace_("default");
    (*secret.mutable_metadata()->mutable_annotations())[std::string(model::only_site_annotation)] = "store-1";
    EXPECT_THAT(problem(Kind::secret, secret), HasSubstr("reads it"));
    secret.mutable_metadata()->set_name("key");
    EXPECT_EQ(problem(Kind::secret, secret), "");
    // A copy that our next Revision would take for its own.
    model::Secret key;
    key.mutable_metadata()->set_name("key");
    key.mutable_metadata()->set_namespace_("default");
    write(core, Kind::secret, key);
    secret.mutable_metadata()->set_name("key.g2." + core.store->get({Kind::secret, "default", "key"})->uid.text().substr(0, 8));
    (*secret.mutable_metadata()->mutable_labels())["skerry/pinned"] = "true";
    EXPECT_THAT(problem(Kind::secret, secret), HasSubstr("taken for a copy"));

    model::Allocation allocation = cell::wish_of<model::Allocation>(*site.store->list(Kind::allocation).front());
    EXPECT_EQ(problem(Kind::allocation, allocation), "");
    allocation.mutable_spec()->set_site("store-2");
    EXPECT_THAT(problem(Kind::allocation, allocation), HasSubstr("another site"));
}

} // namespace
} // namespace skerry::fleet
