#include "sim/fleet.h"
#include "sim/scenario.h"
#include "sim/weather.h"

#include <string>

namespace skerry::sim {

/// Made to see as many partitions as a processor can: few computers, short silences, and patience short enough that cuts of all
/// lengths meet connections at any moment of their lives. Everything is checked as in any other run.
void play_partitions(Fleet& fleet, const Size& size) {
    auto& chance = fleet.chance();
    fleet.audit_period = 5s;
    std::size_t sites = size.sites > 0 ? size.sites : 2 + chance.bits() % 3;
    for (std::size_t n = 1; n <= sites; ++n)
        fleet.add_site({.name = "site-" + std::to_string(n),
                        .labels = {{"tier", "store"}},
                        .more_nodes = n == 1 ? chance.bits() % 2 : 0,
                        .profile = "lan",
                        .uplink = {.delay = 1ms + chance.up_to(50ms),
                                   .jitter = chance.up_to(20ms),
                                   .trace = size.trace,
                                   .patience = 500ms + chance.up_to(5s),
                                   .dial_deadline = 1s + chance.up_to(4s)}});
    fleet.newer_core = chance.fraction() < 0.25;
    fleet.cut_kills = size.cut_kills;
    fleet.start_all();
    auto& people = fleet.operators();
    people.most_apps = 3;
    people.push_image();
    people.do_something(chance);
    fleet.pass(1min);
    Duration lasts = size.lasts > Duration(0) ? size.lasts : 20min;
    auto per_site = static_cast<std::int64_t>(fleet.computers().size() - 2);
    std::vector<Rate> rates = {{"cuts", (1s + chance.up_to(2s)) / per_site, 300ms + chance.up_to(2s)},
                               {"one-way", 30s, 3s},
                               {"people", 20s + chance.up_to(2min), 0s}};
    for (const char* kind : {"kills", "reboots", "half-open", "clogs", "stops", "exits", "disks"})
        if (chance.fraction() < 0.3) rates.push_back({kind, 1min + chance.up_to(5min), 1s + chance.up_to(5s)});
    begin_weather(fleet, size, lasts, rates);
    fleet.pass(lasts + 30s);
    fleet.converge(10min);
}

} // namespace skerry::sim
