#pragma once

#include "api/resource.h"
#include "base/json.h"
#include "base/time.h"

#include <span>
#include <string_view>

namespace skerry::api {

/// Whether an Accept header prefers Kubernetes' Table (`application/json;as=Table;v=v1;g=meta.k8s.io`).
bool wants_table(std::string_view accept);

/// How much of each object a row carries (`includeObject`).
enum class Include { none, metadata, object };
Include parse_include(std::string_view text);

Json table_columns(View, model::Kind);
Json table_row(View, const store::Object&, Include, WallTime now);
/// A Table without rows.
Json empty_table(View, model::Kind, std::string_view resource_version, bool with_columns = true);

} // namespace skerry::api
