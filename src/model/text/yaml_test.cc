#include "model/text/scalar.h"
#include "model/text/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>

namespace skerry::model {
namespace {

using testing::HasSubstr;

/// All documents as one JSON text, or the error.
std::string read(std::string_view text, YamlLimits limits = {}) {
    auto documents = parse_yaml(text, limits);
    return documents ? write_json(Json::array(*documents)) : documents.error().message;
}

TEST(Yaml, ReadsScalarsByTheCoreSchema) {
    EXPECT_EQ(
        read("[yes, no, on, off, true, False, null, ~, 12, -3, +4, 0o17, 0x1F, 1.5, 1e3, .5, 08, 1_000, 12:30, 0b1, .inf, 1.2.3, "
             "2026-03-01, v1]"),
        R"([["yes","no","on","off",true,false,null,null,12,-3,4,15,31,1.5,1000.0,0.5,8,"1_000","12:30","0b1",".inf","1.2.3","2026-03-01","v1"]])");
    EXPECT_EQ(read(R"(["1", 'true', "null", "", '~', !!str 5, !!int 7, ! 8])"), R"([["1","true","null","","~","5",7,"8"]])");
    EXPECT_EQ(read("a:\nb: |\n  x\n  y\nc: >-\n  x\n  y\n80: z\n? q\n: r\n"),
              R"([{"a":null,"b":"x\ny\n","c":"x y","80":"z","q":"r"}])");
    EXPECT_EQ(read("99999999999999999999"), "[100000000000000000000.0]");
}

TEST(Yaml, ReadsStreams) {
    EXPECT_EQ(read(""), "[]");
    EXPECT_EQ(read("a: 1\n...\nb: 2\n"), R"([{"a":1},{"b":2}])");
    EXPECT_EQ(read("--- {a: 1}\n--- |\n x\n--- b\r\n---\r\nc: d"), R"([{"a":1},"x\n","b",{"c":"d"}])");
    EXPECT_EQ(read("---\n# nothing\n---\na: 1\n...\n---\nb: 2\n"), R"([{"a":1},{"b":2}])");
    EXPECT_EQ(read("a: &x [1, {b: 2}]\nc: *x\n"), R"([{"a":[1,{"b":2}],"c":[1,{"b":2}]}])");
    EXPECT_EQ(read("&k key: 1\nother: *k\n"), R"([{"key":1,"other":"key"}])");
    EXPECT_THAT(read("--- &x 1\n--- *x\n"), HasSubstr("line 2")); // anchors end with their document
}

TEST(Yaml, RefusesWithALine) {
    EXPECT_THAT(read("a: 1\nb: 2\na: 3\n"), testing::AllOf(HasSubstr("line 3"), HasSubstr("the key \"a\" is there twice")));
    EXPECT_THAT(read("x: &x {a: 1}\ny:\n  <<: *x\n"),
                testing::AllOf(HasSubstr("line 3"), HasSubstr("merge keys (<<) are not supported")));
    EXPECT_EQ(read("'<<': 1"), R"([{"<<":1}])");
    EXPECT_THAT(read("a: !!binary YQ=="), HasSubstr("is not supported"));
    EXPECT_THAT(read("a: !mine {}"), HasSubstr("\"!mine\" is not supported"));
    EXPECT_THAT(read("a: !!set {b}"), HasSubstr("is not supported"));
    EXPECT_THAT(read("a: !!int x"), HasSubstr("is not supported on \"x\""));
    EXPECT_THAT(read("? [a]\n: b"), HasSubstr("a key is a list"));
    EXPECT_THAT(read("? {a: b}\n: b"), HasSubstr("a key is an object"));
    EXPECT_THAT(read("~: b"), HasSubstr("a key is null"));
    EXPECT_THAT(read("&a [*a]"), HasSubstr("YAML"));
    EXPECT_THAT(read("&a {b: {c: *a}}"), HasSubstr("refers to a node that contains it"));
    EXPECT_THAT(read("&a [1, &a [*a]]"), HasSubstr("YAML"));
    using namespace std::string_view_literals;
    for (std::string_view bad : std::vector<std::string_view>{"[", "]", "{", "}", "a: b: c", "\t- a", "a: 'x", "a: \"\\q\"",
                                                              "*none", "- a\nb: c", "a: 1\n--- \n- b\nc: d", "[a] b", "a\0b: c"sv,
                                                              "@x", "%YAML 9.9.9\n---\na", "\"\xff\"", "a: \xc0\x80"})
        EXPECT_FALSE(parse_yaml(bad)) << bad;
}

TEST(Yaml, BoundsBombs) {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
        for (int n = 0; n < 10; ++n) bomb += (n ? ", *a" : "*a") + std::to_string(i - 1);
        bomb += "]\n";
    }
    EXPECT_THAT(read(bomb), HasSubstr("more than 400000 values, with aliases written out"));
    std::string fat = "a: &a \"" + std::string(1 << 20, 'x') + "\"\nb: [";
    for (int n = 0; n < 100; ++n) fat += "*a, ";
    EXPECT_THAT(read(fat + "]"), HasSubstr("bytes of text, with aliases written out"));
    EXPECT_THAT(read(std::string(5 << 20, ' ')), HasSubstr("at most 4194304 are accepted"));
    std::string many;
    for (int i = 0; i < 10'001; ++i) many += "--- 1\n";
    EXPECT_THAT(read(many), HasSubstr("more than 10000 documents"));
    std::string wide = "[";
    for (int i = 0; i < 500'000; ++i) wide += "1,";
    EXPECT_THAT(read(wide + "]"), HasSubstr("more than 400000 values"));
}

TEST(Yaml, DepthEndsBeforeTheStack) {
    for (std::string unit :
         {"[", "{a: ", "{? ", "- ", "? ", "[? ", "[{", "{[", "- ? ", "a: [", "!!seq [", "[? [", "{a: {? [", "&a [", "- - ? - "}) {
        std::string text;
        while (text.size() < (1 << 20)) text += unit;
        EXPECT_FALSE(parse_yaml(text)) << unit;
    }
    std::string steps;
    for (int i = 0; i < 1000; ++i) steps += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    EXPECT_THAT(read(steps), HasSubstr("nested deeper than 64 levels"));
}

TEST(Yaml, NoTextIsTooStrange) {
    EXPECT_TRUE(rc::check([] {
        parse_yaml(*rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab:-,[]{}&*!|>'\"%@#? \n\t~<.\\0"))));
    }));
    EXPECT_TRUE(rc::check([](const std::string& bytes) { parse_yaml(bytes); }));
}

TEST(Yaml, Manifests) {
    auto objects = parse_manifest(R"({"kind":"List","items":[{"kind":"A"},{"kind":"B"}]})");
    ASSERT_TRUE(objects);
    EXPECT_EQ(write_json(Json::array(*objects)), R"([{"kind":"A"},{"kind":"B"}])");
    EXPECT_EQ(parse_manifest("kind: A\n---\n{kind: List, items: [{kind: B}]}")->size(), 2u);
    EXPECT_EQ(parse_manifest("{\"a\": 1}\n---\n{\"b\": 2}")->size(), 2u);
    EXPECT_THAT(parse_manifest("{\"a\": 1,,}").error().message, HasSubstr("JSON, byte"));
    EXPECT_FALSE(parse_manifest("kind: List\nitems: 5"));
}

TEST(Yaml, WritesAsKubectlDoes) {
    Json value = *parse_json(
        R"({"metadata":{"name":"till","labels":{"a.b/c":"true","n":"5"}},"spec":{"list":[{"name":"a","args":["--x=1","yes",""]},[1,[2]],{}],
        "script":"#!/bin/sh\necho\n","empty":[],"none":{},"null":null,"f":1.5,"b":false,"date":"2026-03-01","colon":"a: b","text":"two words"}})");
    EXPECT_EQ(write_yaml(value), R"(metadata:
  name: till
  labels:
    a.b/c: "true"
    "n": "5"
spec:
  list:
  - name: a
    args:
    - "--x=1"
    - "yes"
    - ""
  - - 1
    - - 2
  - {}
  script: |
    #!/bin/sh
    echo
  empty: []
  none: {}
  "null": null
  f: 1.5
  b: false
  date: "2026-03-01"
  colon: "a: b"
  text: two words
)");
}

std::string any_text() {
    static const std::vector<std::string> pieces{"a",
                                                 "yes",
                                                 "null",
                                                 "~",
                                                 "1",
                                                 "0x1f",
                                                 ".5",
                                                 "e3",
                                                 "-",
                                                 ":",
                                                 " ",
                                                 "  ",
                                                 "\n",
                                                 "\n\n",
                                                 "\t",
                                                 "#",
                                                 "'",
                                                 "\"",
                                                 "\\",
                                                 "|",
                                                 ">",
                                                 "&a",
                                                 "*a",
                                                 "!",
                                                 "%",
                                                 "@",
                                                 "`",
                                                 "{",
                                                 "}",
                                                 "[",
                                                 "]",
                                                 ",",
                                                 "?",
                                                 "<<",
                                                 "=",
                                                 "---",
                                                 "...",
                                                 "\r",
                                                 "\x01",
                                                 "\x7f",
                                                 "é",
                                                 "\xc2\x85",
                                                 "\xc2\xa0",
                                                 "\xe2\x80\xa8",
                                                 "\xef\xbb\xbf",
                                                 "\xf0\x9f\x90\xb3",
                                                 "true"};
    std::string out;
    for (int n = *rc::gen::inRange(0, 6); n > 0; --n) out += *rc::gen::elementOf(pieces);
    return out;
}

Json any_value(int depth) {
    switch (*rc::gen::inRange(0, depth > 0 ? 8 : 5)) {
    case 0:
        return {};
    case 1:
        return Json(*rc::gen::arbitrary<bool>());
    case 2:
        return Json(*rc::gen::arbitrary<std::int64_t>());
    case 3:
        return Json(*rc::gen::arbitrary<int>() / 8.0 + 0.0625);
    case 4:
        return Json(any_text());
    case 5: {
        Json items = Json::array();
        for (int n = *rc::gen::inRange(0, 4); n > 0; --n) items.push(any_value(depth - 1));
        return items;
    }
    default: {
        Json members = Json::object();
        for (int n = *rc::gen::inRange(0, 4); n > 0; --n) members.set(any_text(), any_value(depth - 1));
        return members;
    }
    }
}

TEST(Yaml, EveryValueReadsBack) {
    EXPECT_TRUE(rc::check("JSON → YAML text → JSON", [] {
        Json value = any_value(4);
        if (value.is_null()) return; // an empty document is left out
        std::string text = write_yaml(value);
        auto again = parse_yaml(text);
        if (!again) RC_FAIL(again.error().message + "\n" + text);
        RC_ASSERT(again->size() == 1u);
        RC_ASSERT(write_json((*again)[0]) == write_json(value));
    }));
}

} // namespace
} // namespace skerry::model
