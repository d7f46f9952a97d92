#pragma once

#include "base/json.h"
#include "base/result.h"

#include <string_view>

namespace skerry::api {

inline constexpr std::string_view kube_protobuf = "application/vnd.kubernetes.protobuf";

/// A body of that type as JSON. Only Namespaces: of the kinds that are Kubernetes' own, it is the only one that can be written.
Result<Json> parse_kube_body(std::string_view bytes);

} // namespace skerry::api
