#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace skerry {

std::string hex(std::string_view bytes);
/// Lower or upper case digits; an odd length or another character is `invalid`.
Result<std::string> unhex(std::string_view text);

/// RFC 4648 base64 with padding.
std::string base64(std::string_view bytes);
Result<std::string> unbase64(std::string_view text);

std::string big_endian(std::uint64_t value);
/// Reads exactly eight bytes.
std::uint64_t read_big_endian(std::string_view bytes);

} // namespace skerry
