#include "base/json.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

TEST(Json, KeepsOrderAndIntegers) {
    auto value = parse_json(R"({"b":1,"a":[true,null,-9007199254740993,0.5],"c":{"d":"é"}})");
    ASSERT_TRUE(value);
    EXPECT_EQ(write_json(*value), R"({"b":1,"a":[true,null,-9007199254740993,0.5],"c":{"d":"é"}})");
}

TEST(Json, RefusesWhatTheStandardRefuses) {
    for (const char* text :
         {"", "{", "[1,]", "{'a':1}", "{a:1}", "01", "1.", "nul", "\"\x01\"", "\"\xff\"", "[1] 2", "{\"a\":1,\"a\":2}", "NaN"})
        EXPECT_FALSE(parse_json(text)) << text;
}

TEST(Json, AZeroByteEndsNothing) {
    using namespace std::string_view_literals;
    for (std::string_view text : {"1\0"sv, "[1]\0 garbage"sv, "\0"sv, "\xef\xbb{}"sv}) EXPECT_FALSE(parse_json(text));
    EXPECT_TRUE(parse_json("\xef\xbb\xbf{}"));
}

TEST(Json, FindsDuplicatesInLargeObjects) {
    std::string text = "{";
    for (int i = 0; i < 100; ++i) text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
    EXPECT_TRUE(parse_json(text + "\"k100\":1}"));
    EXPECT_FALSE(parse_json(text + "\"k57\":1}"));
}

TEST(Json, BoundsDepthSizeAndCount) {
    EXPECT_FALSE(parse_json(std::string(100, '[') + std::string(100, ']')));
    EXPECT_EQ(parse_json("[1,2,3,4]", {.values = 3}).error().code, Code::invalid);
    EXPECT_EQ(parse_json("[1,2,3,4]", {.bytes = 3}).error().code, Code::exhausted);
}

TEST(Json, MergePatchFollowsRfc7386) {
    auto target = *parse_json(R"({"a":"b","c":{"d":"e","f":"g"}})");
    merge_patch(target, *parse_json(R"({"a":"z","c":{"f":null},"h":{"i":null,"j":1}})"));
    EXPECT_EQ(write_json(target), R"({"a":"z","c":{"d":"e"},"h":{"j":1}})");
}

} // namespace
} // namespace skerry
