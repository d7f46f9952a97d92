#include "trust/tokens/base64url.h"

#include "base/bytes.h"

#include <algorithm>

namespace skerry::trust {

std::string base64url(std::string_view bytes) {
    std::string text = base64(bytes);
    text.erase(std::min(text.find('='), text.size()));
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    return text;
}

Result<std::string> unbase64url(std::string_view text) {
    if (text.find_first_of("+/=") != std::string_view::npos) return fail(Code::invalid, "not base64url");
    std::string padded(text);
    std::ranges::replace(padded, '-', '+');
    std::ranges::replace(padded, '_', '/');
    padded.append((4 - padded.size() % 4) % 4, '=');
    std::string bytes = TRY(unbase64(padded));
    if (base64url(bytes) != text) return fail(Code::invalid, "not base64url");
    return bytes;
}

} // namespace skerry::trust
