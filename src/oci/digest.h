#pragma once

#include "base/result.h"

#include <string>
#include <string_view>

namespace skerry::oci {

/// `sha256:` and 64 lower-case hexadecimal digits: the only algorithm accepted, so that a digest is also a safe file name.
bool is_digest(std::string_view text);
/// `invalid`, naming `field`, unless it is one.
Result<void> check_digest(std::string_view field, std::string_view text);
/// The digest of these bytes.
std::string digest_of(std::string_view bytes);
/// From the 32 bytes that a hash ends with.
std::string digest_text(std::string_view raw);
/// The 64 digits after the colon. The digest must be one.
std::string_view digits_of(std::string_view digest);

} // namespace skerry::oci
