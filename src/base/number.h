#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace skerry {

/// The whole text as a number; none where anything else is in it, or the number does not fit.
template<std::integral T>
std::optional<T> parse_number(std::string_view text, int base = 10) {
    T value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

} // namespace skerry
