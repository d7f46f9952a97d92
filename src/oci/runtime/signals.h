#pragma once

#include "base/result.h"

#include <string_view>

namespace skerry::oci {

/// "SIGTERM", "TERM", "15", "SIGRTMIN+3" → the number; empty → SIGTERM.
Result<int> parse_signal(std::string_view text);

} // namespace skerry::oci
