#pragma once

#include "sim/fleet.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace skerry::sim {

/// One run, and what came of it.
struct Outcome {
    std::uint64_t hash = 0;
    std::uint64_t events = 0;
    Duration virtual_time{};
    std::size_t sites = 0;
    std::uint64_t partitions = 0, severed = 0; ///< see Network
    std::optional<Fleet::Violation> violation;
};

/// `replay` is the command that repeats this run; it is printed when a check fails or the process aborts.
Outcome run(std::uint64_t seed, bool verbose, const std::string& replay, const std::function<void(Fleet&)>& play,
            bool expects_violation = false);

} // namespace skerry::sim
