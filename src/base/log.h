#pragma once

#include "base/time.h"

#include <fmt/core.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace skerry {

enum class Level { debug, info, warning, error };

/// Writes one line, thread-safe: `time level area: message`. `area` is a folder's name.
///
/// The time is the machine's own wall clock until `log_clocks` gave both clocks of a cell (rule T1).
void log_line(Level, std::string_view area, std::string_view message);
/// Lines below this level are dropped. Starts at `info`.
void log_from(Level);
bool logs(Level);
/// Lines begin with what `stamp` says from now on; null: without. It is called on any thread; set while there is only one.
void log_clocks(std::function<std::string()> stamp);
/// Wall and boot-time clock, as a stamp of lines: `2027-03-01T12:00:00.123Z +4711.042`.
std::string log_stamp(WallTime, Instant);

/// `log(Level::info, "site", "{} instances adopted", n)`.
template<class... Args>
void log(Level level, std::string_view area, fmt::format_string<Args...> format, Args&&... args) {
    if (logs(level)) log_line(level, area, fmt::format(format, std::forward<Args>(args)...));
}

} // namespace skerry
