#include "depot/range.h"

#include <algorithm>
#include <charconv>

namespace skerry::depot {

namespace {

constexpr std::uint64_t largest = std::uint64_t{1} << 62;

bool parse_number(std::string_view text, std::uint64_t& value) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

std::string_view without_end(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    return line;
}

std::string printable(std::string_view text) {
    std::string clean(text.substr(0, 400));
    std::ranges::replace_if(
        clean, [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
    return clean;
}

} // namespace

std::string RangeRequest::text() const {
    return digest.text() + " " + std::to_string(offset) + " " + std::to_string(length) + "\n";
}

Result<RangeRequest> RangeRequest::parse(std::string_view line) {
    auto refuse = [&](std::string why) {
        return fail(Code::invalid, "range request \"" + printable(line) + "\": " + std::move(why));
    };
    line = without_end(line);
    std::size_t first = line.find(' ');
    std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) return refuse("wanted are a digest, an offset and a length");
    Digest digest = TRY(Digest::parse(line.substr(0, first)) | during("range request"));
    std::uint64_t offset = 0, length = 0;
    if (!parse_number(line.substr(first + 1, second - first - 1), offset) || offset > largest)
        return refuse("the offset is no number up to 2^62");
    if (!parse_number(line.substr(second + 1), length) || length > max_length)
        return refuse("the length is no number up to " + std::to_string(max_length));
    return RangeRequest{std::move(digest), offset, length, 0};
}

std::string RangeAnswer::text() const { return granted ? "ok " + std::to_string(size) + "\n" : "no " + printable(why) + "\n"; }

Result<RangeAnswer> RangeAnswer::parse(std::string_view line) {
    line = without_end(line);
    if (line.size() <= max_line) {
        std::uint64_t size = 0;
        if (line.starts_with("ok ") && parse_number(line.substr(3), size) && size <= largest) return ok(size);
        if (line.starts_with("no ")) return no(printable(line.substr(3)));
    }
    return fail(Code::invalid, "range answer \"" + printable(line.substr(0, 80)) + "\" is neither `ok <size>` nor `no <reason>`");
}

} // namespace skerry::depot
