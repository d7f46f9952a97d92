#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

enum class Paint { plain, bold, dim, red, green, yellow };

/// Standard output is a terminal, and NO_COLOR (https://no-color.org) is not set.
bool shows_colour();
/// Standard error is a terminal.
bool errors_on_terminal();
/// In colour where `shows_colour`.
std::string painted(Paint, std::string_view text);

/// Columns on a terminal: code points of UTF-8, which suits all that we print.
std::size_t width_of(std::string_view utf8);
/// Control characters replaced, so that names and messages of others cannot steer the terminal; line breaks stay where asked.
std::string printable(std::string_view text, bool keep_lines = false);

/// Sends what was printed on its way. If nobody reads standard output any more, the process ends as others do, by SIGPIPE (which
/// connections ignore); if it cannot be written, with a sentence and status 1.
void flush_output();

/// Rows under headings, columns three spaces apart, as kubectl prints them.
class TextTable {
public:
    void heading(std::vector<std::string> cells) { widen(cells), heading_ = std::move(cells); }
    void row(std::vector<std::string> cells) { widen(cells), rows_.push_back(std::move(cells)); }
    bool empty() const { return rows_.empty(); }
    /// Heading (if `with_heading`) and the rows added since the last call; columns never get narrower from call to call.
    std::string take(bool with_heading);

private:
    void widen(const std::vector<std::string>& cells);
    std::string line(const std::vector<std::string>& cells) const;

    std::vector<std::string> heading_;
    std::vector<std::vector<std::string>> rows_;
    std::vector<std::size_t> widths_;
};

} // namespace skerry::cli
