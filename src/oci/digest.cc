#include "oci/digest.h"

#include "base/bytes.h"
#include "base/digest.h"

#include <algorithm>

namespace skerry::oci {

namespace {
constexpr std::string_view prefix = "sha256:";
}

bool is_digest(std::string_view text) {
    return text.size() == prefix.size() + 64 && text.starts_with(prefix) &&
           std::ranges::all_of(text.substr(prefix.size()),
                               [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<void> check_digest(std::string_view field, std::string_view text) {
    if (is_digest(text)) return {};
    return fail(Code::invalid, std::string(field) + ": \"" + std::string(text.substr(0, 100)) +
                                   "\" is not a digest (sha256: and 64 lower-case hexadecimal digits)");
}

std::string digest_of(std::string_view bytes) { return digest_text(sha256(bytes)); }

std::string digest_text(std::string_view raw) { return std::string(prefix) + hex(raw); }

std::string_view digits_of(std::string_view digest) { return digest.substr(prefix.size()); }

} // namespace skerry::oci
