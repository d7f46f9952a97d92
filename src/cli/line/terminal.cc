#include "cli/line/terminal.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

namespace skerry::cli {

bool shows_colour() {
    static const bool shows = [] {
        const char* no = std::getenv("NO_COLOR");
        const char* term = std::getenv("TERM");
        return isatty(STDOUT_FILENO) == 1 && !(no && *no) && !(term && std::string_view(term) == "dumb");
    }();
    return shows;
}

bool errors_on_terminal() { return isatty(STDERR_FILENO) == 1; }

std::string painted(Paint paint, std::string_view text) {
    if (!shows_colour() || paint == Paint::plain) return std::string(text);
    const char* code = paint == Paint::bold    ? "1"
                       : paint == Paint::dim   ? "2"
                       : paint == Paint::red   ? "31"
                       : paint == Paint::green ? "32"
                                               : "33";
    return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
}

std::size_t width_of(std::string_view utf8) {
    return static_cast<std::size_t>(
        std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void flush_output() {
    errno = 0;
    if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return;
    int error = errno;
    if (error == EPIPE || error == 0) {
        std::signal(SIGPIPE, SIG_DFL);
        std::raise(SIGPIPE);
    }
    std::fprintf(stderr, "skerry: standard output: %s\n", std::strerror(error));
    std::_Exit(1);
}

std::string printable(std::string_view text, bool keep_lines) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto c = static_cast<unsigned char>(text[i]);
        // U+0080 to U+009F, written in UTF-8, are controls too.
        bool high = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (high) ++i;
        if (high || c == 0x7f || (c < 0x20 && !(keep_lines && c == '\n')))
            out += c == '\t' || c == '\n' ? ' ' : '?';
        else
            out += static_cast<char>(c);
    }
    return out;
}

void TextTable::widen(const std::vector<std::string>& cells) {
    widths_.resize(std::max(widths_.size(), cells.size()));
    for (std::size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], width_of(cells[i]));
}

std::string TextTable::line(const std::vector<std::string>& cells) const {
    std::string out;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        out += cells[i];
        if (i + 1 < cells.size()) out.append(widths_[i] - width_of(cells[i]) + 3, ' ');
    }
    while (out.ends_with(' ')) out.pop_back();
    return out + "\n";
}

std::string TextTable::take(bool with_heading) {
    std::string out = with_heading ? line(heading_) : "";
    for (auto& cells : rows_) out += line(cells);
    rows_.clear();
    return out;
}

} // namespace skerry::cli
