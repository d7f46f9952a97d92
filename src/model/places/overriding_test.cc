#include "model/places/overriding.h"

#include "model/app.pb.h"
#include "model/example_test.h"
#include "model/hash.h"
#include "model/override.pb.h"
#include "model/revision.pb.h"

namespace skerry::model {
namespace {

using test::json;
using test::read;
using testing::HasSubstr;
using What = Standing::What;

App sold_till() {
    return read<App>(R"({"metadata":{"name":"till","namespace":"retail"},"spec":{"state":"running","components":[
        {"name":"pos","image":"retail/pos:4","env":[{"name":"STORE","value":"x"},{"name":"KEY","from":{"secret":"k","key":"t"}}],
         "placement":{"mode":"each"}}]}})");
}

Path at(std::string_view text) { return overridable(text).value(); }
const char* const store = "spec.components[name=pos].env[name=STORE].value";

TEST(Overridable, PlacementPartitionAndRolloutAreNot) { // rule W4
    for (const char* text : {"spec.components[name=pos].placement.replicas", "spec.components[name=pos].partition.policy",
                             "spec.rollout.maxUnavailable", "spec.components[name=pos]", "spec.components", "metadata.name",
                             "metadata.labels", "spec.components[name=pos].name", "status.replicas", "spec"}) {
        auto refused = overridable(text);
        ASSERT_FALSE(refused) << text;
        EXPECT_EQ(refused.error().code, Code::forbidden) << text;
    }
    EXPECT_THAT(overridable("spec.components[name=pos].placement").error().message, HasSubstr("App's home"));
    for (const char* text : {store, "spec.state", "metadata.labels[tier]", "spec.components[name=pos].image"})
        EXPECT_TRUE(overridable(text)) << text;
}

TEST(Standing, IsInConflictWhenTheHomeSaysAThirdThing) { // rule W3
    App home = sold_till();
    Patch patch{at(store), Json("here")};
    EXPECT_EQ(standing(home, patch, Json("x")).what, What::applied);
    home.mutable_spec()->mutable_components(0)->mutable_env(0)->set_value("third");
    EXPECT_EQ(standing(home, patch, Json("x")).what, What::conflict);
    EXPECT_EQ(standing(home, patch, Json("x")).beneath, Json("third"));
    home.mutable_spec()->mutable_components(0)->mutable_env(0)->set_value("here");
    EXPECT_EQ(standing(home, patch, Json("x")).what, What::applied);
    home.mutable_spec()->mutable_components(0)->mutable_env()->DeleteSubrange(0, 1);
    EXPECT_EQ(standing(home, patch, Json("x")).what, What::detached);
    Patch whole{at("spec.components[name=pos].env[name=STORE]"), json(R"({"name":"STORE","value":"1"})")};
    EXPECT_EQ(standing(home, whole, json(R"({"name":"STORE","value":"x"})")).what, What::conflict) << "removed there, kept here";
}

struct Edited {
    App wanted = sold_till();
    std::vector<Path> own;
    Problems problems;
    OverridePlan plan(const App& shown) { return plan_override(sold_till(), shown, wanted, own, problems); }
};

TEST(PlanOverride, AnEditBecomesOneOverrideForEachPlace) {
    Edited edit;
    auto& component = *edit.wanted.mutable_spec()->mutable_components(0);
    component.mutable_env(0)->set_value("here");
    component.add_args("-v");
    (*edit.wanted.mutable_metadata()->mutable_labels())["tier"] = "z";
    (*edit.wanted.mutable_metadata()->mutable_annotations())["kubectl.kubernetes.io/last-applied-configuration"] = "{}";
    auto plan = edit.plan(sold_till());
    ASSERT_EQ(plan.puts.size(), 3u);
    EXPECT_TRUE(edit.problems.empty());
    EXPECT_EQ(plan.puts[0].path.text(), "metadata.labels[tier]");
    EXPECT_EQ(plan.puts[1].path.text(), "spec.components[name=pos].args");
    EXPECT_EQ(plan.puts[2].path.text(), store);
    EXPECT_EQ(plan.puts[2].base, Json("x"));
    EXPECT_EQ(plan.puts[2].value, Json("here"));
}

TEST(PlanOverride, WhatMayNotBeOverriddenIsAProblem) {
    Edited edit;
    edit.wanted.mutable_spec()->mutable_components(0)->mutable_placement()->set_replicas(3);
    edit.wanted.mutable_spec()->add_components()->set_name("more");
    edit.plan(sold_till());
    EXPECT_EQ(edit.problems.count(), 2u) << edit.problems.text();
}

TEST(PlanOverride, AValueSetBackDropsTheOverride) {
    Edited edit;
    edit.own = {at(store), at("spec.state")};
    App shown = sold_till();
    shown.mutable_spec()->mutable_components(0)->mutable_env(0)->set_value("here");
    shown.mutable_spec()->set_state("stopped");
    edit.wanted = shown;
    edit.wanted.mutable_spec()->mutable_components(0)->mutable_env(0)->set_value("x");
    auto plan = edit.plan(shown);
    EXPECT_TRUE(plan.puts.empty());
    EXPECT_THAT(plan.drops, testing::ElementsAre(0u)) << "the other one stays";
}

TEST(PlanOverride, AnEditWithinAnOverriddenItemChangesThatOverride) {
    Edited edit;
    edit.own = {at("spec.components[name=pos].env[name=NEW]")};
    App shown = sold_till();
    auto& added = *shown.mutable_spec()->mutable_components(0)->add_env();
    added.set_name("NEW");
    added.set_value("1");
    edit.wanted = shown;
    edit.wanted.mutable_spec()->mutable_components(0)->mutable_env(2)->set_value("2");
    auto plan = edit.plan(shown);
    ASSERT_EQ(plan.puts.size(), 1u);
    EXPECT_EQ(plan.puts[0].path, edit.own[0]);
    EXPECT_EQ(plan.puts[0].value, json(R"({"name":"NEW","value":"2"})"));
    edit.wanted.mutable_spec()->mutable_components(0)->mutable_env()->RemoveLast();
    plan = edit.plan(shown);
    EXPECT_TRUE(plan.puts.empty());
    EXPECT_THAT(plan.drops, testing::ElementsAre(0u));
}

Revision closed() {
    Revision revision;
    revision.mutable_metadata()->set_name("till.3");
    revision.mutable_metadata()->set_namespace_("retail");
    revision.mutable_metadata()->set_home("c0");
    revision.mutable_spec()->set_app("till");
    revision.mutable_spec()->set_state("running");
    auto& pin = *revision.mutable_spec()->add_pins();
    pin.set_kind("Secret");
    pin.set_name("k");
    pin.set_copy("k.g1.aaaaaaaa");
    auto& component = *revision.mutable_spec()->add_components();
    *component.mutable_component() = sold_till().spec().components(0);
    component.set_image_digest("sha256:" + std::string(64, 'a'));
    component.set_hash(component_hash(component, revision.spec().pins()));
    return revision;
}

TEST(EffectiveRevision, IsClosedAsTheOriginal) { // rule A6
    Revision original = closed();
    EXPECT_FALSE(effective_revision(original, {}, {})->has_value());
    EXPECT_FALSE(effective_revision(original, {{at(store), Json("x")}}, {})->has_value()) << "nothing differs";
    auto made = effective_revision(original, {{at(store), Json("here")}}, {});
    ASSERT_TRUE(made && *made);
    EXPECT_NE((*made)->spec().components(0).hash(), original.spec().components(0).hash());
    EXPECT_EQ((*made)->spec().components(0).component().env(0).value(), "here");
    EXPECT_EQ((*made)->spec().pins_size(), 1);
    EXPECT_TRUE(is_effective(**made));
    (*made)->mutable_metadata()->set_home("51");
    EXPECT_EQ(decided_at(**made), "c0") << "who made it decides nothing";
    EXPECT_EQ(decided_at(original), "c0");
    EXPECT_EQ(original_of((*made)->metadata().name()), "till.3");
    EXPECT_EQ(original_of("till.3"), "till.3");
    EXPECT_FALSE(is_effective(original));
    original.mutable_spec()->mutable_revoked()->set_reason("it loses receipts");
    auto revoked = effective_revision(original, {{at(store), Json("here")}}, {}); // rule A1
    ASSERT_TRUE(revoked && *revoked);
    EXPECT_EQ((*revoked)->metadata().name(), (*made)->metadata().name()) << "what runs keeps its name";
    EXPECT_EQ((*revoked)->spec().revoked().reason(), "it loses receipts");
    original.mutable_spec()->clear_revoked();
    EXPECT_THAT((*made)->metadata().name(), testing::StartsWith("till.3.at."));
    auto again = effective_revision(original, {{at(store), Json("here")}}, {});
    EXPECT_EQ((*again)->metadata().name(), (*made)->metadata().name());
    auto health = effective_revision(original, {{at("spec.components[name=pos].stopGrace"), Json("3s")}}, {});
    ASSERT_TRUE(health && *health);
    EXPECT_EQ((*health)->spec().components(0).hash(), original.spec().components(0).hash()) << "no cause to restart";
}

TEST(EffectiveRevision, WhatWouldBeNoRightAppIsRefused) {
    auto refused = effective_revision(closed(), {{at("spec.components[name=pos].resources.cpu"), Json("half")}}, {});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("half"));
    auto secret = effective_revision(closed(), {{at("spec.components[name=pos].env[name=KEY].from.secret"), Json("other")}}, {});
    ASSERT_FALSE(secret);
    EXPECT_THAT(secret.error().message, HasSubstr("did not come with the revision"));
    Patch image{at("spec.components[name=pos].image"), Json("retail/pos:5")};
    EXPECT_FALSE(effective_revision(closed(), {image}, {}));
    auto known = effective_revision(closed(), {image}, {{"retail/pos:5", "sha256:" + std::string(64, 'b')}});
    ASSERT_TRUE(known && *known);
    EXPECT_EQ((*known)->spec().components(0).image_digest(), "sha256:" + std::string(64, 'b'));
    auto gone = effective_revision(closed(), {{at("spec.components[name=web].image"), Json("a")}}, {});
    ASSERT_TRUE(gone);
    EXPECT_FALSE(*gone) << "what leads nowhere changes nothing";
}

} // namespace
} // namespace skerry::model
