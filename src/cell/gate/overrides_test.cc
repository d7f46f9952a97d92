#include "cell/gate/overrides.h"
#include "cell/test_world.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/hash.h"
#include "model/override.pb.h"
#include "model/revision.pb.h"
#include "model/site.pb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

/// Edits at a site of what the core decides (rules W1 to W5), through admission and links; the roles' loops are left out.
namespace skerry::cell {
namespace {

using model::Kind;
using store::Key;
using testing::HasSubstr;
using Role = env::Peer::Role;
using Outcome = std::expected<Admitted, Refusal>;

const trust::Identity people = trust::Identity::user("admin", {"system:masters"});
const Key till_key{Kind::app, "default", "till"};
constexpr const char* marker = "spec.components[name=main].env[name=STORE].value";

class OverridesTest : public testing::Test {
protected:
    OverridesTest()
        : core(world, {Role::core, "core", {}}, {.version = "1", .with_default_project = true}, 1),
          site(world, {Role::site, "store-17", {}}, {.version = "1", .parents = {"core:1"}}, 2) {
        world.at["core:1"] = &core;
        core.boot(slices_for_sites(), nullptr);
        boot_site();
        model::Site place;
        place.mutable_metadata()->set_name("store-17");
        place.mutable_spec()->add_uplinks()->set_name("wan");
        place.mutable_spec()->mutable_uplinks(0)->set_beat("1s");
        EXPECT_TRUE(write(core, Kind::site, place));
        EXPECT_TRUE(write(core, Kind::app, till("x")));
        allocate();
        world.pass(3s);
    }
    void boot_site() { site.boot(slices_for_nodes(), slice_of_site("store-17")); }

    static model::App till(const std::string& store) {
        model::App app;
        app.mutable_metadata()->set_name("till");
        app.mutable_metadata()->set_namespace_("default");
        auto& component = *app.mutable_spec()->add_components();
        component.set_name("main");
        component.set_image("pos:1");
        component.add_env()->set_name("STORE");
        component.mutable_env(0)->set_value(store);
        return app;
    }
    /// As the core's loops would: a Revision and an Allocation for the site.
    void allocate() {
        auto object = core.store->get(till_key);
        model::Revision revision;
        revision.mutable_metadata()->set_name("till.1");
        revision.mutable_metadata()->set_namespace_("default");
        revision.mutable_spec()->set_app("till");
        revision.mutable_spec()->set_app_uid(object->uid.text());
        revision.mutable_spec()->set_state("running");
        auto& closed = *revision.mutable_spec()->add_components();
        *closed.mutable_component() = store::as<model::App>(*object).spec().components(0);
        closed.set_image_digest("sha256:" + std::string(64, 'a'));
        closed.set_hash(model::component_hash(closed, revision.spec().pins()));
        model::Allocation allocation;
        allocation.mutable_metadata()->set_name("till.main.store-17");
        allocation.mutable_metadata()->set_namespace_("default");
        allocation.mutable_spec()->set_site("store-17");
        allocation.mutable_spec()->set_app("till");
        allocation.mutable_spec()->set_component("main");
        allocation.mutable_spec()->set_revision("till.1");
        put(core, Kind::revision, revision);
        put(core, Kind::allocation, allocation);
    }
    template<class M>
    void put(Machine& at, Kind kind, M message) {
        auto& meta = *message.mutable_metadata();
        Uid uid(at.chance.id());
        meta.set_uid(uid.text());
        meta.set_home(at.store->cell().text());
        meta.set_generation(1);
        store::Transaction transaction;
        transaction.put({kind, meta.namespace_(), meta.name()}, uid, at.store->cell(), 1, message.SerializeAsString(),
                        store::Transaction::absent());
        at.store->commit(std::move(transaction), [](auto result) { ASSERT_TRUE(result); });
        world.settle();
    }
    Outcome ask(const std::function<void(Answer)>& what) {
        std::optional<Outcome> answer;
        what([&](Outcome result) { answer = std::move(result); });
        world.settle();
        EXPECT_TRUE(answer);
        return answer ? std::move(*answer) : std::unexpected(Refusal{});
    }
    template<class M>
    Outcome write(Machine& at, Kind kind, const M& message, WriteOptions options = {}) {
        return ask([&](Answer answer) {
            auto copy = std::make_unique<M>(message);
            Key key{kind, message.metadata().namespace_(), message.metadata().name()};
            auto& admission = at.cell->admission();
            if (at.store->get(key))
                admission.update(people, kind, std::move(copy), options, std::move(answer));
            else
                admission.create(people, kind, std::move(copy), options, std::move(answer));
        });
    }
    /// The App as the API of a cell shows it.
    model::App shown(Machine& at) {
        auto object = as_shown(*at.store, at.cell->self().role == Role::site ? "store-17" : "", at.store->get(till_key));
        model::App app = object ? store::as<model::App>(*object) : model::App();
        if (object) app.mutable_metadata()->set_resource_version(std::to_string(object->number()));
        return app;
    }
    model::App edited(const std::string& store) {
        model::App app = shown(site);
        app.mutable_spec()->mutable_components(0)->mutable_env(0)->set_value(store);
        return app;
    }
    std::vector<store::ObjectPtr> overrides(Machine& at) { return at.store->list(Kind::override_); }
    static const model::OverrideSpec& spec(const store::ObjectPtr& object) { return store::as<model::Override>(*object).spec(); }
    static std::string why(const Outcome& outcome) { return outcome ? "" : outcome.error().error.message; }

    World world;
    Machine core, site;
};

TEST_F(OverridesTest, TheAppTravelsWithItsAllocation) {
    EXPECT_EQ(shown(site).spec().components(0).env(0).value(), "x");
    EXPECT_EQ(site.store->get(till_key)->home, core.store->cell());
}

TEST_F(OverridesTest, AnEditAtTheSiteBecomesAnOverrideAndSaysSo) { // rule W2
    world.cut();
    auto outcome = write(site, Kind::app, edited("here"));
    ASSERT_TRUE(outcome) << why(outcome);
    EXPECT_EQ(outcome->change, Admitted::Change::updated);
    ASSERT_EQ(outcome->warnings.size(), 1u);
    EXPECT_THAT(outcome->warnings[0], HasSubstr("this edit holds at site store-17 only"));
    ASSERT_EQ(overrides(site).size(), 1u);
    const auto& made = spec(overrides(site)[0]);
    EXPECT_EQ(made.path(), marker);
    EXPECT_EQ(made.base_value(), "\"x\"");
    EXPECT_EQ(made.value(), "\"here\"");
    EXPECT_EQ(made.author(), "admin");
    EXPECT_EQ(made.site(), "store-17");
    EXPECT_EQ(made.target().uid(), site.store->get(till_key)->uid.text());
    EXPECT_EQ(shown(site).spec().components(0).env(0).value(), "here");
    EXPECT_EQ(store::as<model::App>(*site.store->get(till_key)).spec().components(0).env(0).value(), "x")
        << "the copy is as it came";
    // The same again changes nothing; the core's value drops it.
    EXPECT_EQ(write(site, Kind::app, edited("here"))->change, Admitted::Change::unchanged);
    site.crash();
    boot_site();
    EXPECT_EQ(shown(site).spec().components(0).env(0).value(), "here") << "durable before it is acknowledged";
    world.heal();
    world.pass(40s);
    ASSERT_EQ(overrides(core).size(), 1u) << "shown at the core";
    EXPECT_EQ(shown(core).spec().components(0).env(0).value(), "x");
    ASSERT_TRUE(write(site, Kind::app, edited("x")));
    EXPECT_TRUE(overrides(site).empty());
    world.pass(5s);
    EXPECT_TRUE(overrides(core).empty());
}

TEST_F(OverridesTest, ADryRunChangesNothing) {
    auto outcome = write(site, Kind::app, edited("here"), {.dry_run = true});
    ASSERT_TRUE(outcome);
    EXPECT_EQ(store::as<model::App>(*outcome->object).spec().components(0).env(0).value(), "here");
    EXPECT_TRUE(overrides(site).empty());
}

TEST_F(OverridesTest, WhatIsNotTheSitesToDecideIsRefused) { // rule W4
    model::App app = edited("here");
    app.mutable_spec()->mutable_components(0)->mutable_placement()->set_replicas(5);
    auto outcome = write(site, Kind::app, app);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().error.code, Code::forbidden);
    EXPECT_THAT(why(outcome), HasSubstr("placement.replicas"));
    app = shown(site);
    app.mutable_spec()->mutable_components(0)->mutable_resources()->set_cpu("half");
    EXPECT_THAT(why(write(site, Kind::app, app)), HasSubstr("half")) << "validated as any write";
    app = shown(site);
    app.mutable_spec()->mutable_components(0)->set_image("pos:unknown");
    EXPECT_THAT(why(write(site, Kind::app, app)), HasSubstr("has no copy here"));
    EXPECT_TRUE(overrides(site).empty()) << "nothing changes on a refusal";
}

TEST_F(OverridesTest, TwoWhoEditTheSameAreNotMixed) {
    model::App first = edited("one"), second = edited("two");
    ASSERT_TRUE(write(site, Kind::app, first));
    auto outcome = write(site, Kind::app, second);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().error.code, Code::conflict);
    EXPECT_TRUE(write(site, Kind::app, edited("two"))) << "read again, it goes";
    EXPECT_EQ(overrides(site).size(), 1u);
}

model::Override decision(const store::ObjectPtr& theirs, const std::string& by) {
    model::Override made;
    made.mutable_metadata()->set_name(theirs->key.name + "." + by);
    made.mutable_metadata()->set_namespace_("default");
    *made.mutable_spec() = store::as<model::Override>(*theirs).spec();
    made.mutable_spec()->mutable_settles()->set_uid(theirs->uid.text());
    made.mutable_spec()->mutable_settles()->set_generation(theirs->generation);
    made.mutable_spec()->mutable_settles()->set_by(by);
    return made;
}

TEST_F(OverridesTest, WhatTheCoreAdoptsHoldsAtTheSiteBeneathItsOwn) { // rule W5
    ASSERT_TRUE(write(site, Kind::app, edited("here")));
    world.pass(5s);
    ASSERT_EQ(overrides(core).size(), 1u);
    auto outcome = write(core, Kind::override_, decision(overrides(core)[0], "adopt"));
    ASSERT_TRUE(outcome) << why(outcome);
    EXPECT_FALSE(write(site, Kind::override_, decision(overrides(site)[0], "drop"))) << "the core decides, not the site";
    world.pass(5s);
    ASSERT_EQ(overrides(site).size(), 2u);
    auto set = overrides_of(*site.store, "store-17", "default", "till", site.store->get(till_key)->uid.text());
    ASSERT_EQ(set.adopted.size(), 1u);
    ASSERT_EQ(set.own.size(), 1u);
    SiteApp app = app_at_site(*site.store->get(till_key), set);
    EXPECT_EQ(app.beneath.spec().components(0).env(0).value(), "here");
    // An adopted one is not the site's to change; an edit makes one of its own over it.
    EXPECT_FALSE(
        ask([&](Answer answer) { site.cell->admission().remove(people, set.adopted[0]->key, {}, {}, std::move(answer)); }));
}

TEST_F(OverridesTest, OverridesOfTheirOwnAreCompletedAndChecked) {
    model::Override made;
    made.mutable_metadata()->set_name("mine");
    made.mutable_metadata()->set_namespace_("default");
    made.mutable_spec()->mutable_target()->set_kind("App");
    made.mutable_spec()->mutable_target()->set_name("till");
    made.mutable_spec()->set_path(marker);
    made.mutable_spec()->set_value("\"here\"");
    model::Override wrong = made;
    wrong.mutable_spec()->set_path("spec.components[name=web].image");
    EXPECT_THAT(why(write(site, Kind::override_, wrong)), HasSubstr("leads nowhere"));
    wrong = made;
    wrong.mutable_spec()->set_path("spec.rollout.maxUnavailable");
    EXPECT_THAT(why(write(site, Kind::override_, wrong)), HasSubstr("home decides it"));
    wrong = made;
    wrong.mutable_spec()->set_value("here");
    EXPECT_THAT(why(write(site, Kind::override_, wrong)), HasSubstr("is not JSON"));
    wrong = made;
    wrong.mutable_spec()->set_value("\"x\"");
    EXPECT_THAT(why(write(site, Kind::override_, wrong)), HasSubstr("says already"));
    wrong = made;
    wrong.mutable_spec()->mutable_target()->set_name("nobody");
    EXPECT_THAT(why(write(site, Kind::override_, wrong)), HasSubstr("does not exist here"));
    EXPECT_THAT(why(write(core, Kind::override_, made)), HasSubstr("no site"));
    auto outcome = write(site, Kind::override_, made);
    ASSERT_TRUE(outcome) << why(outcome);
    EXPECT_EQ(spec(overrides(site)[0]).base_value(), "\"x\"");
    EXPECT_EQ(spec(overrides(site)[0]).site(), "store-17");
    made.mutable_metadata()->set_name("another");
    EXPECT_THAT(why(write(site, Kind::override_, made)), HasSubstr("decides"));
    EXPECT_EQ(shown(site).spec().components(0).env(0).value(), "here");
}

TEST_F(OverridesTest, AnAppOfTheSitesOwnIsEditedThereOnlyAndShownAtTheCore) { // rule W1
    world.cut();
    model::App own = till("own");
    own.mutable_metadata()->set_name("kiosk");
    ASSERT_TRUE(write(site, Kind::app, own));
    own.mutable_spec()->mutable_components(0)->mutable_env(0)->set_value("changed");
    auto outcome = write(site, Kind::app, own);
    ASSERT_TRUE(outcome) << why(outcome);
    EXPECT_EQ(outcome->object->generation, 2u) << "its own: no override";
    EXPECT_TRUE(overrides(site).empty());
    site.crash();
    boot_site();
    world.heal();
    world.pass(40s);
    Key key{Kind::app, "default", "kiosk"};
    auto copy = core.store->get(key);
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->home, site.store->cell());
    EXPECT_EQ(copy->generation, 2u);
    own.mutable_spec()->mutable_components(0)->mutable_env(0)->set_value("core");
    auto refused = write(core, Kind::app, own);
    ASSERT_FALSE(refused);
    EXPECT_THAT(why(refused), HasSubstr("decided at site store-17; edit it there"));
    ASSERT_TRUE(ask([&](Answer answer) { site.cell->admission().remove(people, key, {}, {}, std::move(answer)); }));
    world.pass(5s);
    EXPECT_FALSE(core.store->get(key));
}

TEST_F(OverridesTest, ASiteCannotPullWhatIsAnothersByNamingIt) { // rule A2
    model::Revision secret;
    secret.mutable_metadata()->set_name("vault.1");
    secret.mutable_metadata()->set_namespace_("default");
    put(core, Kind::revision, secret);
    model::Allocation greedy;
    greedy.mutable_metadata()->set_name("greedy");
    greedy.mutable_metadata()->set_namespace_("default");
    greedy.mutable_spec()->set_site("store-17");
    greedy.mutable_spec()->set_revision("vault.1");
    put(site, Kind::allocation, greedy);
    world.pass(5s);
    EXPECT_TRUE(core.store->get({Kind::allocation, "default", "greedy"})) << "shown at the core";
    EXPECT_FALSE(site.store->get({Kind::revision, "default", "vault.1"}));
}

TEST_F(OverridesTest, ASiteIsToldWhatItsParentDoesNotTakeIn) { // rule H5
    world.cut();
    model::App own = till("own");
    own.mutable_metadata()->set_name("both");
    Key key{Kind::app, "default", "both"};
    ASSERT_TRUE(write(site, Kind::app, own));
    ASSERT_TRUE(write(core, Kind::app, own));
    world.heal();
    world.pass(40s);
    EXPECT_EQ(core.store->get(key)->home, core.store->cell());
    EXPECT_THAT(site.cell->peers().parent()->names_taken_there, testing::ElementsAre("App default/both"));
    site.crash();
    boot_site();
    world.pass(40s);
    EXPECT_THAT(site.cell->peers().parent()->names_taken_there, testing::ElementsAre("App default/both")) << "told again";
    core.crash();
    core.boot(slices_for_sites(), nullptr);
    world.pass(60s);
    EXPECT_THAT(site.cell->peers().parent()->names_taken_there, testing::ElementsAre("App default/both")) << "found again";
    ASSERT_TRUE(ask([&](Answer answer) { core.cell->admission().remove(people, key, {}, {}, std::move(answer)); }));
    world.pass(20s);
    EXPECT_TRUE(site.cell->peers().parent()->names_taken_there.empty());
    ASSERT_TRUE(core.store->get(key)) << "it is shown there once the name is free";
    EXPECT_EQ(core.store->get(key)->home, site.store->cell());
}

TEST_F(OverridesTest, WhatWaitsForANameIsNamed) { // rule H5
    world.cut();
    model::App own = till("own");
    own.mutable_metadata()->set_name("both");
    ASSERT_TRUE(write(site, Kind::app, own));
    ASSERT_TRUE(write(core, Kind::app, own));
    model::Allocation allocation;
    allocation.mutable_metadata()->set_name("both.main.store-17");
    allocation.mutable_metadata()->set_namespace_("default");
    allocation.mutable_spec()->set_site("store-17");
    allocation.mutable_spec()->set_app("both");
    put(core, Kind::allocation, allocation);
    world.heal();
    world.pass(40s);
    EXPECT_THAT(site.cell->peers().parent()->names_taken, testing::ElementsAre("App default/both"));
    EXPECT_EQ(site.store->get({Kind::app, "default", "both"})->home, site.store->cell()) << "the local one keeps it";
    ASSERT_TRUE(ask([&](Answer answer) {
        site.cell->admission().remove(people, {Kind::app, "default", "both"}, {}, {}, std::move(answer));
    }));
    world.pass(10s);
    ASSERT_TRUE(site.store->get({Kind::app, "default", "both"})) << "it comes in by itself";
    EXPECT_EQ(site.store->get({Kind::app, "default", "both"})->home, core.store->cell());
    EXPECT_TRUE(site.cell->peers().parent()->names_taken.empty());
}

} // namespace
} // namespace skerry::cell
