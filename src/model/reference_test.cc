#include "model/app.pb.h"
#include "model/example_test.h"
#include "model/reference.h"
#include "model/rules/law.h"
#include "model/substitute.h"

#include <rapidcheck.h>

namespace skerry::model::test {
namespace {

TEST(ImageRef, Parts) {
    std::string digest = "sha256:" + std::string(64, 'a');
    EXPECT_EQ(parse_image("retail/pos:4.2", "x"), (ImageRef{"retail", "pos", "4.2", ""}));
    EXPECT_EQ(parse_image("pos", "retail"), (ImageRef{"retail", "pos", "latest", ""}));
    EXPECT_EQ(parse_image("pos@" + digest, "retail"), (ImageRef{"retail", "pos", "", digest}));
    EXPECT_EQ(parse_image("a/pos.v2:1@" + digest, "retail"), (ImageRef{"a", "pos.v2", "1", digest}));
    for (const char* text : {"retail/pos:4.2", "retail/pos:latest"}) EXPECT_EQ(parse_image(text, "x")->text(), text);
}

TEST(ImageRef, RefusesWithTheRemedy) {
    for (const char* text : {"", "/", "a/", "/a", "a/b/c", "docker.io/nginx", "localhost:5000/nginx", "A", "a:", "a:b:c", "a@b",
                             "a@sha256:1", "a b", "a/b/c:1", "a_b", "..", "../a"}) {
        auto image = parse_image(text, "default");
        ASSERT_FALSE(image) << text;
        EXPECT_THAT(image.error().message, testing::HasSubstr("(")) << text;
    }
    EXPECT_TRUE(rc::check([](const std::string& text) {
        if (auto image = parse_image(text, "p")) RC_ASSERT(*parse_image(image->text(), "q") == *image);
    }));
}

std::optional<std::string> lookup(std::string_view name) {
    if (name == "site.name") return "store";
    if (name == "big") return std::string(1000, 'x');
    return std::nullopt;
}

TEST(Substitute, ReplacesReferences) {
    EXPECT_EQ(substitute("a $(site.name)-$(site.name)!", lookup), "a store-store!");
    EXPECT_EQ(substitute("$$(site.name) $x $$ $", lookup), "$(site.name) $x $$ $");
    EXPECT_EQ(substitute("$$$(site.name)", lookup), "$$(site.name)");
    EXPECT_EQ(substitute("", lookup), "");
    EXPECT_EQ(substitute("$(site.nam)", lookup).error().code, Code::not_found);
    EXPECT_EQ(substitute("$(site.name", lookup).error().code, Code::invalid);
    std::string bomb;
    for (int i = 0; i < 200; ++i) bomb += "$(big)";
    EXPECT_EQ(substitute(bomb, lookup).error().code, Code::exhausted);
    EXPECT_EQ(references("$(a) $$(b) $(c)$(a)"), (std::vector<std::string>{"a", "c", "a"}));
}

TEST(Substitute, KnowsItsNames) {
    for (const char* name : {"site.name", "site.values.printer", "site.values.a.b", "node.name", "instance.name", "app.name"})
        EXPECT_TRUE(is_known_reference(name)) << name;
    for (const char* name : {"", "site", "site.values", "site.values.", "site.values.a b", "date", "site.name "})
        EXPECT_FALSE(is_known_reference(name)) << name;
}

TEST(Law, HoldsOnlyWithin) {
    auto within = read<Within>(R"({"jurisdictions":["FR","DE"]})");
    EXPECT_TRUE(may_hold("FR", within));
    EXPECT_TRUE(may_hold("", Within()));
    EXPECT_TRUE(may_hold("US", Within()));
    EXPECT_EQ(may_hold("US", within).error().message, "must stay within FR or DE, and the place is in US");
    EXPECT_EQ(may_hold("US", within).error().code, Code::forbidden);
    EXPECT_FALSE(may_hold("", within));
    EXPECT_FALSE(may_hold("fr", within));
}

} // namespace
} // namespace skerry::model::test
