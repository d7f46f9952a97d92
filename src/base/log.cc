#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace skerry {

namespace {

std::atomic<Level> lowest{Level::info};

constexpr const char* usual_pattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";

std::function<std::string()>& stamp_of_lines() {
    static std::function<std::string()> stamp;
    return stamp;
}

spdlog::logger& logger() {
    static const auto made = [] {
        auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        auto result = std::make_shared<spdlog::logger>("skerry", sink);
        result->set_pattern(usual_pattern, spdlog::pattern_time_type::utc);
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
    static constexpr std::string_view names[] = {"debug", "info", "warning", "error"};
    auto number = static_cast<int>(level);
    if (const auto& stamp = stamp_of_lines())
        logger().log(levels[number], "{} {} {}: {}", stamp(), names[number], area, message);
    else
        logger().log(levels[number], "{}: {}", area, message);
}

void log_clocks(std::function<std::string()> stamp) {
    logger().set_pattern(stamp ? "%v" : usual_pattern, spdlog::pattern_time_type::utc);
    stamp_of_lines() = std::move(stamp);
}

std::string log_stamp(WallTime wall, Instant boot) {
    std::string text = rfc3339(wall);
    text.pop_back();
    auto up = boot.since_boot;
    return fmt::format("{}.{:03}Z +{}.{:03}", text, wall.nanos / 1'000'000, up / 1s, up % 1s / 1ms);
}

} // namespace skerry
