#include "model/app.pb.h"
#include "model/example_test.h"
#include "model/instance.pb.h"
#include "model/parts.h"
#include "model/secret.pb.h"
#include "model/site.pb.h"
#include "model/text/mapping.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>
#include <rapidcheck.h>

namespace skerry::model::test {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using testing::HasSubstr;

TEST(Mapping, ReadsAndWritesAnObjectUnchanged) {
    Problems problems;
    Parsed parsed = parse_object(till(), Unknown::refuse, problems);
    ASSERT_TRUE(problems.empty()) << problems.text();
    EXPECT_EQ(write_json(write_object(Kind::app, *parsed.message)), write_json(till()).c_str());
}

TEST(Mapping, KeepsPresentZeros) {
    auto placement = read<Placement>(R"({"replicas":0})");
    EXPECT_TRUE(placement.has_replicas());
    EXPECT_EQ(write_json(to_json(placement)), R"({"replicas":0})");
    EXPECT_EQ(write_json(to_json(read<Placement>("{}"))), "{}");
    EXPECT_FALSE(read<Placement>(R"({"replicas":null})").has_replicas());
}

TEST(Mapping, TakesNumbersForQuantities) {
    EXPECT_EQ(read<Resources>(R"({"cpu":2,"memory":1000000000})").cpu(), "2");
    EXPECT_EQ(read<Resources>(R"({"cpu":0.5})").cpu(), "0.5");
    EXPECT_EQ(read<Resources>(R"({"memory":1e9})").memory(), "1000000000");
    EXPECT_EQ(read<Rollout>(R"({"maxUnavailable":3})").max_unavailable(), "3");
}

TEST(Mapping, CollectsAllProblemsWithTheirPaths) {
    Problems problems;
    parse_object(
        till_component(R"({"image":5,"command":"sh","placment":{},"ports":[{"name":"a","port":"80"},null],"stop_grace":"1s",
        "placement":{"replicas":-1,"sites":{"matchLabels":{"a/b.c":true}}},"resources":[],"nonsense":1})"),
        Unknown::refuse, problems);
    EXPECT_EQ(problems.text(), R"(spec.components[0].image: 5 is not a string (write it in quotes: "5")
spec.components[0].command: "sh" is not a list
spec.components[0].resources: a list is not an object
spec.components[0].ports[0].port: "80" is not an integer
spec.components[0].ports[1]: null in a list (remove it)
spec.components[0].placement.replicas: -1 is out of range (0 to 4294967295)
spec.components[0].placement.sites.matchLabels[a/b.c]: true is not a string (write it in quotes: "true")
spec.components[0].placment: unknown field, did you mean placement?
spec.components[0].stop_grace: unknown field, did you mean stopGrace?
spec.components[0].nonsense: unknown field (known here: name, runtime, image, command, args, workingDir, user, resources, ports, env, health, placement, partition or stopGrace))");
}

TEST(Mapping, UnknownFieldsByMode) {
    for (auto [mode, problems_wanted, warnings_wanted] :
         {std::tuple(Unknown::refuse, 1u, 0u), {Unknown::warn, 0u, 1u}, {Unknown::ignore, 0u, 0u}}) {
        Problems problems;
        Parsed parsed = parse_object(till(R"({"metadata":{"lables":{}}})"), mode, problems);
        EXPECT_EQ(problems.count(), problems_wanted);
        EXPECT_EQ(problems.warnings().size(), warnings_wanted);
        EXPECT_EQ(metadata(*parsed.message).name(), "till");
    }
}

TEST(Mapping, IntegersAreIntegralAndInRange) {
    EXPECT_EQ(read<Placement>(R"({"replicas":3.0})").replicas(), 3u);
    for (const char* bad : {"1.5", "-1", "4294967296", "1e300", "true", "\"1\"", "[]", "{}"}) {
        Placement placement;
        Problems problems;
        from_json(json(std::string(R"({"replicas":)") + bad + "}"), placement, problems);
        EXPECT_EQ(problems.count(), 1u) << bad;
        EXPECT_FALSE(placement.has_replicas()) << bad;
    }
}

TEST(Mapping, BytesAreBase64) {
    auto secret = read<Secret>(R"({"data":{"key":"AP8=","b.c":"YQ=="}})");
    EXPECT_EQ(secret.data().at("key"), std::string("\0\xff", 2));
    EXPECT_EQ(write_json(to_json(secret)), R"({"data":{"b.c":"YQ==","key":"AP8="}})");
    Problems problems;
    from_json(json(R"({"data":{"key":"%%"}})"), secret, problems);
    EXPECT_THAT(problems.text(), HasSubstr("data.key: not base64"));
}

TEST(Mapping, RefusesZeroBytes) {
    Problems problems;
    EnvVar env;
    from_json(json(R"({"name":"A\u0000B","value":"x"})"), env, problems);
    EXPECT_THAT(problems.text(), HasSubstr("zero byte"));
    Config config;
    from_json(json(R"({"data":{"a\u0000":"x"}})"), config, problems);
    EXPECT_EQ(problems.count(), 2u);
}

TEST(Mapping, ShowsZerosOfStatusButNotOfMetadata) {
    Instance instance;
    instance.mutable_metadata()->set_name("i");
    instance.mutable_status();
    Json out = write_object(Kind::instance, instance, 7);
    EXPECT_EQ(write_json(out.at({"metadata"})), R"({"name":"i","resourceVersion":"7"})");
    EXPECT_EQ(*out.at({"status", "restarts"}).integer(), 0);
    EXPECT_EQ(*out.at({"status", "ready"}).boolean(), false);
    EXPECT_TRUE(out.at({"status", "exitCode"}).is_null());
}

TEST(Mapping, NamesTheKindsItKnows) {
    EXPECT_THAT(problems_of(json(R"({"apiVersion":"v1","kind":"Ap"})")),
                testing::AllOf(HasSubstr("apiVersion: \"v1\" is not known here (write skerry/v1)"),
                               HasSubstr("kind: \"Ap\" is not a kind, did you mean App?")));
    EXPECT_THAT(problems_of(json(R"({})")), testing::AllOf(HasSubstr("apiVersion: missing"), HasSubstr("kind: missing")));
    EXPECT_THAT(problems_of(json("[]")), HasSubstr("a list is not an object"));
    EXPECT_THAT(problems_of(json(R"({"apiVersion":7,"kind":[]})")), HasSubstr("kind: a list is not a kind"));
}

TEST(Mapping, ProblemsAreBounded) {
    Json labels = Json::object();
    for (int i = 0; i < 5000; ++i) labels.set("k" + std::to_string(i), i);
    Json app = till();
    app.find("metadata")->set("labels", labels);
    Problems problems;
    parse_object(app, Unknown::refuse, problems);
    EXPECT_EQ(problems.count(), 5000u);
    EXPECT_EQ(problems.list().size(), Problems::kept);
    EXPECT_THAT(problems.text(), HasSubstr("and 4936 more problems"));
}

TEST(Mapping, LongNamesAndValuesAreCutInMessages) {
    Problems problems;
    Json app = till();
    app.set(std::string(100'000, 'x'), 1);
    app.find("metadata")->set("uid", Json::array({Json(std::string(100'000, 'y'))}));
    parse_object(app, Unknown::refuse, problems);
    EXPECT_EQ(problems.count(), 2u);
    EXPECT_LT(problems.text().size(), 1000u);
}

TEST(Mapping, SchemaHasOnlyTypesOfTheApi) {
    std::vector<const google::protobuf::Descriptor*> open;
    std::set<const google::protobuf::Descriptor*> seen;
    for (const KindFacts& kind : all_kinds()) open.push_back(kind.descriptor);
    while (!open.empty()) {
        const auto* next = open.back();
        open.pop_back();
        if (!seen.insert(next).second) continue;
        for (int i = 0; i < next->field_count(); ++i) {
            const FieldDescriptor* field = next->field(i);
            auto type = field->cpp_type();
            EXPECT_TRUE(type == FieldDescriptor::CPPTYPE_STRING || type == FieldDescriptor::CPPTYPE_BOOL ||
                        type == FieldDescriptor::CPPTYPE_UINT32 || type == FieldDescriptor::CPPTYPE_INT32 ||
                        type == FieldDescriptor::CPPTYPE_DOUBLE || type == FieldDescriptor::CPPTYPE_MESSAGE)
                << field->full_name();
            if (field->is_map()) {
                EXPECT_EQ(field->message_type()->map_key()->cpp_type(), FieldDescriptor::CPPTYPE_STRING) << field->full_name();
            }
            if (field->message_type()) open.push_back(field->message_type());
        }
    }
}

/// A message with random fields of its descriptor, everything that JSON can carry.
void fill(Message& message, int depth) {
    const auto* reflection = message.GetReflection();
    auto text = [] { return *rc::gen::container<std::string>(rc::gen::inRange<char>('!', '~')); };
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
        const FieldDescriptor* field = message.GetDescriptor()->field(i);
        int times = *rc::gen::inRange(0, field->is_repeated() ? 3 : 2);
        bool list = field->is_repeated();
        std::set<std::string> keys;
        for (int n = 0; n < times; ++n) switch (field->cpp_type()) {
            case FieldDescriptor::CPPTYPE_STRING:
                list ? reflection->AddString(&message, field, text()) : reflection->SetString(&message, field, text());
                break;
            case FieldDescriptor::CPPTYPE_BOOL:
                reflection->SetBool(&message, field, *rc::gen::arbitrary<bool>());
                break;
            case FieldDescriptor::CPPTYPE_UINT32: {
                auto value = *rc::gen::arbitrary<std::uint32_t>();
                list ? reflection->AddUInt32(&message, field, value) : reflection->SetUInt32(&message, field, value);
                break;
            }
            case FieldDescriptor::CPPTYPE_INT32:
                reflection->SetInt32(&message, field, *rc::gen::arbitrary<std::int32_t>());
                break;
            case FieldDescriptor::CPPTYPE_DOUBLE:
                reflection->SetDouble(&message, field, *rc::gen::arbitrary<int>() / 64.0);
                break;
            default:
                if (depth == 0) break;
                if (field->is_map()) {
                    std::string key = "k" + std::to_string(n);
                    Message* entry = reflection->AddMessage(&message, field);
                    entry->GetReflection()->SetString(entry, field->message_type()->map_key(), key);
                    entry->GetReflection()->SetString(entry, field->message_type()->map_value(), text());
                } else
                    fill(list ? *reflection->AddMessage(&message, field) : *reflection->MutableMessage(&message, field),
                         depth - 1);
            }
    }
}

TEST(Mapping, EveryMessageSurvivesJson) {
    EXPECT_TRUE(rc::check("message → JSON text → message", [] {
        for (const KindFacts& kind : all_kinds()) {
            auto message = new_message(kind.kind);
            fill(*message, 4);
            Result<Json> parsed = parse_json(write_json(write_object(kind.kind, *message)));
            RC_ASSERT(parsed.has_value());
            Problems problems;
            Parsed again = parse_object(*parsed, Unknown::refuse, problems);
            RC_ASSERT(problems.text() == "");
            // A metadata that was absent is present but empty.
            if (!message->GetReflection()->HasField(*message, kind.descriptor->FindFieldByName("metadata")))
                metadata(*message) = Meta();
            RC_ASSERT(google::protobuf::util::MessageDifferencer::Equals(*message, *again.message));
        }
    }));
}

/// Any JSON value at all, for any kind: problems perhaps, never a crash.
Json any_json(int depth) {
    switch (*rc::gen::inRange(0, depth > 0 ? 7 : 5)) {
    case 0:
        return {};
    case 1:
        return Json(*rc::gen::arbitrary<bool>());
    case 2:
        return Json(*rc::gen::arbitrary<std::int64_t>());
    case 3:
        return Json(*rc::gen::arbitrary<double>());
    case 4:
        return Json(*rc::gen::arbitrary<std::string>());
    case 5: {
        Json items = Json::array();
        for (int i = *rc::gen::inRange(0, 3); i > 0; --i) items.push(any_json(depth - 1));
        return items;
    }
    default: {
        static const std::vector<std::string> names{"metadata", "name",  "spec", "status", "components", "labels",
                                                    "data",     "ports", "port", "env",    "conditions", "x"};
        Json members = Json::object();
        for (int i = *rc::gen::inRange(0, 5); i > 0; --i) members.set(*rc::gen::elementOf(names), any_json(depth - 1));
        return members;
    }
    }
}

TEST(Mapping, NoJsonIsTooStrange) {
    EXPECT_TRUE(rc::check([] {
        for (const KindFacts& kind : all_kinds()) {
            Json object = any_json(5);
            if (object.members()) object.set("kind", kind.name), object.set("apiVersion", "skerry/v1");
            problems_of(object);
        }
    }));
}

} // namespace
} // namespace skerry::model::test
