#include "fleet/one_cell_test.h"

/// What a site changes for itself, and what goes from a site that is away.
namespace skerry::fleet {
namespace {

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

TEST_F(OneCell, ALostOverrideChangesNothing) {
    push("pos", "1", "sha256:aa");
    apply(till());
    auto override_ = where_override("\"harbour\"");
    write(Kind::override_, override_);
    settle();
    ASSERT_EQ(machine.starts(), 2u);
    close();
    disk->damage({Kind::override_, "default", "where"});
    open();
    for (int i = 0; i < 60; ++i) world.pass(2s);
    EXPECT_EQ(machine.starts(), 2u);
    EXPECT_TRUE(instance()->spec().revision().starts_with("till.1.at.")) << instance()->spec().revision();
    EXPECT_NE(message("Available").find("default/where is damaged: apply that Override again"), std::string::npos)
        << message("Available");
    auto again = where_override("\"harbour\"");
    write(Kind::override_, again);
    settle();
    EXPECT_TRUE(store->missing().empty());
    EXPECT_EQ(machine.starts(), 2u) << "said again, it is what runs";
    EXPECT_EQ(reason("Available"), "Available") << message("Available");
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

} // namespace
} // namespace skerry::fleet
