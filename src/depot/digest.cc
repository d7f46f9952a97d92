#include "depot/digest.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/digest.h"

#include <algorithm>

namespace skerry::depot {

Result<Digest> Digest::parse(std::string_view text) {
    constexpr std::string_view prefix = "sha256:";
    bool fine =
        text.size() == prefix.size() + 64 && text.starts_with(prefix) &&
        std::ranges::all_of(text.substr(prefix.size()), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
    if (!fine)
        return fail(Code::invalid, "\"" + std::string(text.substr(0, 100)) +
                                       "\" is not a digest (sha256: and 64 lower-case hexadecimal digits)");
    return Digest(std::string(text));
}

Digest Digest::of(std::string_view bytes) { return from_raw(sha256(bytes)); }

Digest Digest::from_raw(std::string_view raw) {
    CHECK(raw.size() == 32);
    return Digest("sha256:" + hex(raw));
}

} // namespace skerry::depot
