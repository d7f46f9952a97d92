#include "cli/three_way.h"

#include <gtest/gtest.h>

namespace skerry::cli {

namespace {

Json json(std::string_view text) {
    auto parsed = parse_json(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? *parsed : Json();
}

std::string patch(const char* last, const char* manifest, const char* current) {
    return write_json(three_way_patch(json(last), json(manifest), json(current)));
}

} // namespace

TEST(ThreeWay, NothingToDo) {
    EXPECT_EQ(patch(R"({"spec":{"a":1}})", R"({"spec":{"a":1}})", R"({"spec":{"a":1,"default":2}})"), "{}");
}

TEST(ThreeWay, AddsAndChanges) {
    EXPECT_EQ(patch("{}", R"({"spec":{"a":2,"b":3}})", R"({"spec":{"a":1}})"), R"({"spec":{"a":2,"b":3}})");
}

TEST(ThreeWay, RemovesWhatItSetAndKeepsWhatOthersSet) {
    EXPECT_EQ(patch(R"({"spec":{"a":1,"b":2}})", R"({"spec":{"a":1}})", R"({"spec":{"a":1,"b":2,"others":3}})"),
              R"({"spec":{"b":null}})");
}

TEST(ThreeWay, WithoutLastAppliedRemovesNothing) {
    EXPECT_EQ(patch("{}", R"({"spec":{"a":1}})", R"({"spec":{"a":1,"b":2}})"), "{}");
}

TEST(ThreeWay, SetsBackWhatOthersChanged) {
    EXPECT_EQ(patch(R"({"spec":{"a":1}})", R"({"spec":{"a":1}})", R"({"spec":{"a":9}})"), R"({"spec":{"a":1}})");
}

TEST(ThreeWay, ListsAreReplacedWhole) { EXPECT_EQ(patch(R"({"l":[1]})", R"({"l":[1,2]})", R"({"l":[1]})"), R"({"l":[1,2]})"); }

TEST(ThreeWay, ShapesMayChange) {
    EXPECT_EQ(patch(R"({"a":{"x":1}})", R"({"a":"text"})", R"({"a":{"x":1}})"), R"({"a":"text"})");
    EXPECT_EQ(patch(R"({"a":"text"})", R"({"a":{"x":1}})", R"({"a":"text"})"), R"({"a":{"x":1}})");
    EXPECT_EQ(patch("{}", R"({"a":{}})", "{}"), R"({"a":{}})");
}

/// Whatever the three are, the patched object says what the manifest says.
TEST(ThreeWay, PatchedObjectHoldsTheManifest) {
    const char* objects[] = {"{}",
                             R"({"a":1})",
                             R"({"a":{"b":1,"c":{"d":2}}})",
                             R"({"a":{"b":2}})",
                             R"({"a":[1,{"x":2}],"z":"s"})",
                             R"({"a":{"c":{}},"z":false})"};
    for (auto last : objects)
        for (auto manifest : objects)
            for (auto current : objects) {
                Json result = json(current);
                merge_patch(result, three_way_patch(json(last), json(manifest), json(current)));
                // Applied again, there is nothing left to do.
                EXPECT_EQ(write_json(three_way_patch(json(manifest), json(manifest), result)), "{}")
                    << last << manifest << current;
            }
}

TEST(LastApplied, IsWhatKubectlNotes) {
    Json manifest = json(R"({"kind":"App","apiVersion":"skerry/v1","metadata":{"name":"till","annotations":{"b":"2","a":"1"}}})");
    EXPECT_EQ(write_last_applied(manifest),
              "{\"apiVersion\":\"skerry/"
              "v1\",\"kind\":\"App\",\"metadata\":{\"annotations\":{\"a\":\"1\",\"b\":\"2\"},\"name\":\"till\"}}\n");
    Json once = annotated(manifest);
    EXPECT_EQ(write_last_applied(once), write_last_applied(manifest));
    EXPECT_EQ(annotated(once), once);
    EXPECT_TRUE(read_last_applied(once)->find("kind"));
}

TEST(LastApplied, UnreadableIsNone) {
    EXPECT_FALSE(read_last_applied(json("{}")));
    EXPECT_FALSE(
        read_last_applied(json(R"({"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{"}}})")));
    EXPECT_FALSE(
        read_last_applied(json(R"({"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"[1]"}}})")));
    EXPECT_FALSE(read_last_applied(json(R"({"metadata":7})")));
}

} // namespace skerry::cli
