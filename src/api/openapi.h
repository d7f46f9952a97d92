#pragma once

#include "base/json.h"

#include <string>
#include <string_view>

namespace skerry::api {

/// `/openapi/v3`: where the documents are.
Json openapi_index();

/// The OpenAPI 3.0 document of skerry/v1, out of the schema and its comments. Written afresh at each call: it is asked for rarely, and half a
/// megabyte is much on a small machine. kubectl reads definitions for `explain`, and `fieldValidation` at PATCH to learn that the server
/// validates.
std::string openapi_own(std::string_view version);
std::string openapi_core(std::string_view version);

} // namespace skerry::api
