#include "api/openapi.h"

#include "api/resource.h"
#include "model/text/mapping.h"
#include "model/text/schema.h"

#include <array>

namespace skerry::api {

namespace {

constexpr std::string_view schemas_ref = "#/components/schemas/";

Json group_version_kind(const ViewFacts& view) {
    bool own = view.view == View::own;
    return Json::object({{"group", own ? "skerry" : ""}, {"version", "v1"}, {"kind", view.name}});
}

Json parameter(std::string_view name, std::string_view in, std::string_view description, bool required = false) {
    Json json =
        Json::object({{"name", name}, {"in", in}, {"description", description}, {"schema", Json::object({{"type", "string"}})}});
    if (required) json.set("required", true);
    return json;
}

Json operation(const ViewFacts& view, std::string_view action, std::string_view schema, bool writes) {
    Json content =
        Json::object({{"application/json",
                       Json::object({{"schema", Json::object({{"$ref", std::string(schemas_ref) + std::string(schema)}})}})}});
    Json json = Json::object({{"operationId", std::string(action) + std::string(view.name)},
                              {"responses", Json::object({{"200", Json::object({{"description", "OK"}, {"content", content}})}})},
                              {"x-kubernetes-action", action},
                              {"x-kubernetes-group-version-kind", group_version_kind(view)}});
    if (!writes) return json;
    json.set("parameters",
             Json::array({parameter("dryRun", "query", "All: check everything, change nothing"),
                          parameter("fieldValidation", "query",
                                    "Strict (the default), Warn or Ignore: what becomes of fields the schema does not have")}));
    std::string_view type = action == "patch" ? "application/merge-patch+json" : "application/json";
    if (action != "delete")
        json.set("requestBody",
                 Json::object({{"content", Json::object({{type == "application/json" ? "application/json" : std::string(type),
                                                          Json::object({{"schema", Json::object({{"type", "object"}})}})}})}}));
    return json;
}

void add_paths(Json& paths, const ViewFacts& view, std::string_view schema) {
    std::string base = view.view == View::own ? "/apis/skerry/v1/" : "/api/v1/";
    if (view.namespaced) {
        paths.set(base + std::string(view.plural), Json::object({{"get", operation(view, "list", schema, false)}}));
        base += "namespaces/{namespace}/";
    }
    base += view.plural;
    Json shared = Json::array();
    if (view.namespaced) shared.push(parameter("namespace", "path", "the project", true));
    Json collection = Json::object({{"parameters", shared}, {"get", operation(view, "list", schema, false)}});
    if (view.writable) collection.set("post", operation(view, "post", schema, true));
    shared.push(parameter("name", "path", "the object's name", true));
    Json one = Json::object({{"parameters", shared}, {"get", operation(view, "get", schema, false)}});
    if (view.writable)
        for (const char* verb : {"put", "patch", "delete"}) one.set(verb, operation(view, verb, schema, true));
    paths.set(base, std::move(collection));
    paths.set(base + "/{name}", std::move(one));
}

std::string document(std::string_view version, Json paths, Json schemas) {
    return write_json(Json::object({{"openapi", "3.0.0"},
                                    {"info", Json::object({{"title", "Skerry"}, {"version", version}})},
                                    {"paths", std::move(paths)},
                                    {"components", Json::object({{"schemas", std::move(schemas)}})}}));
}

} // namespace

Json openapi_index() {
    auto entry = [](std::string_view path) { return Json::object({{"serverRelativeURL", "/openapi/v3/" + std::string(path)}}); };
    return Json::object({{"paths", Json::object({{"apis/skerry/v1", entry("apis/skerry/v1")}, {"api/v1", entry("api/v1")}})}});
}

std::string openapi_own(std::string_view version) {
    model::SchemaText comments;
    Json schemas = model::schema_definitions(comments, schemas_ref);
    Json paths = Json::object();
    for (const model::KindFacts& kind : model::all_kinds()) {
        ViewFacts view = facts(View::own, kind.kind);
        std::string definition = model::definition_name(kind.descriptor);
        add_paths(paths, view, definition);
        if (Json* schema = schemas.find(definition))
            schema->set("x-kubernetes-group-version-kind", Json::array({group_version_kind(view)}));
    }
    return document(version, std::move(paths), std::move(schemas));
}

std::string openapi_core(std::string_view version) {
    static constexpr std::array views{std::pair{View::as_namespace, model::Kind::project},
                                      std::pair{View::as_event, model::Kind::event},
                                      std::pair{View::as_pod, model::Kind::instance}};
    static constexpr std::string_view meanings[] = {"A Project, as Kubernetes' tools know it.",
                                                    "An Event, as Kubernetes' tools know it.",
                                                    "An Instance, as Kubernetes' tools know it; read-only."};
    Json paths = Json::object(), schemas = Json::object();
    for (std::size_t i = 0; i < views.size(); ++i) {
        ViewFacts view = facts(views[i].first, views[i].second);
        std::string definition = "io.k8s.api.core.v1." + std::string(view.name);
        add_paths(paths, view, definition);
        Json text = Json::object({{"type", "string"}}), any = Json::object({{"type", "object"}});
        schemas.set(
            definition,
            Json::object(
                {{"type", "object"},
                 {"description", meanings[i]},
                 {"properties",
                  Json::object({{"apiVersion", text}, {"kind", text}, {"metadata", any}, {"spec", any}, {"status", any}})},
                 {"x-kubernetes-group-version-kind", Json::array({group_version_kind(view)})}}));
    }
    return document(version, std::move(paths), std::move(schemas));
}

} // namespace skerry::api
