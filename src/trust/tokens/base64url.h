#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace skerry::trust {

/// RFC 4648 section 5, without padding.
std::string base64url(std::string_view bytes);
/// Only what `base64url` writes.
Result<std::string> unbase64url(std::string_view text);

} // namespace skerry::trust
