#include "api/kube.pb.h"
#include "api/openapi.h"
#include "api/resource.h"
#include "base/json.h"
#include "model/text/schema.h"

namespace skerry::api {

namespace {

constexpr std::string_view definitions_ref = "#/definitions/";
constexpr const char* kind_extension = "x-kubernetes-group-version-kind";

std::string kind_as_yaml(const ViewFacts& view) {
    return write_json(Json::object({{"group", view.view == View::own ? "skerry" : ""}, {"kind", view.name}, {"version", "v1"}}));
}

/// The parts of a JSON Schema that `kubectl explain` shows.
void fill(kube::Document::Schema& schema, const Json& json) {
    schema.set_ref(std::string(json.text("$ref")));
    schema.set_format(std::string(json.text("format")));
    schema.set_description(std::string(json.text("description")));
    if (auto type = json.text("type"); !type.empty()) schema.mutable_type()->add_value(std::string(type));
    if (const Json* required = json.find("required"); required && required->array_items())
        for (const Json& name : *required->array_items())
            if (name.string()) schema.add_required(*name.string());
    if (const Json* items = json.find("items")) fill(*schema.mutable_items()->add_schema(), *items);
    if (const Json* values = json.find("additionalProperties"); values && values->members())
        fill(*schema.mutable_additional_properties()->mutable_schema(), *values);
    // OpenAPI 3.0 wraps a reference that has a description of its own.
    if (const Json* all = json.find("allOf"); all && all->array_items() && !all->array_items()->empty())
        schema.set_ref(std::string(all->array_items()->front().text("$ref")));
    if (const Json* properties = json.find("properties"); properties && properties->members())
        for (auto& [name, value] : *properties->members()) {
            auto& named = *schema.mutable_properties()->add_named();
            named.set_name(name);
            fill(*named.mutable_value(), value);
        }
}

void add_definitions(kube::Document& document) {
    Json schemas = model::schema_definitions(model::SchemaText(), definitions_ref);
    for (auto& [name, json] : *schemas.members()) {
        auto& named = *document.mutable_definitions()->add_named();
        named.set_name(name);
        fill(*named.mutable_value(), json);
        for (const model::KindFacts& kind : model::all_kinds()) {
            if (model::definition_name(kind.descriptor) != name) continue;
            auto& extension = *named.mutable_value()->add_extensions();
            extension.set_name(kind_extension);
            extension.mutable_value()->set_yaml("[" + kind_as_yaml(facts(View::own, kind.kind)) + "]");
        }
    }
}

void add_path(kube::Document& document, const ViewFacts& view) {
    bool own = view.view == View::own;
    std::string path = own ? "/apis/skerry/v1/" : "/api/v1/";
    if (view.namespaced) path += "namespaces/{namespace}/";
    auto& item = *document.mutable_paths()->add_path();
    item.set_name(path + std::string(view.plural) + "/{name}");
    auto& patch = *item.mutable_value()->mutable_patch();
    patch.set_operation_id("patch" + std::string(view.name));
    for (const char* name : {"dryRun", "fieldValidation"}) {
        auto& query = *patch.add_parameters()->mutable_parameter()->mutable_non_body()->mutable_query();
        query.set_in("query");
        query.set_name(name);
        query.set_type("string");
    }
    auto& extension = *patch.add_extensions();
    extension.set_name(kind_extension);
    // A JSON object is YAML.
    extension.mutable_value()->set_yaml(kind_as_yaml(view));
}

} // namespace

std::string openapi_v2(std::string_view version) {
    kube::Document document;
    document.set_swagger("2.0");
    document.mutable_info()->set_title("Skerry");
    document.mutable_info()->set_version(std::string(version));
    for (const model::KindFacts& kind : model::all_kinds()) add_path(document, facts(View::own, kind.kind));
    add_path(document, facts(View::as_namespace, model::Kind::project));
    add_definitions(document);
    return document.SerializeAsString();
}

} // namespace skerry::api
