#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/event.pb.h"
#include "model/example_test.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/site.pb.h"
#include "model/text/columns.h"

namespace skerry::model::test {
namespace {

/// "a | b | c" of the narrow or of all columns, ten minutes past noon.
std::string row(Kind kind, const google::protobuf::Message& message, bool wide = false) {
    std::string out;
    WallTime now = *parse_rfc3339("2026-03-01T12:10:00Z");
    for (const Column& column : columns(kind))
        if (wide || !column.wide) out += (out.empty() ? "" : " | ") + column.text(message, now);
    return out;
}

TEST(Conditions, KeepTheTimeOfTheirLastTransition) {
    Conditions all;
    EXPECT_TRUE(set_condition(all, "Ready", "False", "NoRoom", "no room", "t1"));
    EXPECT_FALSE(set_condition(all, "Ready", "False", "NoRoom", "no room", "t2"));
    EXPECT_TRUE(set_condition(all, "Ready", "False", "NoImage", "no image", "t3"));
    EXPECT_EQ(find_condition(all, "Ready")->last_transition_time(), "t1");
    EXPECT_FALSE(holds(all, "Ready"));
    EXPECT_TRUE(set_condition(all, "Ready", "True", "", "", "t4"));
    EXPECT_EQ(find_condition(all, "Ready")->last_transition_time(), "t4");
    EXPECT_TRUE(holds(all, "Ready"));
    EXPECT_EQ(find_condition(all, "Placed"), nullptr);
    EXPECT_TRUE(remove_condition(all, "Ready"));
    EXPECT_FALSE(remove_condition(all, "Ready"));
}

TEST(Columns, OfEveryKindBeginWithItsNameAndTakeEmptyObjects) {
    for (const KindFacts& kind : all_kinds()) {
        ASSERT_FALSE(columns(kind.kind).empty());
        EXPECT_EQ(columns(kind.kind)[0].name, kind.kind == Kind::event ? "Last Seen" : "Name");
        row(kind.kind, *new_message(kind.kind), true);
        for (const Column& column : columns(kind.kind)) {
            EXPECT_TRUE(column.type == "string" || column.type == "integer");
            EXPECT_TRUE(column.description.ends_with('.')) << column.name;
        }
    }
}

TEST(Columns, OfAnAppSayWhyItDoesNotRun) {
    auto app = read<App>(
        R"({"metadata":{"name":"till","creationTimestamp":"2026-03-01T12:00:00Z"},"spec":{"components":[{"image":"pos:4.2"},{"image":"db"}]},
        "status":{"revision":"till-1","sites":3,"updatedSites":2,"replicas":3,"readyReplicas":2}})");
    EXPECT_EQ(row(Kind::app, app), "till | till-1 | 3 | 2 | 2/3 | Pending | 10m");
    auto& conditions = *app.mutable_status()->mutable_conditions();
    set_condition(conditions, "Ready", "False", "Waiting", "", "t");
    EXPECT_EQ(row(Kind::app, app), "till | till-1 | 3 | 2 | 2/3 | Waiting | 10m");
    set_condition(conditions, "Placed", "False", "NoMatchingSite", "", "t");
    EXPECT_EQ(row(Kind::app, app), "till | till-1 | 3 | 2 | 2/3 | NoMatchingSite | 10m");
    set_condition(conditions, "Placed", "True", "Placed", "", "t");
    set_condition(conditions, "Ready", "True", "Ready", "", "t");
    set_condition(conditions, "Removing", "False", "", "", "t");
    EXPECT_EQ(row(Kind::app, app, true), "till | till-1 | 3 | 2 | 2/3 | Ready | 10m | pos:4.2,db");
    set_condition(conditions, "Removing", "True", "", "", "t");
    EXPECT_EQ(row(Kind::app, app), "till | till-1 | 3 | 2 | 2/3 | Removing | 10m");
}

TEST(Columns, OfASite) {
    auto site = read<Site>(
        R"({"metadata":{"name":"store","creationTimestamp":"2026-03-01T13:00:00Z"},"spec":{"location":{"latitude":48.85,"longitude":2.35,"jurisdiction":"FR"}}})");
    EXPECT_EQ(row(Kind::site, site), "store | Never joined | 0/0 | <none> | <none> | <never> | 0s");
    from_json(
        json(
            R"({"status":{"cell":"c","nodes":2,"readyNodes":1,"free":{"cpu":"1500m","memory":"2Gi"},"lastHeard":"2026-03-01T12:09:58Z","version":"0.1"}})"),
        site, *std::make_unique<Problems>());
    set_condition(*site.mutable_status()->mutable_conditions(), "InTouch", "True", "", "", "t");
    EXPECT_EQ(row(Kind::site, site, true), "store | In touch | 1/2 | 1500m | 2Gi | 2s | 0s | 48.85,2.35, FR | c | 0.1");
    site.mutable_status()->mutable_free()->set_memory("22681750323");
    EXPECT_THAT(row(Kind::site, site), testing::HasSubstr("| 21.1Gi |"));
    set_condition(*site.mutable_status()->mutable_conditions(), "InTouch", "False", "", "", "t");
    EXPECT_THAT(row(Kind::site, site), testing::HasSubstr("| Away |"));
}

TEST(Columns, OfTheRest) {
    auto instance = read<Instance>(
        R"({"metadata":{"name":"i"},"spec":{"site":"s","node":"n"},"status":{"phase":"Waiting","reason":"NoImage","published":[80,443]}})");
    EXPECT_EQ(row(Kind::instance, instance, true), "i | s | n | NoImage | false | 0 | <unknown> | <none> | <none> | 80,443 | ");
    auto allocation =
        read<Allocation>(R"({"metadata":{"name":"a"},"spec":{"site":"s","app":"t","component":"c","revision":"r","replicas":2},
        "status":{"conditions":[{"type":"Ready","status":"False","reason":"NoRoom"}],"readyReplicas":1}})");
    EXPECT_EQ(row(Kind::allocation, allocation), "a | s | t | c | r | 2 | 1 | 0 | NoRoom | <unknown>");
    auto node = read<Node>(
        R"({"metadata":{"name":"n"},"spec":{"site":"s","unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}],
        "runtimes":[{"name":"container","works":true},{"name":"vm"}]}})");
    EXPECT_EQ(row(Kind::node, node), "n | s | Ready,Unschedulable | <none> | <none> | <never> | <unknown>");
    auto event = read<Event>(
        R"({"spec":{"regarding":{"kind":"App","name":"till"},"type":"Warning","reason":"NoRoom","message":"m","lastSeen":"2026-03-01T12:09:00Z"}})");
    EXPECT_EQ(row(Kind::event, event), "60s | Warning | NoRoom | app/till | m");
}

} // namespace
} // namespace skerry::model::test
