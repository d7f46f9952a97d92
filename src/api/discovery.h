#pragma once

#include "http/message.h"

#include <optional>
#include <string>
#include <string_view>

namespace skerry::api {

/// What clients ask to learn what there is: /version, /api, /apis, /api/v1, /apis/skerry, /apis/skerry/v1, /openapi/v3 and its
/// documents. None where the path is none of these.
std::optional<http::Response> discover(std::string_view path, std::string_view version);

} // namespace skerry::api
