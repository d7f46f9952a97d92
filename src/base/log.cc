#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <string>

namespace skerry {

namespace {

std::atomic<Level> lowest{Level::info};

spdlog::logger& logger() {
    static const auto made = [] {
        auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        auto result = std::make_shared<spdlog::logger>("skerry", sink);
        result->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
        result->set_level(spdlog::level::debug);
        result->flush_on(spdlog::level::debug);
        return result;
    }();
    return *made;
}

} // namespace

void log_from(Level level) { lowest = level; }

bool logs(Level level) { return level >= lowest.load(std::memory_order_relaxed); }

void log_line(Level level, std::string_view area, std::string_view message) {
    static constexpr spdlog::level::level_enum levels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                                           spdlog::level::err};
    logger().log(levels[static_cast<int>(level)], "{}: {}", area, message);
}

} // namespace skerry
