#include "model/text/scalar.h"

#include "model/text/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>

namespace skerry::model {

namespace {

/// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool has_form_of_float(std::string_view text) {
    auto digits = [&] {
        std::size_t n = 0;
        while (n < text.size() && is_digit(text[n])) ++n;
        text.remove_prefix(n);
        return n;
    };
    if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
    std::size_t whole = digits();
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        if (digits() == 0 && whole == 0) return false;
    } else if (whole == 0)
        return false;
    if (text.starts_with('e') || text.starts_with('E')) {
        text.remove_prefix(1);
        if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
        if (digits() == 0) return false;
    }
    return text.empty();
}

Json based(std::string_view text, int base) {
    std::uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    bool all = !text.empty() && error == std::errc() && end == text.data() + text.size() && value <= INT64_MAX;
    return all ? Json(static_cast<std::int64_t>(value)) : Json();
}

} // namespace

Json plain_scalar(std::string_view text) {
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return {};
    if (text == "true" || text == "True" || text == "TRUE") return Json(true);
    if (text == "false" || text == "False" || text == "FALSE") return Json(false);
    if (text.starts_with("0o") || text.starts_with("0x")) {
        Json value = based(text.substr(2), text[1] == 'o' ? 8 : 16);
        return value.is_null() ? Json(text) : value;
    }
    if (!has_form_of_float(text)) return Json(text);
    std::string_view unsigned_text = text.starts_with('+') ? text.substr(1) : text;
    std::int64_t whole = 0;
    const char* last = unsigned_text.data() + unsigned_text.size();
    if (auto [end, error] = std::from_chars(unsigned_text.data(), last, whole); error == std::errc() && end == last)
        return Json(whole);
    double real = 0;
    auto [end, error] = std::from_chars(unsigned_text.data(), last, real);
    if (error == std::errc() && end == last && std::isfinite(real)) return Json(real);
    return Json(text);
}

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<std::uint8_t>(text[at]) : 0u; };
        auto tail = [&](std::size_t at) { return (byte(at) & 0xC0) == 0x80; };
        unsigned first = byte(i);
        if (first < 0x80)
            i += 1;
        else if (first >= 0xC2 && first <= 0xDF && tail(i + 1))
            i += 2;
        else if ((first & 0xF0) == 0xE0 && tail(i + 1) && tail(i + 2) && !(first == 0xE0 && byte(i + 1) < 0xA0) &&
                 !(first == 0xED && byte(i + 1) > 0x9F))
            i += 3;
        else if (first >= 0xF0 && first <= 0xF4 && tail(i + 1) && tail(i + 2) && tail(i + 3) &&
                 !(first == 0xF0 && byte(i + 1) < 0x90) && !(first == 0xF4 && byte(i + 1) > 0x8F))
            i += 4;
        else
            return false;
    }
    return true;
}

} // namespace skerry::model
