#include "model/example_test.h"
#include "model/instance.pb.h"
#include "model/meta.pb.h"
#include "model/node.pb.h"
#include "model/selector.h"

#include <rapidcheck.h>

namespace skerry::model::test {
namespace {

Labels labels(std::initializer_list<std::pair<const char*, const char*>> items) {
    Labels out;
    for (auto [key, value] : items) out[key] = value;
    return out;
}

bool selects(std::string_view text, const Labels& of) {
    auto selector = parse_label_selector(text);
    EXPECT_TRUE(selector) << text << ": " << (selector ? "" : selector.error().message);
    return selector && matches(*selector, of);
}

TEST(LabelSelector, MeansWhatKubectlMeans) {
    Labels store = labels({{"tier", "store"}, {"region", "emea"}, {"example.com/x", ""}});
    for (const char* text : {"", " ", "tier=store", "tier==store", "tier = store", "tier!=lab", "nothing!=x",
                             "tier in (lab, store)", "tier notin (lab)", "nothing notin (lab)", "tier", "!nothing", "! nothing",
                             "example.com/x=", "example.com/x in ()", "tier=store,region=emea", "tier=store , !y"})
        EXPECT_TRUE(selects(text, store)) << text;
    for (const char* text : {"tier=lab", "tier!=store", "nothing=x", "tier in (lab)", "tier notin (store,lab)", "!tier",
                             "nothing", "tier=store,region=apac"})
        EXPECT_FALSE(selects(text, store)) << text;
}

TEST(LabelSelector, RefusesTheRest) {
    for (const char* text : {",", "a,", ",a", "a b", "=a", "a=b=c", "a in b", "a in (b", "a in b)", "a>1", "!", "!a=b", "-a=b",
                             "a=b c", "a=-", "a in (b,,-)", "a!b", "a=b,,c"})
        EXPECT_FALSE(parse_label_selector(text)) << text;
    EXPECT_FALSE(parse_label_selector(std::string(5000, 'a')));
    std::string many = "a";
    for (int i = 0; i < 64; ++i) many += ",a";
    EXPECT_FALSE(parse_label_selector(many));
}

TEST(LabelSelector, NoTextIsTooStrange) {
    EXPECT_TRUE(rc::check([] {
        auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab,=!() innot-./")));
        if (auto selector = parse_label_selector(text)) matches(*selector, labels({{"a", "b"}}));
        if (auto selector = FieldSelector::parse(text)) selector->matches(Node());
    }));
}

TEST(Selector, OfAMessage) {
    auto selector = read<Selector>(R"({"matchLabels":{"a":"b"},"matchExpressions":[{"key":"c","operator":"Exists"}]})");
    EXPECT_TRUE(matches(selector, labels({{"a", "b"}, {"c", ""}})));
    EXPECT_FALSE(matches(selector, labels({{"a", "b"}})));
    EXPECT_FALSE(matches(selector, labels({{"a", "x"}, {"c", ""}})));
    EXPECT_TRUE(matches(Selector(), Labels()));
    EXPECT_FALSE(
        matches(read<Selector>(R"({"matchExpressions":[{"key":"a","operator":"Gt","values":["1"]}]})"), labels({{"a", "2"}})));
}

TEST(FieldSelector, ComparesFields) {
    auto instance = read<Instance>(
        R"({"metadata":{"name":"i","namespace":"retail"},"spec":{"site":"store"},"status":{"phase":"Running","ready":true,"restarts":2}})");
    auto selects = [&](std::string_view text) {
        auto selector = FieldSelector::parse(text);
        EXPECT_TRUE(selector) << text;
        EXPECT_TRUE(selector->check(Kind::instance)) << text;
        return selector->matches(instance);
    };
    for (const char* text : {"", "metadata.name=i", "metadata.namespace==retail", "spec.site=store,status.phase!=Failed",
                             "status.ready=true", "status.restarts=2", "spec.node=", "status.exitCode=", "metadata.name=i,"})
        EXPECT_TRUE(selects(text)) << text;
    for (const char* text : {"metadata.name=j", "spec.site!=store", "status.ready=false", "spec.node=n"})
        EXPECT_FALSE(selects(text)) << text;
}

TEST(FieldSelector, RefusesWhatIsNoField) {
    for (const char* text : {"a", "=b", "!=b", "a,b=c"}) EXPECT_FALSE(FieldSelector::parse(text)) << text;
    EXPECT_FALSE(FieldSelector::parse(std::string(5000, 'a') + "="));
    for (const char* text : {"spec.sites=a", "spec=a", "metadata.labels=a", "metadata.name.x=a", "spec..site=a",
                             "status.conditions.type=a", "spec.site.=a"})
        EXPECT_FALSE(FieldSelector::parse(text)->check(Kind::instance)) << text;
}

} // namespace
} // namespace skerry::model::test
