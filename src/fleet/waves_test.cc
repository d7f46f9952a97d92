#include "cell/slices/slicer.h"
#include "cell/test_world.h"
#include "cell/writing.h"
#include "fleet/fleet.h"
#include "fleet/write_image_test.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/image.pb.h"
#include "model/site.pb.h"

#include <gtest/gtest.h>

/// Waves of a rollout over the links of two real sites, which say at once that they run what they are told.
namespace skerry::fleet {
namespace {

using model::Kind;
using store::Key;

class Waves : public testing::Test {
protected:
    static cell::Cell::Options child() { return {.version = "1", .parents = {"core:1"}}; }
    Waves() : core(world, {env::Peer::Role::core, "core", {}}, {.version = "1", .with_default_project = true}, 1) {
        world.at["core:1"] = &core;
        boot_core();
        for (const char* name : {"store-1", "store-2"}) {
            ensure_site(
                *core.cell,
                {.name = name, .labels = {{"tier", "store"}}, .values = {}, .parents = {}, .jurisdiction = {}, .profile = {}},
                [](auto) {});
            auto& site = sites.emplace_back(
                std::make_unique<cell::Machine>(world, env::Peer{env::Peer::Role::site, name, {}}, child(), 2 + sites.size()));
            site->boot(cell::slices_for_nodes(), cell::slice_of_site(name));
        }
        pass(10s);
    }
    void boot_core() {
        core.boot(cell::slices_for_both(cell::slices_for_sites(), cell::slices_for_nodes()), nullptr,
                  [](cell::Cell& cell) { add_loops(cell, {}); });
    }
    void pass(Duration duration) {
        for (Duration gone{}; gone < duration; gone += 1s) {
            world.pass(1s);
            for (auto& site : sites) obey(*site);
        }
    }
    /// The site's answer to its Allocations.
    void obey(cell::Machine& site) {
        for (const auto& object : site.store->list(Kind::allocation)) {
            if (store::as<model::Allocation>(*object).status().observed_generation() >= object->generation) continue;
            model::Allocation found;
            auto& status = *found.mutable_status();
            status.set_observed_generation(object->generation);
            status.set_replicas(1);
            status.set_ready_replicas(1);
            status.set_updated_replicas(1);
            cell::report_part(*site.store, *object, store::Part::found, found);
        }
    }
    void edit(const std::function<void(cell::Writing&)>& how) {
        cell::Writing writing(*core.cell, "test");
        writing.begin();
        how(writing);
        writing.end();
        world.settle();
    }
    std::size_t on(const std::string& revision) {
        std::size_t count = 0;
        for (const auto& object : core.store->list(Kind::allocation))
            count += store::as<model::Allocation>(*object).spec().revision() == revision;
        return count;
    }

    cell::World world;
    cell::Machine core;
    std::vector<std::unique_ptr<cell::Machine>> sites;
};

TEST_F(Waves, A_pause_between_them_outlives_a_restart_of_the_core) {
    edit([](cell::Writing& writing) {
        write_image(writing);
        model::App app;
        app.mutable_metadata()->set_name("till");
        app.mutable_metadata()->set_namespace_("default");
        app.mutable_spec()->set_state("running");
        app.mutable_spec()->mutable_rollout()->set_pause_between("10m");
        app.mutable_spec()->mutable_rollout()->set_max_unavailable("1");
        auto& component = *app.mutable_spec()->add_components();
        component.set_name("pos");
        component.set_image("pos:1");
        component.mutable_placement()->set_mode("each");
        (*component.mutable_placement()->mutable_sites()->mutable_match_labels())["tier"] = "store";
        writing.create(Kind::app, app);
    });
    pass(30s);
    ASSERT_EQ(on("till.1"), 2u);

    auto app = core.store->get({Kind::app, "default", "till"});
    edit([&](cell::Writing& writing) {
        auto wish = cell::wish_of<model::App>(*app);
        wish.mutable_spec()->mutable_components(0)->add_args("-v");
        writing.update(*app, wish);
    });
    pass(5min);
    ASSERT_EQ(on("till.2"), 1u);
    core.crash();
    boot_core();
    pass(9min);
    EXPECT_EQ(on("till.2"), 1u) << "the pause counts from the restart at the latest";
    pass(2min);
    EXPECT_EQ(on("till.2"), 2u);
}

} // namespace
} // namespace skerry::fleet
