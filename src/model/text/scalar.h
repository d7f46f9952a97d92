#pragma once

#include "base/json.h"

#include <string_view>

namespace skerry::model {

/// What a plain YAML scalar means by the core schema of YAML 1.2 (section 10.3.2): null, a boolean, a number, or else a string.
/// Numbers that JSON cannot have (.inf, .nan, beyond a double) stay strings.
Json plain_scalar(std::string_view text);

/// Well-formed UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

} // namespace skerry::model
