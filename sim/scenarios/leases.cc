#include "sim/fleet.h"
#include "sim/scenario.h"
#include "sim/weather.h"

namespace skerry::sim {

/// Links, processes and machines fail at both levels, and clocks drift as far as the margin allows; what may run once never runs
/// twice, and all of it runs again at the end.
void play_leases(Fleet& fleet, const Size& size) {
    Cell plant = fleet.add_site({.name = "plant", .labels = {{"tier", "store"}}, .more_nodes = 2, .profile = "lan"});
    fleet.add_site({.name = "ship", .labels = {{"tier", "store"}}, .more_nodes = 1});
    for (const auto& computer : fleet.computers())
        if (computer)
            computer->clock.set_drift(static_cast<std::int64_t>(fleet.chance().bits() % (2 * ComputerClock::most_drift_ppm + 1)) -
                                      ComputerClock::most_drift_ppm);
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    people.apply({.name = "ledger", .replicas = 1, .policy = "atMostOnce"});
    people.apply({.name = "pair", .replicas = 2, .health = false, .policy = "atMostOnce"});
    people.apply({.name = "page", .replicas = 2});
    fleet.converge(10min);
    // No freezes: leases rest on clocks that never stand still.
    begin_swarm(fleet, size, 40min,
                {{"cuts", 2min, 5s + fleet.chance().up_to(2min)},
                 {"kills", 2min, 1s + fleet.chance().up_to(1min)},
                 {"stops", 3min, 1s + fleet.chance().up_to(2min)},
                 {"freezes", {}, {}},
                 {"people", {}, {}}});
    // The same app, changed, scaled, stopped, deleted and made again.
    for (std::uint32_t n = 1; n <= 8 && !fleet.violated(); ++n) {
        fleet.pass(5min);
        if (people.busy()) continue;
        switch (fleet.chance().bits() % 5) {
        case 0:
            people.apply({.name = "ledger", .replicas = 1, .marker = n, .policy = "atMostOnce"});
            break;
        case 1:
            people.apply({.name = "pair", .replicas = 1 + n % 2, .health = false, .policy = "atMostOnce"});
            break;
        case 2:
            people.apply({.name = "ledger", .replicas = 1, .running = n % 2 == 0, .policy = "atMostOnce"});
            break;
        case 3:
            people.remove("ledger");
            break;
        case 4:
            if (fleet.find("plant-n1")->powered) fleet.cut(plant);
            break;
        }
    }
    fleet.pass(1min);
    people.apply({.name = "ledger", .replicas = 1, .policy = "atMostOnce"});
    fleet.converge(20min);
}

} // namespace skerry::sim
