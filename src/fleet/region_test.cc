#include "cell/slices/slicer.h"
#include "cell/test_world.h"
#include "cell/writing.h"
#include "fleet/fleet.h"
#include "fleet/given.h"
#include "fleet/write_image_test.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/epoch.h"
#include "model/image.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/tier.h"

#include <gtest/gtest.h>

/// A core, a region and two sites of its own over real links (rule A3); the sites say at once that they run what they are told.
namespace skerry::fleet {
namespace {

using model::Kind;
using store::Key;

class Region : public testing::Test {
protected:
    static cell::Cell::Options below(const char* parent) { return {.version = "1", .parents = {parent}}; }
    Region()
        : core(world, {env::Peer::Role::core, "core", {}}, {.version = "1", .with_default_project = true}, 1),
          region(world, {env::Peer::Role::site, "emea", {}}, below("core:1"), 2),
          paris(world, {env::Peer::Role::site, "paris", {}}, below("emea:1"), 3),
          rome(world, {env::Peer::Role::site, "rome", {}}, below("emea:1"), 4) {
        world.at["core:1"] = &core;
        world.at["emea:1"] = &region;
        core.boot(cell::slices_for_sites(), nullptr, [](cell::Cell& cell) { add_loops(cell, {}); });
        give_in(core, "emea", {{"tier", "store"}}, true);
        boot_region();
        give_in(region, "paris", {}, false);
        give_in(region, "rome", {{"tier", "office"}}, false);
        for (auto* site : {&paris, &rome})
            site->boot(cell::slices_for_nodes(), cell::slice_of_site(site == &paris ? "paris" : "rome"));
        edit(core, [](cell::Writing& writing) { write_image(writing); });
        pass(10s);
    }
    void boot_region() {
        region.boot(cell::slices_for_sites(), cell::slice_of_region("emea"),
                    [](cell::Cell& cell) { add_loops(cell, {.region = "emea", .version = "1", .api = "emea:1"}); });
    }
    void give_in(cell::Machine& at, const char* name, std::map<std::string, std::string> labels, bool is_region) {
        ensure_site(*at.cell,
                    {.name = name,
                     .labels = std::move(labels),
                     .values = {},
                     .parents = {},
                     .jurisdiction = {},
                     .profile = "lan",
                     .region = is_region},
                    [](auto) {});
        world.settle();
    }
    void pass(Duration duration) {
        for (Duration gone{}; gone < duration; gone += 1s) {
            world.pass(1s);
            for (auto* site : {&paris, &rome})
                if (site->cell) obey(*site);
        }
    }
    void obey(cell::Machine& site) {
        for (const auto& object : site.store->list(Kind::allocation)) {
            const auto& spec = store::as<model::Allocation>(*object).spec();
            model::Allocation found;
            auto& status = *found.mutable_status();
            bool works = !broken.contains(spec.site()) && spec.revision() != broken_revision;
            status.set_observed_generation(object->generation);
            status.set_revision(spec.revision());
            status.set_replicas(spec.replicas());
            status.set_ready_replicas(works ? spec.replicas() : 0);
            status.set_updated_replicas(spec.replicas());
            *status.mutable_epoch() = spec.epoch();
            model::set_condition(*status.mutable_conditions(), "Available", works ? "True" : "False",
                                 works ? "Available" : "CrashLoop", works ? "" : "it ends at once", "2026-01-01T00:00:00Z");
            cell::report_part(*site.store, *object, store::Part::found, found);
        }
    }
    void edit(cell::Machine& at, const std::function<void(cell::Writing&)>& how) {
        cell::Writing writing(*at.cell, "test");
        writing.begin();
        how(writing);
        writing.end();
        world.settle();
    }
    void deploy(const std::string& mode, std::uint32_t replicas, const std::string& tier, const std::string& policy = "keep") {
        edit(core, [&](cell::Writing& writing) {
            model::App app;
            app.mutable_metadata()->set_name("till");
            app.mutable_metadata()->set_namespace_("default");
            app.mutable_spec()->set_state("running");
            app.mutable_spec()->mutable_rollout()->set_max_unavailable("1");
            auto& component = *app.mutable_spec()->add_components();
            component.set_name("pos");
            component.set_image("pos:1");
            component.mutable_partition()->set_policy(policy);
            component.mutable_placement()->set_mode(mode);
            component.mutable_placement()->set_replicas(replicas);
            if (!tier.empty()) (*component.mutable_placement()->mutable_sites()->mutable_match_labels())["tier"] = tier;
            writing.create(Kind::app, app);
        });
        pass(20s);
    }
    void change(std::function<void(model::App&)> how) {
        auto app = core.store->get({Kind::app, "default", "till"});
        edit(core, [&](cell::Writing& writing) {
            auto wish = cell::wish_of<model::App>(*app);
            how(wish);
            writing.update(*app, wish);
        });
    }
    static const model::Allocation* allocation(cell::Machine& at, const std::string& site) {
        return at.store->get<model::Allocation>({Kind::allocation, "default", "till.pos." + site});
    }
    const model::AppStatus& app(cell::Machine& at) { return at.store->get<model::App>({Kind::app, "default", "till"})->status(); }

    cell::World world;
    cell::Machine core, region, paris, rome;
    std::set<std::string> broken; ///< sites where nothing works
    std::string broken_revision;
};

TEST_F(Region, Each_goes_to_the_sites_that_match_and_what_they_say_comes_up_as_one) {
    deploy("each", 2, "store");
    ASSERT_TRUE(allocation(core, "emea"));
    EXPECT_EQ(allocation(core, "emea")->spec().replicas(), 2u) << "of each site";
    ASSERT_TRUE(allocation(region, "paris")) << "it has the label of its region";
    EXPECT_FALSE(allocation(region, "rome")) << "whose own label is another";
    EXPECT_EQ(allocation(region, "paris")->metadata().home(), region.store->cell().text());
    const auto& epoch = allocation(region, "paris")->spec().epoch();
    EXPECT_TRUE(model::compare(epoch.above(), allocation(core, "emea")->spec().epoch()) == 0) << model::text(epoch);
    ASSERT_TRUE(allocation(paris, "paris"));
    // Rule H1: what the core decided arrives as it left.
    for (Key key : {Key{Kind::app, "default", "till"}, Key{Kind::revision, "default", "till.1"}}) {
        auto above = core.store->get(key), here = paris.store->get(key);
        ASSERT_TRUE(above && here) << key.text();
        EXPECT_EQ(*above->wish.bytes, *here->wish.bytes);
        EXPECT_EQ(here->home, core.store->cell());
    }
    EXPECT_FALSE(allocation(core, "paris")) << "the core hears sums";
    EXPECT_EQ(app(core).ready_replicas(), 2u);
    EXPECT_TRUE(model::holds(app(core).conditions(), "Available"));
    EXPECT_TRUE(model::holds(app(region).conditions(), "Available")) << "the region shows the App as it is there";
    // A site more that matches.
    edit(region, [&](cell::Writing& writing) {
        auto object = region.store->get({Kind::site, "", "rome"});
        auto wish = cell::wish_of<model::Site>(*object);
        wish.mutable_metadata()->mutable_labels()->clear();
        writing.update(*object, wish);
    });
    pass(20s);
    EXPECT_EQ(app(core).ready_replicas(), 4u);
    EXPECT_TRUE(model::holds(app(core).conditions(), "Available"));
    // One of two does not work: the sum is more than was given, and it is not whole all the same.
    broken = {"rome"};
    pass(20s);
    EXPECT_EQ(app(core).ready_replicas(), 2u);
    EXPECT_FALSE(model::holds(app(core).conditions(), "Available"));
    const auto* why = model::find_condition(app(core).conditions(), "Available");
    ASSERT_TRUE(why);
    EXPECT_NE(why->message().find("emea: rome: it ends at once"), std::string::npos) << why->message();
}

TEST_F(Region, Spread_is_divided_and_taken_away_again) {
    deploy("spread", 3, "");
    ASSERT_TRUE(allocation(region, "paris") && allocation(region, "rome"));
    EXPECT_EQ(allocation(region, "paris")->spec().replicas() + allocation(region, "rome")->spec().replicas(), 3u);
    EXPECT_EQ(app(core).ready_replicas(), 3u);
    edit(core, [&](cell::Writing& writing) { writing.erase(*core.store->get({Kind::app, "default", "till"})); });
    pass(30s);
    for (auto* at : {&core, &region, &paris, &rome}) {
        EXPECT_EQ(at->store->count(Kind::allocation), 0u);
        EXPECT_EQ(at->store->count(Kind::app), 0u);
    }
}

TEST_F(Region, An_update_goes_wave_by_wave_within_it_and_is_answered_when_all_have_it) {
    deploy("spread", 2, "");
    broken_revision = "till.2";
    change([](model::App& app) { app.mutable_spec()->mutable_components(0)->add_args("-v"); });
    pass(20s);
    auto has = [&](const std::string& site) { return allocation(region, site)->spec().revision() == "till.2"; };
    EXPECT_NE(has("paris"), has("rome")) << "maxUnavailable is 1, and the first does not work";
    auto given = core.store->get({Kind::allocation, "default", "till.pos.emea"});
    EXPECT_LT(store::as<model::Allocation>(*given).status().observed_generation(), given->generation);
    broken_revision = {};
    pass(20s);
    EXPECT_TRUE(has("paris") && has("rome"));
    EXPECT_EQ(app(core).updated_sites(), 1u);
    EXPECT_TRUE(model::holds(app(core).conditions(), "Available"));
}

TEST_F(Region, It_is_a_site_with_the_sum_of_its_sites) {
    for (auto* site : {&paris, &rome}) {
        auto object = site->store->get({Kind::site, "", site == &paris ? "paris" : "rome"});
        ASSERT_TRUE(object);
        model::Site found;
        auto& status = *found.mutable_status();
        status.set_nodes(2);
        status.set_ready_nodes(1);
        status.mutable_capacity()->set_cpu("4");
        status.mutable_capacity()->set_memory("2Gi");
        status.mutable_free()->set_cpu("3");
        status.mutable_free()->set_memory("1Gi");
        cell::report_part(*site->store, *object, store::Part::found, found);
    }
    pass(10s);
    const auto* site = core.store->get<model::Site>({Kind::site, "", "emea"});
    ASSERT_TRUE(site);
    EXPECT_TRUE(model::is_region(*site));
    EXPECT_EQ(site->status().nodes(), 4u);
    EXPECT_EQ(site->status().ready_nodes(), 2u);
    EXPECT_EQ(site->status().capacity().cpu(), "8");
    EXPECT_EQ(site->status().free().memory(), "2Gi");
    EXPECT_TRUE(model::holds(site->status().conditions(), "Ready"));
    EXPECT_FALSE(core.store->get({Kind::site, "", "paris"})) << "its sites are its own";
    EXPECT_EQ(region.store->get<model::Site>({Kind::site, "", "emea"})->metadata().home(), core.store->cell().text());
}

/// Rules F4 and F5: the word that takes something away comes before the lease with which it could start again.
TEST_F(Region, No_lease_is_granted_below_before_what_was_given_is_passed_on) {
    deploy("spread", 1, "", "atMostOnce");
    auto& site = allocation(region, "paris") ? paris : rome;
    site.cell->leases().want("node", true);
    pass(10s);
    auto own = [&](cell::Machine& at) { return at.cell->leases().own(); };
    ASSERT_TRUE(own(site).runs(world.now)) << own(site).trouble;
    for (int n = 0; n < 100; ++n) {
        world.pass(100ms);
        ASSERT_LE(own(site).until, own(region).until) << "rule F5";
    }
    // A region that has just started may have missed what was taken away.
    region.crash();
    pass(2min);
    ASSERT_FALSE(own(site).runs(world.now));
    bool carried_out = true;
    change([](model::App& app) { app.mutable_spec()->mutable_components(0)->mutable_placement()->set_replicas(0); });
    pass(2min);
    boot_region();
    for (int n = 0; n < 1000; ++n) {
        world.pass(100ms);
        bool wanted = false;
        for (auto* at : {&paris, &rome})
            for (const auto& object : at->store->list(Kind::allocation))
                wanted = wanted || store::as<model::Allocation>(*object).spec().replicas() > 0;
        carried_out = carried_out && !(wanted && own(site).runs(world.now));
    }
    EXPECT_TRUE(carried_out) << "it held a lease with the wish of before";
    EXPECT_TRUE(own(site).runs(world.now)) << own(site).trouble;
}

TEST_F(Region, What_it_cannot_do_it_refuses) {
    deploy("each", 1, "");
    auto who = trust::Identity::user("admin", {std::string(trust::administrators)});
    std::string refusal;
    auto heard = [&](std::expected<cell::Admitted, cell::Refusal> answer) {
        refusal = answer ? "accepted" : answer.error().error.message;
    };
    auto edited = std::make_unique<model::App>(cell::wish_of<model::App>(*region.store->get({Kind::app, "default", "till"})));
    edited->mutable_spec()->mutable_components(0)->add_args("-v");
    region.cell->admission().update(who, Kind::app, std::move(edited), {}, heard);
    world.settle();
    EXPECT_NE(refusal.find("is decided at core core; edit it there"), std::string::npos) << refusal;
    auto made = std::make_unique<model::Override>();
    made->mutable_metadata()->set_name("o");
    made->mutable_metadata()->set_namespace_("default");
    made->mutable_spec()->set_site("emea");
    made->mutable_spec()->mutable_target()->set_kind("App");
    made->mutable_spec()->mutable_target()->set_name("till");
    made->mutable_spec()->set_path("components[name=pos].image");
    made->mutable_spec()->set_value("\"pos:2\"");
    core.cell->admission().create(who, Kind::override_, std::move(made), {}, heard);
    world.settle();
    EXPECT_NE(refusal.find("is a region; make the override at the API of one of its sites"), std::string::npos) << refusal;
    auto site = std::make_unique<model::Site>(cell::wish_of<model::Site>(*region.store->get({Kind::site, "", "paris"})));
    site->mutable_spec()->set_tier("region");
    region.cell->admission().update(who, Kind::site, std::move(site), {}, heard);
    world.settle();
    EXPECT_NE(refusal.find("spec.tier"), std::string::npos) << refusal;
    auto box = std::make_unique<model::Node>();
    box->mutable_metadata()->set_name("emea.box");
    box->mutable_spec()->set_site("emea");
    region.cell->admission().create(who, Kind::node, std::move(box), {}, heard);
    world.settle();
    EXPECT_NE(refusal.find("which has no nodes"), std::string::npos) << refusal;
    auto more = std::make_unique<model::Site>();
    more->mutable_metadata()->set_name("oslo");
    region.cell->admission().create(who, Kind::site, std::move(more), {}, heard);
    world.settle();
    EXPECT_EQ(refusal, "accepted") << "sites of a region are made at it";
}

} // namespace
} // namespace skerry::fleet
