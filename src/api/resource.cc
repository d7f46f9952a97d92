#include "api/resource.h"

#include "model/text/mapping.h"

#include <array>

namespace skerry::api {

namespace {

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> parts;
    while (!path.empty()) {
        std::size_t slash = path.find('/');
        std::string_view part = path.substr(0, slash);
        if (!part.empty()) parts.emplace_back(part);
        if (slash == std::string_view::npos) break;
        path.remove_prefix(slash + 1);
    }
    return parts;
}

constexpr std::array core_views{std::pair<std::string_view, View>{"namespaces", View::as_namespace},
                                std::pair<std::string_view, View>{"events", View::as_event},
                                std::pair<std::string_view, View>{"pods", View::as_pod}};

model::Kind kind_of(View view) {
    switch (view) {
    case View::as_namespace:
        return model::Kind::project;
    case View::as_event:
        return model::Kind::event;
    default:
        return model::Kind::instance;
    }
}

/// What follows PLURAL.
std::optional<Resource> with_rest(Resource resource, const std::vector<std::string>& parts, std::size_t at) {
    if (parts.size() > at) resource.name = parts[at];
    if (parts.size() > at + 1) resource.subresource = parts[at + 1];
    if (parts.size() > at + 2) return {};
    return resource;
}

std::optional<Resource> parse_own(const std::vector<std::string>& parts, std::size_t at) {
    Resource resource;
    if (parts.size() > at + 2 && parts[at] == "namespaces") {
        resource.project = parts[at + 1];
        at += 2;
    }
    if (parts.size() <= at) return {};
    for (const model::KindFacts& kind : model::all_kinds())
        if (kind.plural == parts[at]) {
            if (kind.fleet_wide && !resource.project.empty()) return {};
            resource.kind = kind.kind;
            return with_rest(std::move(resource), parts, at + 1);
        }
    return {};
}

std::optional<Resource> parse_core(const std::vector<std::string>& parts, std::size_t at) {
    Resource resource;
    if (parts.size() > at + 2 && parts[at] == "namespaces") {
        resource.project = parts[at + 1];
        at += 2;
    }
    if (parts.size() <= at) return {};
    for (auto& [plural, view] : core_views)
        if (plural == parts[at]) {
            if (view == View::as_namespace && !resource.project.empty()) return {};
            resource.view = view;
            resource.kind = kind_of(view);
            return with_rest(std::move(resource), parts, at + 1);
        }
    return {};
}

} // namespace

std::optional<Resource> parse_path(std::string_view path) {
    std::vector<std::string> parts = split(path);
    std::optional<Resource> resource;
    if (parts.size() >= 4 && parts[0] == "apis" && parts[1] == "skerry" && parts[2] == "v1") resource = parse_own(parts, 3);
    if (parts.size() >= 3 && parts[0] == "api" && parts[1] == "v1") resource = parse_core(parts, 2);
    // An object of a project is named together with it; a collection may be asked for in all projects.
    if (resource && !resource->name.empty() && resource->project.empty() && !model::facts(resource->kind).fleet_wide) return {};
    return resource;
}

ViewFacts facts(View view, model::Kind kind) {
    const model::KindFacts& own = model::facts(kind);
    switch (view) {
    case View::as_namespace:
        return {view, kind, "v1", "Namespace", "namespaces", "namespace", false, true};
    case View::as_event:
        return {view, kind, "v1", "Event", "events", "event", true, false};
    case View::as_pod:
        return {view, kind, "v1", "Pod", "pods", "pod", true, false};
    default:
        return {view, kind, model::api_version, own.name, own.plural, own.singular, !own.fleet_wide, !own.made_by_loops};
    }
}

Json write(View view, const store::Object& object) {
    switch (view) {
    case View::as_namespace:
        return write_namespace(object);
    case View::as_event:
        return write_event(object);
    case View::as_pod:
        return write_pod(object);
    default:
        return model::write_object(object.key.kind, object.message(), object.number());
    }
}

Result<Json> own_shape(View view, Json manifest) {
    if (view != View::as_namespace) return manifest;
    if (!manifest.members()) return fail(Code::invalid, "a Namespace is an object, not " + std::string(manifest.shape()));
    Json project = Json::object({{"apiVersion", model::api_version}, {"kind", "Project"}});
    if (const Json* metadata = manifest.find("metadata")) project.set("metadata", *metadata);
    return project;
}

std::string own_field_selector(View view, std::string selector) {
    if (view != View::as_event) return selector;
    static constexpr std::string_view from = "involvedObject.", to = "spec.regarding.";
    for (std::size_t at = 0; (at = selector.find(from, at)) != std::string::npos; at += to.size())
        if (at == 0 || selector[at - 1] == ',')
            selector.replace(at, from.size(), to);
        else
            at += from.size() - to.size();
    static constexpr std::string_view plain[] = {"reason", "type"};
    for (std::string_view field : plain) {
        if (selector.starts_with(field)) selector.insert(0, "spec.");
        for (std::size_t at = 0; (at = selector.find("," + std::string(field), at)) != std::string::npos; at += field.size())
            selector.insert(at + 1, "spec.");
    }
    return selector;
}

} // namespace skerry::api
