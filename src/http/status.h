#pragma once

#include "base/result.h"

#include <string_view>

namespace skerry::http {

/// The one table from our codes to HTTP, and back for clients.
int status_of(Code);
Code code_of(int status);
/// "Not Found" for 404; "" for numbers without a name.
std::string_view reason_of(int status);

} // namespace skerry::http
