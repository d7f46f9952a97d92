#include "model/app.pb.h"
#include "model/example_test.h"
#include "model/text/schema.h"

namespace skerry::model::test {
namespace {

TEST(Schema, CarriesTheComments) {
    SchemaText text;
    EXPECT_EQ(text.of(App::descriptor()),
              "What a user deploys: components, each an image with a runtime, and rules of where and how they run.");
    EXPECT_EQ(text.of(AppSpec::descriptor()->FindFieldByName("state")), "Whether its instances run.");
}

TEST(Schema, TellsTheRulesOfAField) {
    SchemaText text;
    Json schema = json_schema(Component::descriptor(), text, "#/x/");
    EXPECT_EQ(write_json(schema.at({"required"})), R"(["name","image"])");
    EXPECT_EQ(write_json(schema.at({"properties", "runtime"})),
              R"({"description":"What runs it.","type":"string","enum":["container","vm","metal"],"default":"container"})");
    EXPECT_EQ(write_json(schema.at({"properties", "resources", "allOf"})), R"([{"$ref":"#/x/skerry.v1.Resources"}])");
    EXPECT_EQ(schema.at({"properties", "ports"}).text("x-kubernetes-list-type"), "map");
    EXPECT_EQ(write_json(json_schema(Port::descriptor(), text, "").at({"properties", "port"})),
              R"({"description":"Where the component listens.","type":"integer","format":"int64","minimum":1,"maximum":65535})");
    Json app = json_schema(App::descriptor(), text, "");
    EXPECT_EQ(write_json(app.at({"x-kubernetes-group-version-kind"})), R"([{"group":"skerry","kind":"App","version":"v1"}])");
    EXPECT_FALSE(app.at({"properties", "apiVersion"}).is_null());
}

/// Every reference leads to a definition.
void check_references(const Json& value, const Json& definitions) {
    if (auto* items = value.array_items())
        for (const Json& item : *items) check_references(item, definitions);
    if (auto* members = value.members())
        for (auto& [name, member] : *members) {
            if (name == "$ref") {
                ASSERT_TRUE(member.string() && member.string()->starts_with("#/d/"));
                EXPECT_TRUE(definitions.find(member.string()->substr(4))) << *member.string();
            }
            check_references(member, definitions);
        }
}

TEST(Schema, DefinitionsAreComplete) {
    Json definitions = schema_definitions(SchemaText(), "#/d/");
    for (const KindFacts& kind : all_kinds()) EXPECT_TRUE(definitions.find(definition_name(kind.descriptor)));
    EXPECT_TRUE(definitions.find("skerry.v1.Meta"));
    EXPECT_FALSE(definitions.find("skerry.v1.LabelsEntry"));
    check_references(definitions, definitions);
}

} // namespace
} // namespace skerry::model::test
