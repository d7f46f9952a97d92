#include "api/discovery.h"

#include "api/openapi.h"
#include "api/resource.h"
#include "api/status.h"
#include "model/category.h"
#include "model/text/mapping.h"

#include <algorithm>

namespace skerry::api {

namespace {

Json verbs(bool writable) {
    Json verbs = Json::array({"get", "list", "watch"});
    if (writable)
        for (const char* verb : {"create", "update", "patch", "delete"}) verbs.push(verb);
    return verbs;
}

Json resource(const ViewFacts& view, const model::KindFacts* own) {
    Json json = Json::object({{"name", view.plural},
                              {"singularName", view.singular},
                              {"namespaced", view.namespaced},
                              {"kind", view.name},
                              {"verbs", verbs(view.writable)}});
    Json short_names = Json::array();
    if (own)
        for (std::string_view name : own->short_names) short_names.push(name);
    else if (view.view == View::as_namespace)
        short_names.push("ns");
    else if (view.view == View::as_pod)
        short_names.push("po");
    else
        short_names.push("ev");
    if (!short_names.array_items()->empty()) json.set("shortNames", std::move(short_names));
    if (own) {
        Json categories = Json::array({"skerry"});
        if (std::ranges::find(model::category_all, own->kind) != model::category_all.end()) categories.push("all");
        json.set("categories", std::move(categories));
    }
    return json;
}

Json own_resources() {
    Json list = Json::array();
    for (const model::KindFacts& kind : model::all_kinds()) {
        ViewFacts view = facts(View::own, kind.kind);
        list.push(resource(view, &kind));
        list.push(Json::object({{"name", std::string(view.plural) + "/status"},
                                {"singularName", ""},
                                {"namespaced", view.namespaced},
                                {"kind", view.name},
                                {"verbs", Json::array({"get", "patch", "update"})}}));
    }
    return Json::object({{"kind", "APIResourceList"},
                         {"apiVersion", "v1"},
                         {"groupVersion", model::api_version},
                         {"resources", std::move(list)}});
}

Json core_resources() {
    Json list = Json::array();
    list.push(resource(facts(View::as_namespace, model::Kind::project), nullptr));
    list.push(resource(facts(View::as_event, model::Kind::event), nullptr));
    list.push(resource(facts(View::as_pod, model::Kind::instance), nullptr));
    list.push(Json::object(
        {{"name", "pods/log"}, {"singularName", ""}, {"namespaced", true}, {"kind", "Pod"}, {"verbs", Json::array({"get"})}}));
    return Json::object({{"kind", "APIResourceList"}, {"groupVersion", "v1"}, {"resources", std::move(list)}});
}

Json group() {
    Json version = Json::object({{"groupVersion", model::api_version}, {"version", "v1"}});
    return Json::object({{"name", "skerry"}, {"versions", Json::array({version})}, {"preferredVersion", version}});
}

Json version_json(std::string_view version) {
    // Clients of Kubernetes compare major and minor with their own; ours speaks the API machinery of 1.28.
    return Json::object({{"major", "1"},
                         {"minor", "28"},
                         {"gitVersion", "v1.28.0+skerry-" + std::string(version)},
                         {"platform", "linux"},
                         {"skerryVersion", version}});
}

} // namespace

std::optional<http::Response> discover(std::string_view path, std::string_view version) {
    while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    if (path == "/version") return json_response(200, version_json(version));
    if (path == "/api")
        return json_response(200, Json::object({{"kind", "APIVersions"},
                                                {"versions", Json::array({"v1"})},
                                                {"serverAddressByClientCIDRs", Json::array()}}));
    if (path == "/apis")
        return json_response(200,
                             Json::object({{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", Json::array({group()})}}));
    if (path == "/api/v1") return json_response(200, core_resources());
    if (path == "/apis/skerry") {
        Json one = Json::object({{"kind", "APIGroup"}, {"apiVersion", "v1"}});
        Json ours = group();
        for (auto& [name, value] : *ours.members()) one.set(name, value);
        return json_response(200, one);
    }
    if (path == "/apis/skerry/v1") return json_response(200, own_resources());
    if (path == "/openapi/v2") {
        http::Response response = http::Response::text(200, openapi_v2(version));
        response.headers.set("Content-Type", std::string(openapi_v2_type));
        return response;
    }
    if (path == "/openapi/v3") return json_response(200, openapi_index());
    if (path == "/openapi/v3/apis/skerry/v1") return http::Response::json(200, openapi_own(version));
    if (path == "/openapi/v3/api/v1") return http::Response::json(200, openapi_core(version));
    return {};
}

} // namespace skerry::api
