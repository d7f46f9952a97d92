#include "model/app.pb.h"
#include "model/example_test.h"
#include "model/meta.pb.h"
#include "model/node.pb.h"
#include "model/rules/defaults.h"
#include "model/rules/validate.h"
#include "model/secret.pb.h"

#include <google/protobuf/descriptor.h>

#include <functional>

namespace skerry::model::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Validate, AcceptsTheExample) {
    EXPECT_EQ(problems_of(till()), "");
    Problems problems;
    Parsed parsed = parse_object(till(), Unknown::refuse, problems);
    apply_presets(*parsed.message);
    validate(Kind::app, *parsed.message, problems);
    EXPECT_EQ(problems.text(), "");
}

struct Case {
    const char* patch; ///< of the only component
    const char* problem;
};

class ValidateComponent : public testing::TestWithParam<Case> {};

TEST_P(ValidateComponent, Refuses) {
    EXPECT_EQ(problems_of(till_component(GetParam().patch)), std::string("spec.components[0].") + GetParam().problem);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, ValidateComponent,
    testing::Values(
        Case{R"({"resources":{"cpu":"half"}})", R"(resources.cpu: "half" is not a quantity (try 500m))"},
        Case{R"({"resources":{"memory":"-1Gi"}})", R"(resources.memory: "-1Gi" is not a quantity (try 128Mi))"},
        Case{R"({"name":null})", "name: is required"},
        Case{R"({"name":"a.b"})",
             R"(name: "a.b" is not a label (use up to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit))"},
        Case{R"({"name":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})",
             R"(name: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" has 41 bytes; at most 40 are accepted)"},
        Case{R"({"image":null})", "image: is required (such as retail/pos:4.2)"},
        Case{
            R"({"image":"docker.io/library/nginx"})",
            R"(image: "docker.io/library/nginx" names an image of another registry (push it into a project with 'skerry image push', then write project/name:tag))"},
        Case{R"({"runtime":"vm"})", R"(runtime: "vm" is not yet supported (use container))"},
        Case{R"({"runtime":"metal"})", R"(runtime: "metal" is not yet supported (use container))"},
        Case{R"({"runtime":"containr"})", R"(runtime: "containr" is not offered, did you mean container?)"},
        Case{R"({"runtime":"java"})", R"(runtime: "java" is not offered (use container))"},
        Case{R"({"workingDir":"tmp"})", R"(workingDir: "tmp" is not an absolute path without ".." (try /var/lib/app))"},
        Case{R"({"workingDir":"/a/../b"})", R"(workingDir: "/a/../b" is not an absolute path without ".." (try /var/lib/app))"},
        Case{R"({"stopGrace":"2h"})", R"(stopGrace: "2h" is longer than 1h (write that or less))"},
        Case{R"({"health":{"timeout":"1000h"}})", R"(health.timeout: "1000h" is longer than 1m (write that or less))"},
        Case{R"({"stopGrace":10})", R"(stopGrace: "10" is not a duration (try 30s or 10m))"},
        Case{R"({"ports":[{"name":"http","port":0}]})", "ports[0].port: is required"},
        Case{R"({"ports":[{"name":"http","port":65536}]})", "ports[0].port: 65536 is out of range (1 to 65535)"},
        Case{R"({"ports":[{"name":"http","port":1,"publish":0}]})", "ports[0].publish: 0 is out of range (1 to 65535)"},
        Case{R"({"ports":[{"name":"http","port":1},{"name":"http","port":2}]})",
             R"(ports[1].name: "http" is there twice (give each its own))"},
        Case{R"({"ports":[{"name":"http","port":1,"publish":9},{"name":"b","port":2,"publish":9}]})",
             "ports[1].publish: 9/tcp is published by spec.components[0].ports[0] already (choose another)"},
        Case{R"({"ports":[{"name":"http","port":1},{"name":"b","port":1}]})",
             "ports[1].port: 1/tcp is at spec.components[0].ports[0] already (remove one)"},
        Case{R"({"ports":[{"name":"http","port":1},{"name":"b","port":1,"protocol":"sctp"}]})",
             R"(ports[1].protocol: "sctp" is not offered (use tcp or udp)
spec.components[0].ports[1].port: 1/tcp is at spec.components[0].ports[0] already (remove one))"},
        Case{R"({"env":[{"name":"A"}]})", R"(env[0]: "A" has neither value nor from (write value: "" for an empty one))"},
        Case{R"({"env":[{"name":"A","value":"1","from":{"config":"c","key":"k"}}]})",
             R"(env[0]: "A" has a value and a source (keep one of value and from))"},
        Case{R"({"env":[{"name":"A","from":{"config":"c","secret":"s","key":"k"}}]})",
             "env[0].from: names a secret and a config (keep one)"},
        Case{R"({"env":[{"name":"A","from":{"key":"k"}}]})",
             "env[0].from: names neither a secret nor a config (write one of them)"},
        Case{R"({"env":[{"name":"A","from":{"secret":"s"}}]})", "env[0].from.key: is required"},
        Case{
            R"({"env":[{"name":"A=B","value":""}]})",
            R"(env[0].name: "A=B" is not a variable's name (use letters, digits, '_', '.' and '-', not beginning with a digit))"},
        Case{
            R"x({"env":[{"name":"A","value":"$(site.nam)"}]})x",
            R"x(env[0].value: "$(site.nam)" refers to nothing known (use $(site.name), $(site.values.NAME), $(node.name), $(instance.name) or $(app.name); write $$( for the characters themselves))x"},
        Case{R"({"env":[{"name":"A","value":"$(site.name"}]})",
             R"(env[0].value: "$(" is not closed (write $$( for the characters themselves))"},
        Case{R"({"health":{"tcp":{"port":"http"}}})", "health: 2 checks are given (write exactly one of http, tcp and exec)"},
        Case{R"({"health":{"http":null}})", "health: 0 checks are given (write exactly one of http, tcp and exec)"},
        Case{R"({"health":{"http":{"port":"web"}}})", R"(health.http.port: "web" is no port of this component (use http))"},
        Case{
            R"({"health":{"http":{"path":"/a b"}}})",
            R"(health.http.path: "/a b" has a space, a #, a control character or a letter beyond ASCII (write %20 and the like))"},
        Case{R"({"health":{"http":{"path":"healthz"}}})", R"(health.http.path: "healthz" does not begin with / (try /healthz))"},
        Case{R"({"health":{"http":null,"exec":{}}})", "health.exec.command: is required (at least one)"},
        Case{R"({"health":{"failures":0}})", "health.failures: 0 is out of range (1 to 100)"},
        Case{R"({"health":{"period":"soon"}})", R"(health.period: "soon" is not a duration (try 30s or 10m))"},
        Case{R"({"placement":{"mode":"binpack"}})", R"(placement.mode: "binpack" is not yet supported (use each or spread))"},
        Case{R"({"placement":{"replicas":100001}})", "placement.replicas: 100001 is out of range (at most 100000)"},
        Case{R"({"placement":{"within":{"jurisdictions":["FR","Germany"]}}})",
             R"(placement.within.jurisdictions[1]: "Germany" is not a country code of ISO 3166 (try FR))"},
        Case{
            R"({"placement":{"sites":{"matchLabels":{"tier":"a b"}}}})",
            R"(placement.sites.matchLabels.tier: "a b" is not a label's value (use up to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit))"},
        Case{R"({"placement":{"sites":{"matchExpressions":[{"key":"tier","operator":"In"}]}}})",
             "placement.sites.matchExpressions[0].values: is required with In (at least one)"},
        Case{R"({"placement":{"sites":{"matchExpressions":[{"key":"tier","operator":"in","values":["a"]}]}}})",
             R"(placement.sites.matchExpressions[0].operator: "in" is not offered, did you mean In?)"},
        Case{
            R"({"placement":{"mode":"each"},"partition":{"policy":"atLeastOnce"}})",
            R"(partition.policy: "atLeastOnce" needs placement.mode spread, since what runs at each site has no substitute elsewhere (use keep, or placement.mode: spread))"}));

class ValidateApp : public testing::TestWithParam<Case> {};

TEST_P(ValidateApp, Refuses) { EXPECT_EQ(problems_of(till(GetParam().patch)), GetParam().problem); }

INSTANTIATE_TEST_SUITE_P(
    Rules, ValidateApp,
    testing::Values(
        Case{R"({"spec":null})", "spec.components: is required (at least one)"},
        Case{R"({"spec":{"components":[]}})", "spec.components: is required (at least one)"},
        Case{R"({"metadata":null})", "metadata.name: is required"},
        Case{R"({"metadata":{"name":null}})", "metadata.name: is required"},
        Case{R"({"metadata":{"name":"Till"}})",
             R"(metadata.name: "Till" is not a name (use labels of a-z, 0-9 and '-' joined by dots, such as till or till.v2))"},
        Case{
            R"({"metadata":{"name":"till.v2"}})",
            R"(metadata.name: "till.v2" is not a label (use up to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit))"},
        Case{R"({"metadata":{"finalizers":["a"]}})",
             "metadata.finalizers: is not supported: deletes wait for nobody; remove metadata.finalizers"},
        Case{R"({"metadata":{"labels":{"-a":"b"}}})",
             R"(metadata.labels: "-a" is not a label's key (try tier or example.com/tier))"},
        Case{R"({"metadata":{"annotations":{"":"b"}}})",
             R"(metadata.annotations: "" is not a label's key (try tier or example.com/tier))"},
        Case{R"({"spec":{"state":"suspended"}})", R"(spec.state: "suspended" is not yet supported (use running or stopped))"},
        Case{R"({"spec":{"state":"hibernated"}})", R"(spec.state: "hibernated" is not yet supported (use running or stopped))"},
        Case{R"({"spec":{"state":"paused"}})", R"(spec.state: "paused" is not offered (use running or stopped))"},
        Case{R"({"spec":{"rollout":{"maxUnavailable":"101%"}}})",
             R"(spec.rollout.maxUnavailable: "101%" is neither a count nor a percentage (try 2 or 10%))"}));

std::string problems_of_spec(std::string_view kind, std::string_view rest) {
    Json object = json(rest);
    object.set("apiVersion", "skerry/v1");
    object.set("kind", kind);
    return test::problems_of(object);
}

TEST(Validate, PublishedPortsAreDistinctAcrossComponents) {
    Json app = till();
    Json second = json(
        R"({"name":"b","image":"b","ports":[{"name":"x","port":1,"publish":80},{"name":"y","port":1,"publish":80,"protocol":"udp"}]})");
    app.find("spec")->find("components")->push(second);
    EXPECT_EQ(test::problems_of(app),
              "spec.components[1].ports[0].publish: 80/tcp is published by spec.components[0].ports[0] already (choose another)");
}

TEST(Validate, HealthNeedsATcpPort) {
    EXPECT_EQ(test::problems_of(till_component(R"({"ports":[{"name":"http","port":1,"protocol":"udp"}]})")),
              R"(spec.components[0].health.http.port: "http" is a udp port (name one of tcp))");
}

TEST(Validate, SitesAndNodes) {
    EXPECT_EQ(
        problems_of_spec(
            "Site",
            R"({"metadata":{"name":"store-17"},"spec":{"parents":["core"],"location":{"latitude":48.85,"longitude":2.35,"jurisdiction":"FR"},
        "uplinks":[{"name":"wan","profile":"dsl","beat":"20s"}],"values":{"printer":"10.0.7.9"},"power":"always"}})"),
        "");
    EXPECT_THAT(problems_of_spec("Site", R"({"metadata":{"name":"store.17"}})"),
                HasSubstr("metadata.name: \"store.17\" is not a label"));
    EXPECT_THAT(problems_of_spec("Site", R"({"metadata":{"name":"a","namespace":"retail"}})"),
                HasSubstr("metadata.namespace: \"retail\" on a Site"));
    EXPECT_EQ(
        problems_of_spec(
            "Site",
            R"({"metadata":{"name":"a"},"spec":{"parents":["a","b","b"],"location":{"latitude":91},"values":{"a b":"c"},"uplinks":[{}]}})"),
        R"(spec.location.latitude: 91 is out of range (-90 to 90)
spec.uplinks[0].name: is required
spec.values: "a b" is not a key (use up to 253 letters, digits, '-', '_' and '.')
spec.parents[0]: "a" is the site itself (remove it)
spec.parents[2]: "b" is there twice (remove one)
spec.location: has a latitude without a longitude (write both))");
    EXPECT_EQ(
        problems_of_spec("Site", R"({"metadata":{"name":"a"},"spec":{"uplinks":[{"name":"wan","profile":"cellular","budget":"20M",
        "costPerGigabyte":4.5,"windows":[{"start":"0 2 * * *","lasts":"2h"}]}]}})"),
        "");
    EXPECT_THAT(
        problems_of_spec("Site",
                         R"({"metadata":{"name":"a"},"spec":{"uplinks":[{"name":"wan","profile":"satellite","budget":"90k"}]}})"),
        HasSubstr(
            R"(spec.uplinks[0].budget: "90k" a day is less than twice what the beats of a day take, one each 5m (write 93k or more)"));
    for (std::string beat : {"50ms", "25h"})
        EXPECT_THAT(
            problems_of_spec("Site", R"({"metadata":{"name":"a"},"spec":{"uplinks":[{"name":"wan","beat":")" + beat + R"("}]}})"),
            HasSubstr("spec.uplinks[0].beat: \"" + beat + "\" is "));
    EXPECT_THAT(
        problems_of_spec("Site", R"({"metadata":{"name":"a"},"spec":{"uplinks":[{"name":"wan","windows":[{"start":"0 25 * * *",
        "lasts":"30s"}]}]}})"),
        AllOf(HasSubstr(R"(spec.uplinks[0].windows[0].start: "25" is no hour of cron (use 0 to 23)"),
              HasSubstr(R"(spec.uplinks[0].windows[0].lasts: "30s" is shorter than a minute)")));
    for (const char* name : {"store", "store.n2"})
        EXPECT_EQ(problems_of_spec("Node", R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":{"site":"store"}})"),
                  "");
    for (const char* name : {"stores", "store.a.b", "other.n2", "n2"})
        EXPECT_THAT(problems_of_spec("Node", R"({"metadata":{"name":")" + std::string(name) + R"("},"spec":{"site":"store"}})"),
                    HasSubstr("does not name a node of site store (use store or store.NODE)"));
    EXPECT_EQ(problems_of_spec("Node", R"({"metadata":{"name":"n"}})"), "spec.site: is required");
}

TEST(Validate, SecretsAndConfigs) {
    EXPECT_EQ(problems_of_spec("Secret", R"({"metadata":{"name":"a"},"data":{"tls.crt":"YQ=="},"stringData":{"b_c":"d"}})"), "");
    EXPECT_THAT(problems_of_spec("Secret", R"({"metadata":{"name":"a"},"stringData":{"b/c":"d"}})"),
                HasSubstr("stringData: \"b/c\" is not a key"));
    EXPECT_THAT(problems_of_spec("Config", R"({"metadata":{"name":"a"},"data":{"..":"d"}})"),
                HasSubstr("data: \"..\" is not a key"));
    Config config;
    config.mutable_metadata()->set_name("a");
    (*config.mutable_data())["k"] = std::string(largest_data - 1, 'x');
    Problems fits, large, huge;
    validate(Kind::config, config, fits);
    EXPECT_EQ(fits.text(), "");
    (*config.mutable_data())["k"] += 'x';
    validate(Kind::config, config, large);
    EXPECT_THAT(large.text(), HasSubstr("data: 524289 bytes of keys and values; at most 524288 are accepted"));
    (*config.mutable_data())["k"] = std::string(largest_object, 'x');
    validate(Kind::config, config, huge);
    EXPECT_THAT(huge.text(), HasSubstr("at most 786432 are accepted"));
}

TEST(Validate, Images) {
    EXPECT_EQ(
        problems_of_spec(
            "Image",
            R"({"metadata":{"name":"pos","namespace":"retail"},"spec":{"tags":[{"name":"4.2","size":"3Mi","digest":"sha256:)" +
                std::string(64, 'a') + R"("}]}})"),
        "");
    EXPECT_THAT(problems_of_spec("Image", R"({"metadata":{"name":"pos"},"spec":{"tags":[{"name":".x","digest":"sha256:A"}]}})"),
                AllOf(HasSubstr("spec.tags[0].name: \".x\" is not a tag"),
                      HasSubstr("spec.tags[0].digest: \"sha256:A\" is not a digest")));
}

TEST(Validate, BoundsOfLists) {
    Json app = till();
    for (int i = 0; i < 33; ++i)
        app.find("spec")->find("components")->push(json(R"({"name":"c)" + std::to_string(i) + R"(","image":"a"})"));
    EXPECT_EQ(test::problems_of(app), "spec.components: has 34 items; at most 32 are accepted");
}

TEST(Validate, UpdatesKeepWhatStaysForEver) {
    Node before = read<Node>(R"({"metadata":{"name":"a.b"},"spec":{"site":"a"}})");
    Node after = before;
    Problems problems;
    after.mutable_spec()->set_unschedulable(true);
    validate_update(Kind::node, before, after, problems);
    EXPECT_EQ(problems.text(), "");
    after.mutable_spec()->set_site("b");
    validate_update(Kind::node, before, after, problems);
    EXPECT_EQ(problems.text(), R"(spec.site: "b" would change what stays for ever, "a" (delete the object and create it anew))");
}

TEST(Validate, Formats) {
    struct Examples {
        const char* format;
        std::vector<std::string> good, bad;
    };
    const std::vector<Examples> all{
        {"label", {"a", "a-b", "0", std::string(63, 'a')}, {"", "-a", "a-", "A", "a_b", "a.b", std::string(64, 'a')}},
        {"name", {"a", "a.b", "a-1.b"}, {"", ".", "a.", ".a", "a..b", "A", std::string(254, 'a')}},
        {"share", {"0", "1", "10%", "100%"}, {"", "%", "-1", "1.5", "101%", "10 %", "99999999999999999999"}},
        {"duration", {"0", "10s", "1h30m"}, {"", "10", "-1s", "1 h", "10sec"}},
        {"path", {"/", "/a", "/a..b", "/a/..."}, {"", "a", "/..", "/a/..", "/../a"}},
        {"digest",
         {"sha256:" + std::string(64, '0')},
         {"", "sha256:", "sha256:" + std::string(64, 'A'), "md5:" + std::string(64, '0')}},
        {"host",
         {"core:7443", "10.0.0.1:1", "[::1]:65535", "a.b:80"},
         {"", "core", "core:", "core:0", "core:65536", ":80", "[::1:80", "core:08"}},
        {"ip",
         {"0.0.0.0", "255.255.255.255", "::", "::1", "fe80::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1::"},
         {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4.", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
          "g::", ":1", "1:"}},
        {"country", {"FR"}, {"", "fr", "F", "FRA"}},
        {"label-key", {"a", "example.com/a", "A_b.c"}, {"", "/a", "a/", "a/b/c", "Ex.com/a", "-a"}},
        {"label-value", {"", "a", "A-1_b.c"}, {"-", "a-", "a b", std::string(64, 'a')}},
        {"port", {"1", "65535"}, {"", "0", "65536", "01", "+1", " 1", "a"}},
        {"time", {"2026-03-01T12:00:00Z"}, {"", "yesterday", "2026-13-01T12:00:00Z"}},
        {"tag", {"latest", "4.2", "_a", std::string(128, 'a')}, {"", ".a", "-a", "a b", std::string(129, 'a')}},
        {"image",
         {"pos", "pos:4.2", "retail/pos", "retail/pos@sha256:" + std::string(64, '0')},
         {"", ":", "Pos", "a/b/c", "a//b", "pos:", "pos@x"}},
        {"env-name", {"A", "_a", "a.b-c"}, {"", "1A", "A=", "A B"}},
        {"quantity.cpu", {"500m", "2", "0.5"}, {"", "half", "-1", "0x10", "1 "}},
        {"quantity.bytes", {"128Mi", "1e9", "0"}, {"", "1MiB", "-1", "inf", "nan"}},
    };
    for (const Examples& each : all) {
        for (const std::string& text : each.good) EXPECT_EQ(format_problem(each.format, text), "") << each.format << " " << text;
        for (const std::string& text : each.bad) EXPECT_NE(format_problem(each.format, text), "") << each.format << " " << text;
    }
}

TEST(Validate, EveryFormatOfTheSchemaIsKnown) {
    for (const KindFacts& kind : all_kinds()) {
        auto message = new_message(kind.kind);
        // A message with every text set to nonsense reaches every format.
        std::function<void(google::protobuf::Message&)> fill = [&](google::protobuf::Message& m) {
            for (int i = 0; i < m.GetDescriptor()->field_count(); ++i) {
                const auto* field = m.GetDescriptor()->field(i);
                const auto* reflection = m.GetReflection();
                using Field = google::protobuf::FieldDescriptor;
                if (field->cpp_type() == Field::CPPTYPE_STRING)
                    field->is_repeated() ? reflection->AddString(&m, field, "\x01 nonsense")
                                         : reflection->SetString(&m, field, "\x01 nonsense");
                else if (field->cpp_type() == Field::CPPTYPE_MESSAGE && field->message_type() != m.GetDescriptor())
                    fill(field->is_repeated() ? *reflection->AddMessage(&m, field) : *reflection->MutableMessage(&m, field));
            }
        };
        fill(*message);
        Problems problems;
        validate(kind.kind, *message, problems);
        EXPECT_THAT(problems.text(), testing::Not(HasSubstr("this build does not know")));
        EXPECT_FALSE(problems.empty());
    }
}

} // namespace
} // namespace skerry::model::test
