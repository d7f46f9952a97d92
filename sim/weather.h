#pragma once

#include "base/time.h"
#include "env/seeded_chance.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::sim {

class Fleet;
struct Size;

/// One kind of thing that happens to a fleet, weather and people alike.
///
/// Whether a run has it at all, how often and for how long are drawn for each run; when, from a stream of its own; what, for each
/// event from the seed, the kind and the event's number. So any event can be left out and the others stay as they are: that is
/// how a failing run is shrunk.
struct Hazard {
    std::string_view name;  ///< of one word
    Duration often, seldom; ///< mean time between two, drawn between these for each run
    Duration least, most;   ///< how long one lasts, about, drawn between these for each run; what is over at once ignores it
    void (*happen)(Fleet&, env::Chance&, Duration lasts);
    double absent = 0.5;  ///< of this share of the runs, so that the others meet undisturbed
    bool in_swarm = true; ///< else only when it is asked for by name
};

const std::vector<Hazard>& hazards();
const Hazard* find_hazard(std::string_view name);

/// The n-th event of a kind.
struct HazardEvent {
    std::string_view kind;
    std::uint32_t n = 0;
    Duration when{};
};

/// How often a kind happens, and for how long: for scenarios that are about it. A mean of zero: never.
struct Rate {
    std::string_view kind;
    Duration mean, lasts;
};
/// Lets these happen from now on, for so long.
void begin_weather(Fleet&, const Size&, Duration lasts, const std::vector<Rate>&);
/// The whole swarm as the seed draws it, except for kinds that the scenario has rates for.
void begin_swarm(Fleet&, const Size&, Duration lasts, const std::vector<Rate>& instead = {});

/// Something later on, that belongs to an event.
void later(Fleet&, Duration wait, std::function<void()>);

/// By how many seconds a wall clock is off after it was set: to about 1970, to about 2100, by up to an hour, not at all.
std::int64_t wrong_clock(env::Chance&);

} // namespace skerry::sim
