#include "api/kube.pb.h"
#include "api/openapi.h"
#include "api/resource.h"
#include "base/json.h"

#include <array>

namespace skerry::api {

namespace {

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
    extension.set_name("x-kubernetes-group-version-kind");
    // A JSON object is YAML.
    extension.mutable_value()->set_yaml(write_json(Json::object({{"group", own ? "skerry" : ""}, {"kind", view.name}, {"version", "v1"}})));
}

} // namespace

std::string openapi_v2(std::string_view version) {
    kube::Document document;
    document.set_swagger("2.0");
    document.mutable_info()->set_title("Skerry");
    document.mutable_info()->set_version(std::string(version));
    for (const model::KindFacts& kind : model::all_kinds()) add_path(document, facts(View::own, kind.kind));
    add_path(document, facts(View::as_namespace, model::Kind::project));
    return document.SerializeAsString();
}

} // namespace skerry::api
