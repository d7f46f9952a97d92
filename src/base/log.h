#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace skerry {

enum class Level { debug, info, warning, error };

/// Writes one line, thread-safe: `time level area: message`. `area` is a folder's name.
void log_line(Level, std::string_view area, std::string_view message);
/// Lines below this level are dropped. Starts at `info`.
void log_from(Level);
bool logs(Level);

/// `log(Level::info, "site", "{} instances adopted", n)`.
template<class... Args>
void log(Level level, std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
    if (logs(level)) log_line(level, area, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace skerry
