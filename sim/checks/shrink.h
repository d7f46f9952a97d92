#pragma once

#include "sim/scenario.h"

#include <cstdint>
#include <string>

namespace skerry::sim {

struct Shrunk {
    Size size;         ///< still fails the same check
    std::string check; ///< empty: the run did not fail
    std::size_t events = 0, tries = 0;
};

/// Makes a failing run smaller: fewer kinds of weather, fewer sites, fewer events, a shorter time, as long as the same check
/// fails. Each try is a process of its own, since some failures end it (`abort` is the check's name then). The same seed is
/// shrunk the same way each time.
Shrunk shrink(const Scenario&, std::uint64_t seed, const Size&, std::size_t most_tries);

/// `cuts:1,cuts:4,kills:2`, and back.
using Events = std::set<std::pair<std::string, std::uint32_t>>;
std::string text_of(const Events&);
std::optional<Events> parse_events(std::string_view);
/// The command that repeats this run.
std::string replay_of(std::string_view scenario, std::uint64_t seed, const Size&);

} // namespace skerry::sim
