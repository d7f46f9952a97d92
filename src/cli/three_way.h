#pragma once

#include "base/json.h"

#include <optional>
#include <string>
#include <string_view>

namespace skerry::cli {

/// Where `apply` keeps what it last applied; kubectl's, so that the two can take turns on one object.
inline constexpr std::string_view last_applied_annotation = "kubectl.kubernetes.io/last-applied-configuration";

/// The manifest as kubectl would note it: compact, names sorted, without the annotation itself, and a line break.
std::string write_last_applied(Json manifest);
/// None where it is absent or unreadable.
std::optional<Json> read_last_applied(const Json& object);
/// The manifest with the annotation that describes it; without, where that would be larger than annotations may be. What a later
/// manifest no longer says then stays.
Json annotated(const Json& manifest);

/// A merge patch (RFC 7386) that turns `target` into `wanted`; empty object: nothing to do. Lists are replaced whole.
Json merge_patch_between(const Json& target, const Json& wanted);

/// What `apply` sends: adds and changes what `manifest` says other than `current`, removes what `last_applied` said and
/// `manifest` no longer says, leaves alone what others added. kubectl's jsonmergepatch.CreateThreeWayJSONMergePatch.
Json three_way_patch(const Json& last_applied, const Json& manifest, const Json& current);

} // namespace skerry::cli
