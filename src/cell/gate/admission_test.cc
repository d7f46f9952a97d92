#include "cell/cell_test.h"

namespace skerry::cell {

namespace {

TEST_F(CellTest, AdmissionCreatesUpdatesAndRemoves) {
    boot_core();
    auto made = ask([](Admission& gate, Answer answer) { gate.create(admin, Kind::app, app("till"), {}, std::move(answer)); });
    ASSERT_TRUE(made) << made.error().error.message;
    EXPECT_EQ(made->change, Admitted::Change::created);
    EXPECT_EQ(made->object->generation, 1u);
    EXPECT_EQ(made->warnings.size(), 1u);
    EXPECT_EQ(store::as<model::App>(*made->object).spec().state(), "running");
    auto again = ask([](Admission& gate, Answer answer) { gate.create(admin, Kind::app, app("till"), {}, std::move(answer)); });
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().error.code, Code::exists);

    auto same = ask([](Admission& gate, Answer answer) { gate.update(admin, Kind::app, app("till"), {}, std::move(answer)); });
    ASSERT_TRUE(same);
    EXPECT_EQ(same->change, Admitted::Change::unchanged);
    EXPECT_EQ(same->object->wish.number, made->object->wish.number);
    auto changed =
        ask([](Admission& gate, Answer answer) { gate.update(admin, Kind::app, app("till", "pos:2"), {}, std::move(answer)); });
    ASSERT_TRUE(changed);
    EXPECT_EQ(changed->object->generation, 2u);
    auto stale = app("till", "pos:3");
    stale->mutable_metadata()->set_resource_version(std::to_string(made->object->number()));
    auto conflict =
        ask([&](Admission& gate, Answer answer) { gate.update(admin, Kind::app, std::move(stale), {}, std::move(answer)); });
    ASSERT_FALSE(conflict);
    EXPECT_EQ(conflict.error().error.code, Code::conflict);

    auto dry = ask(
        [](Admission& gate, Answer answer) { gate.create(admin, Kind::app, app("dry"), {.dry_run = true}, std::move(answer)); });
    ASSERT_TRUE(dry);
    EXPECT_FALSE(has(core, Kind::app, "dry"));
    auto gone = ask([](Admission& gate, Answer answer) {
        gate.remove(admin, {Kind::app, "default", "till"}, {}, {}, std::move(answer));
    });
    ASSERT_TRUE(gone);
    EXPECT_FALSE(has(core, Kind::app, "till"));
}

TEST_F(CellTest, AdmissionRefusesWithTheRemedy) {
    boot_core();
    auto refused = [&](const std::function<void(Admission&, Answer)>& what) {
        auto answer = ask(what);
        EXPECT_FALSE(answer);
        return answer ? std::string{} : answer.error().error.message;
    };
    EXPECT_NE(refused([](Admission& gate, Answer answer) {
                  gate.create(admin, Kind::app, app("till", "pos:1", "retail"), {}, std::move(answer));
              }).find("kubectl create namespace retail"),
              std::string::npos);
    auto bad = app("till");
    bad->mutable_spec()->mutable_components(0)->mutable_resources()->set_cpu("half");
    EXPECT_NE(refused([&](Admission& gate, Answer answer) {
                  gate.create(admin, Kind::app, std::move(bad), {}, std::move(answer));
              }).find("half"),
              std::string::npos);
    EXPECT_NE(refused([](Admission& gate, Answer answer) {
                  gate.create(trust::Identity::user("eve", {}), Kind::app, app("till"), {}, std::move(answer));
              }).find("may not create"),
              std::string::npos);
    auto pin = std::make_unique<model::Secret>();
    pin->mutable_metadata()->set_name("till-key");
    pin->mutable_metadata()->set_namespace_("default");
    (*pin->mutable_metadata()->mutable_labels())["skerry/pinned"] = "true";
    EXPECT_NE(refused([&](Admission& gate, Answer answer) {
                  gate.create(admin, Kind::secret, std::make_unique<model::Secret>(*pin), {}, std::move(answer));
              }).find("skerry/pinned"),
              std::string::npos);
    write(core, Kind::secret, *pin);
    EXPECT_NE(refused([](Admission& gate, Answer answer) {
                  gate.remove(admin, {Kind::secret, "default", "till-key"}, {}, {}, std::move(answer));
              }).find("change the original"),
              std::string::npos);
    auto instance = std::make_unique<model::Instance>();
    instance->mutable_metadata()->set_name("x");
    instance->mutable_metadata()->set_namespace_("default");
    EXPECT_NE(refused([&](Admission& gate, Answer answer) {
                  gate.create(admin, Kind::instance, std::move(instance), {}, std::move(answer));
              }).find("made by Skerry"),
              std::string::npos);
    EXPECT_NE(refused([](Admission& gate, Answer answer) {
                  gate.remove(admin, {Kind::project, "", "default"}, {}, {}, std::move(answer));
              }).find("cannot be deleted"),
              std::string::npos);
    auto project = std::make_unique<model::Project>();
    project->mutable_metadata()->set_name("retail");
    ASSERT_TRUE(ask(
        [&](Admission& gate, Answer answer) { gate.create(admin, Kind::project, std::move(project), {}, std::move(answer)); }));
    ASSERT_TRUE(ask([](Admission& gate, Answer answer) {
        gate.create(admin, Kind::app, app("till", "pos:1", "retail"), {}, std::move(answer));
    }));
    EXPECT_NE(refused([](Admission& gate, Answer answer) {
                  gate.remove(admin, {Kind::project, "", "retail"}, {}, {}, std::move(answer));
              }).find("App retail/till"),
              std::string::npos);
}

/// Rule A1: a Revision is closed, but for that it is revoked.
TEST_F(CellTest, OfARevisionPeopleMaySayOnlyThatItIsRevoked) {
    boot();
    write_site();
    write_revision("till.1");
    write_allocation("till.pos.store-17", "till.1");
    world.pass(3s);
    auto edit = [&](Machine& at, std::function<void(model::Revision&)> change) {
        auto copy = std::make_unique<model::Revision>(*at.store->get<model::Revision>({Kind::revision, "default", "till.1"}));
        change(*copy);
        std::optional<std::expected<Admitted, Refusal>> answer;
        at.cell->admission().update(admin, Kind::revision, std::move(copy), {}, [&](auto result) { answer = std::move(result); });
        world.settle();
        return answer ? answer->has_value() ? std::string("done") : answer->error().error.message : std::string("no answer");
    };
    auto revoke = [](model::Revision& one) { one.mutable_spec()->mutable_revoked()->set_reason("loses receipts"); };
    EXPECT_NE(edit(core, [](model::Revision& one) { one.mutable_spec()->set_state("stopped"); }).find("made by Skerry itself"),
              std::string::npos);
    EXPECT_NE(edit(core, [&](model::Revision& one) { revoke(one), one.mutable_spec()->set_state("stopped"); })
                  .find("only spec.revoked"),
              std::string::npos);
    EXPECT_NE(
        edit(core, [](model::Revision& one) { one.mutable_spec()->mutable_revoked(); }).find("spec.revoked.reason: is required"),
        std::string::npos);
    EXPECT_NE(edit(site, revoke).find("decided at"), std::string::npos);
    EXPECT_EQ(edit(core, revoke), "done");
    const auto* revoked = core.store->get<model::Revision>({Kind::revision, "default", "till.1"});
    EXPECT_EQ(revoked->spec().revoked().author(), "admin");
    EXPECT_FALSE(revoked->spec().revoked().time().empty());
    world.pass(3s);
    EXPECT_TRUE(site.store->get<model::Revision>({Kind::revision, "default", "till.1"})->spec().has_revoked());
    EXPECT_NE(
        edit(core, [](model::Revision& one) { one.mutable_spec()->mutable_revoked()->set_reason("other"); }).find("already"),
        std::string::npos);
    EXPECT_NE(edit(core, [](model::Revision& one) { one.mutable_spec()->clear_revoked(); }).find("made by Skerry itself"),
              std::string::npos);
}

TEST_F(CellTest, SitesAreMadeAtTheCoreAndNodesAtTheirSite) {
    boot();
    write_site();
    world.pass(2s);
    auto make = [&](Machine& at, Kind kind, std::unique_ptr<google::protobuf::Message> object) {
        std::optional<std::expected<Admitted, Refusal>> answer;
        at.cell->admission().create(admin, kind, std::move(object), {}, [&](auto result) { answer = std::move(result); });
        world.settle();
        return answer ? answer->has_value() ? std::string("done") : answer->error().error.message : std::string("no answer");
    };
    auto node = [](const std::string& site) {
        auto object = std::make_unique<model::Node>();
        object->mutable_metadata()->set_name(site + ".till");
        object->mutable_spec()->set_site(site);
        return object;
    };
    auto other = std::make_unique<model::Site>();
    other->mutable_metadata()->set_name("store-18");
    EXPECT_NE(make(site, Kind::site, std::move(other)).find("at the API of the core"), std::string::npos);
    EXPECT_NE(make(core, Kind::node, node("store-17")).find("token create --node"), std::string::npos);
    EXPECT_NE(make(core, Kind::node, node("nowhere")).find("made by that site"), std::string::npos);
    EXPECT_NE(make(site, Kind::node, node("store-18")).find("use store-17"), std::string::npos);
    EXPECT_EQ(make(site, Kind::node, node("store-17")), "done");
}

TEST_F(CellTest, WhatIsDecidedElsewhereIsNotEditedHere) {
    boot();
    write_site();
    world.pass(2s);
    auto edit = std::make_unique<model::Site>(*site.store->get<model::Site>({Kind::site, "", "store-17"}));
    (*edit->mutable_spec()->mutable_values())["a"] = "b";
    std::optional<std::expected<Admitted, Refusal>> answer;
    site.cell->admission().update(admin, Kind::site, std::move(edit), {}, [&](auto result) { answer = std::move(result); });
    world.settle();
    ASSERT_TRUE(answer && !*answer);
    EXPECT_NE(answer->error().error.message.find("decided at core core"), std::string::npos) << answer->error().error.message;
}

} // namespace

} // namespace skerry::cell
