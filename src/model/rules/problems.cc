#include "model/rules/problems.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace skerry::model {

void Problems::add(std::string field, std::string message) {
    ++count_;
    if (list_.size() < kept) list_.push_back({std::move(field), std::move(message)});
}

void Problems::warn(std::string field, std::string message) {
    if (warnings_.size() < kept) warnings_.push_back({std::move(field), std::move(message)});
}

std::string Problems::text() const {
    std::string out;
    for (const Problem& problem : list_) {
        if (!out.empty()) out += '\n';
        out += problem.text();
    }
    if (count_ > list_.size()) out += "\nand " + std::to_string(count_ - list_.size()) + " more problems";
    return out;
}

Error Problems::error(std::string_view title) const {
    std::string message(title);
    if (count_ == 1 && list_.size() == 1) return {Code::invalid, message + " is invalid: " + list_[0].text()};
    return {Code::invalid, message + " is invalid, for " + std::to_string(count_) + " reasons:\n" + text()};
}

std::string quoted(std::string_view value) {
    constexpr std::size_t most = 80;
    bool cut = value.size() > most;
    if (cut) {
        value = value.substr(0, most);
        // Never cut within a UTF-8 character.
        while (!value.empty() && (static_cast<std::uint8_t>(value.back()) & 0xC0) == 0x80) value.remove_suffix(1);
        if (!value.empty() && static_cast<std::uint8_t>(value.back()) >= 0xC0) value.remove_suffix(1);
    }
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (char c : value) {
        auto byte = static_cast<std::uint8_t>(c);
        if (c == '"' || c == '\\')
            out += '\\', out += c;
        else if (c == '\n')
            out += "\\n";
        else if (byte < 0x20 || byte == 0x7f)
            out += "\\x", out += digits[byte >> 4], out += digits[byte & 15];
        else
            out += c;
    }
    return out + (cut ? "...\"" : "\"");
}

namespace {

/// A name without what people vary: case, '_' and '-'.
std::string folded(std::string_view word) {
    std::string out;
    for (char c : word)
        if (c != '_' && c != '-') out += 'A' <= c && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return out;
}

/// Damerau-Levenshtein distance without repeated edits (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
    constexpr std::size_t bound = 48;
    if (a.size() >= bound || b.size() >= bound) return bound;
    std::array<std::array<std::size_t, bound>, bound> d;
    for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i)
        for (std::size_t j = 1; j <= b.size(); ++j) {
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[a.size()][b.size()];
}

} // namespace

std::string_view closest(std::string_view word, const std::vector<std::string_view>& known) {
    if (word.size() > 40) return {};
    std::string plain = folded(word);
    std::string_view best;
    std::size_t least = std::clamp<std::size_t>(plain.size() / 3, 1, 2) + 1;
    for (std::string_view candidate : known)
        if (std::size_t edits = distance(plain, folded(candidate)); edits < least) least = edits, best = candidate;
    return best;
}

} // namespace skerry::model
