#pragma once

#include "base/json.h"
#include "base/result.h"
#include "http/message.h"
#include "model/kind.h"
#include "store/object.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::api {

/// The shapes in which one kind of ours is shown: its own, and what Kubernetes' core group calls it.
enum class View : std::uint8_t { own, as_namespace, as_event, as_pod };

/// What the path of a request names:
///
///     /apis/skerry/v1/[namespaces/PROJECT/]PLURAL[/NAME[/SUBRESOURCE]]
///     /api/v1/namespaces[/NAME]   /api/v1/[namespaces/PROJECT/]{events,pods}[/NAME[/log]]
struct Resource {
    View view = View::own;
    model::Kind kind{};
    std::string project; ///< empty: all projects, or a kind that belongs to none
    std::string name;    ///< empty: the collection
    std::string subresource;

    store::Key key() const { return {kind, model::facts(kind).fleet_wide ? std::string() : project, name}; }
};

/// None where the path names no resource of ours.
std::optional<Resource> parse_path(std::string_view path);

/// How a view appears in discovery and in objects.
struct ViewFacts {
    View view;
    model::Kind kind;
    std::string_view api_version; ///< "skerry/v1" or "v1"
    std::string_view name;        ///< "App", "Pod"
    std::string_view plural;
    std::string_view singular;
    bool namespaced;
    bool writable;
};
ViewFacts facts(View, model::Kind);

/// The object as this view shows it.
Json write(View, const store::Object&);
/// Kubernetes' Pod for an Instance, Namespace for a Project, core Event for an Event.
Json write_pod(const store::Object&);
Json write_namespace(const store::Object&);
Json write_event(const store::Object&);

/// A manifest in this view as one of ours (Namespace → Project); the others pass unchanged.
Result<Json> own_shape(View, Json manifest);

/// `involvedObject.uid=…` of core events as `spec.regarding.uid=…`, and so on.
std::string own_field_selector(View, std::string selector);

} // namespace skerry::api
