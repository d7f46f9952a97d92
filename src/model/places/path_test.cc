#include "model/places/path.h"

#include "model/app.pb.h"
#include "model/example_test.h"

#include <google/protobuf/util/message_differencer.h>
#include <rapidcheck.h>

namespace skerry::model {
namespace {

using google::protobuf::util::MessageDifferencer;
using test::json;
using test::read;
using testing::HasSubstr;

App till() {
    return read<App>(R"({"metadata":{"name":"till","labels":{"tier":"store","a.b/c":"d"}},"spec":{"components":[
        {"name":"pos","image":"retail/pos:4","command":["/pos","-v"],"env":[{"name":"STORE","value":"x"},{"name":"KEY","value":"y"}],
         "ports":[{"name":"http","port":8080}]},
        {"name":"db","image":"retail/db:1","resources":{"cpu":"1"}}]}})");
}

Path path(std::string_view text) {
    auto parsed = Path::parse(App::descriptor(), text);
    EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error().message);
    return parsed.value_or(Path());
}

TEST(Path, IsWrittenAsItIsRead) {
    for (const char* text : {"spec.components[name=pos].env[name=STORE].value", "spec.state", "metadata.labels[a.b/c]",
                             "spec.components[name=pos].command", "spec.components[name=pos].health.http.path"})
        EXPECT_EQ(path(text).text(), text);
}

TEST(Path, RefusesWhatLeadsNowhere) {
    auto why = [](const std::string& text) {
        auto parsed = Path::parse(App::descriptor(), text);
        EXPECT_FALSE(parsed) << text;
        return parsed ? std::string() : parsed.error().message;
    };
    EXPECT_THAT(why("spec.componets"), HasSubstr("where one of these belongs: state, components or rollout"));
    EXPECT_THAT(why("spec.components[pos].image"), HasSubstr("[name=…]"));
    EXPECT_THAT(why("spec.components[name=pos"), HasSubstr("closing ]"));
    EXPECT_THAT(why("spec.components.image"), HasSubstr("goes on behind a plain value"));
    EXPECT_THAT(why("spec.components[name=pos].command[0]"), HasSubstr("no keys"));
    EXPECT_THAT(why("metadata.labels[]"), HasSubstr("empty key"));
    EXPECT_THAT(why("spec.state.x"), HasSubstr("plain value"));
    EXPECT_THAT(why("spec.components[name=pos]image"), HasSubstr("where a . belongs"));
    EXPECT_THAT(why(std::string(2000, '.')), HasSubstr("longer than"));
    why("");
    why(".");
    why("[");
}

TEST(Path, GetsSetsAndRemoves) {
    App app = till();
    Path value = path("spec.components[name=pos].env[name=STORE].value");
    EXPECT_EQ(get(app, value), Json("x"));
    ASSERT_TRUE(set(app, value, Json("z")));
    EXPECT_EQ(get(app, value), Json("z"));
    EXPECT_EQ(app.spec().components(0).env(0).value(), "z");
    Path added = path("spec.components[name=pos].env[name=NEW]");
    EXPECT_EQ(get(app, added), std::nullopt);
    ASSERT_TRUE(set(app, added, json(R"({"name":"NEW","value":"1"})")));
    EXPECT_EQ(app.spec().components(0).env_size(), 3);
    EXPECT_FALSE(set(app, added, json(R"({"name":"OTHER","value":"1"})")));
    EXPECT_EQ(app.spec().components(0).env_size(), 3) << "what fails changes nothing";
    ASSERT_TRUE(set(app, added, {}));
    EXPECT_EQ(app.spec().components(0).env_size(), 2);
    EXPECT_EQ(app.spec().components(0).env(1).name(), "KEY") << "the order stays";
    ASSERT_TRUE(set(app, path("metadata.labels[a.b/c]"), Json("e")));
    EXPECT_EQ(app.metadata().labels().at("a.b/c"), "e");
    ASSERT_TRUE(set(app, path("metadata.labels[a.b/c]"), {}));
    EXPECT_EQ(app.metadata().labels().size(), 1u);
    EXPECT_EQ(get(app, path("spec.components[name=pos].command")), json(R"(["/pos","-v"])"));
    auto missing = set(app, path("spec.components[name=web].image"), Json("a"));
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::not_found);
    EXPECT_FALSE(set(app, path("spec.components[name=pos].image"), Json(3)));
    EXPECT_FALSE(set(app, path("spec.components[name=pos].image"), Json()));
}

TEST(Path, WhatIsAbsentAboveIsMadeAndGoesAgain) {
    App app = till();
    Path cpu = path("spec.components[name=pos].resources.cpu");
    EXPECT_TRUE(leads_somewhere(app, cpu));
    EXPECT_FALSE(leads_somewhere(app, path("spec.components[name=web].resources.cpu")));
    ASSERT_TRUE(set(app, cpu, Json("500m")));
    EXPECT_EQ(app.spec().components(0).resources().cpu(), "500m");
    ASSERT_TRUE(set(app, cpu, {}));
    EXPECT_TRUE(MessageDifferencer::Equals(app, till()));
}

TEST(Path, HoldsWhatLiesWithin) {
    EXPECT_TRUE(path("spec.components[name=pos].env").holds(path("spec.components[name=pos].env[name=A].value")));
    EXPECT_TRUE(path("spec.state").holds(path("spec.state")));
    EXPECT_FALSE(path("spec.components[name=pos]").holds(path("spec.components[name=db].image")));
    EXPECT_FALSE(path("spec.components[name=pos].env[name=A]").holds(path("spec.components[name=pos].env")));
}

TEST(Path, DifferencesAreAsDeepAsKeysReach) {
    App to = till();
    to.mutable_spec()->mutable_components(0)->mutable_env(1)->set_value("new");
    to.mutable_spec()->mutable_components(0)->add_command("more");
    to.mutable_spec()->mutable_components(1)->mutable_resources()->set_cpu("2");
    to.mutable_spec()->mutable_components()->SwapElements(0, 1);
    (*to.mutable_metadata()->mutable_labels())["tier"] = "other";
    std::vector<std::string> texts;
    for (const Path& each : differences(till(), to)) texts.push_back(each.text());
    EXPECT_THAT(texts,
                testing::UnorderedElementsAre("metadata.labels[tier]", "spec.components[name=pos].env[name=KEY].value",
                                              "spec.components[name=pos].command", "spec.components[name=db].resources.cpu"));
}

/// Apps that have much in common.
rc::Gen<App> apps() {
    return rc::gen::exec([] {
        App app;
        app.mutable_metadata()->set_name("till");
        auto word = [](int most) { return std::string(1, static_cast<char>('a' + *rc::gen::inRange(0, most))); };
        auto flip = [] { return *rc::gen::arbitrary<bool>(); };
        for (int n = *rc::gen::inRange(0, 3); n > 0; --n) (*app.mutable_metadata()->mutable_labels())[word(3)] = word(3);
        if (flip()) app.mutable_spec()->set_state(word(2));
        for (const char* name : {"x", "y"}) {
            if (flip()) continue;
            auto& component = *app.mutable_spec()->add_components();
            component.set_name(name);
            component.set_image(word(2));
            for (int n = *rc::gen::inRange(0, 3); n > 0; --n) component.add_args(word(2));
            for (const char* key : {"K", "L", "M"}) {
                if (flip()) continue;
                auto& variable = *component.add_env();
                variable.set_name(key);
                if (flip()) variable.set_value(word(2));
            }
            if (flip()) component.mutable_resources()->set_cpu(word(2));
            if (flip()) component.mutable_health()->mutable_http()->set_port(word(2));
            if (flip()) component.mutable_health()->set_failures(static_cast<unsigned>(*rc::gen::inRange(0, 2)));
        }
        return app;
    });
}

TEST(Path, DifferencesTakenOverMakeTheSame) {
    EXPECT_TRUE(rc::check("from ⊕ differences = to, at every path", [] {
        App from = *apps(), to = *apps(), made = from;
        auto places = differences(from, to);
        for (std::size_t i = 0; i < places.size(); ++i)
            for (std::size_t n = 0; n < places.size(); ++n) RC_ASSERT(i == n || !places[i].holds(places[n]));
        for (const Path& place : places) {
            auto again = Path::parse(App::descriptor(), place.text());
            RC_ASSERT(again && *again == place);
            auto value = get(to, place);
            RC_ASSERT(value != get(from, place));
            RC_ASSERT(bool(set(made, place, value)));
            RC_ASSERT(get(made, place) == value);
        }
        RC_ASSERT(differences(made, to).empty());
    }));
}

TEST(Path, SetAndSetBackChangesNothing) {
    EXPECT_TRUE(rc::check("set, then what was there", [] {
        App app = *apps(), other = *apps();
        for (const Path& place : differences(app, other)) {
            App changed = app;
            auto before = get(changed, place);
            RC_ASSERT(bool(set(changed, place, get(other, place))));
            RC_ASSERT(bool(set(changed, place, before)));
            RC_ASSERT(differences(changed, app).empty());
        }
    }));
}

TEST(Path, AnyTextIsReadOrRefused) {
    EXPECT_TRUE(rc::check("hostile paths are bounded", [] {
        auto piece = rc::gen::element<std::string>("spec", "components", "[name=pos]", "[", "]", ".", "env", "=", "metadata",
                                                   "labels", "[a]", "\xff", "", "value", "resources", "cpu", "command");
        std::string text;
        for (const auto& each : *rc::gen::container<std::vector<std::string>>(piece)) text += each;
        auto parsed = Path::parse(App::descriptor(), text);
        if (!parsed) return;
        RC_ASSERT(parsed->text() == text);
        App app = till();
        get(app, *parsed);
        if (leads_somewhere(app, *parsed)) RC_ASSERT(bool(set(app, *parsed, {})));
    }));
}

} // namespace
} // namespace skerry::model
