#pragma once

#include "base/result.h"

#include <compare>
#include <functional>
#include <string>
#include <string_view>

namespace skerry::depot {

/// What names a blob: `sha256:` and 64 lower-case hexadecimal digits, as in OCI. No other algorithm, so that it is also a safe
/// file name.
class Digest {
public:
    static Result<Digest> parse(std::string_view text);
    static Digest of(std::string_view bytes);
    /// From the 32 bytes that a hash ends with.
    static Digest from_raw(std::string_view raw);

    const std::string& text() const { return text_; }
    /// The 64 digits.
    std::string_view digits() const { return std::string_view(text_).substr(7); }
    auto operator<=>(const Digest&) const = default;

private:
    explicit Digest(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

} // namespace skerry::depot

template<>
struct std::hash<skerry::depot::Digest> {
    std::size_t operator()(const skerry::depot::Digest& digest) const noexcept { return std::hash<std::string>{}(digest.text()); }
};
