#pragma once

#include "base/json.h"

#include <string>
#include <string_view>

namespace skerry::api {

/// `/openapi/v3`: where the documents are.
Json openapi_index();

/// The OpenAPI 3.0 document of skerry/v1, out of the schema and its comments. Written afresh at each call: it is asked for
/// rarely, and half a megabyte is much on a small machine. kubectl reads definitions for `explain`, and `fieldValidation` at
/// PATCH to learn that the server validates.
std::string openapi_own(std::string_view version);
std::string openapi_core(std::string_view version);

/// As much of an OpenAPI 2.0 document, in protobuf, as kubectl below 1.29 needs to leave the checking of fields to the server,
/// and to explain.
std::string openapi_v2(std::string_view version);
/// Asked for with an @ before v1.0, which is no media type (RFC 6838); answered with a dot.
inline constexpr std::string_view openapi_v2_type = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

} // namespace skerry::api
