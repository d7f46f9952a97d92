#include "env/real/real_clock.h"

#include <cstdlib>
#include <ctime>
#include <fstream>

namespace skerry::env {

RealClock::RealClock() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::getline(file, boot_id_);
    if (const char* error = std::getenv("SKERRY_TEST_CLOCK_ERROR")) error_ = std::strtoll(error, nullptr, 10);
}

Instant RealClock::now() const {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return {std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)};
}

WallTime RealClock::wall() const {
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    return {time.tv_sec + error_, static_cast<std::int32_t>(time.tv_nsec)};
}

} // namespace skerry::env
