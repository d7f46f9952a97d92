#include "sim/fleet.h"
#include "sim/scenario.h"

namespace skerry::sim {

void play_reboot_while_cut(Fleet& fleet, const Size&) {
    Cell lone = fleet.add_site({.name = "lone", .labels = {{"tier", "store"}}});
    Cell pair = fleet.add_site({.name = "pair", .labels = {{"tier", "store"}}, .more_nodes = 1});
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    people.apply({.name = "till", .replicas = 2});
    people.apply({.name = "page", .publish = 80, .health = false});
    fleet.converge(10min);
    fleet.cut(lone);
    fleet.cut(pair);
    people.apply({.name = "till", .replicas = 2, .marker = 7, .image = 2});
    fleet.pass(10min);
    for (int round = 0; round < 3; ++round) {
        for (Cell site : {lone, pair}) {
            fleet.reboot(site, 10s + fleet.chance().up_to(3min));
            for (Cell node : fleet.children(site)) fleet.reboot(node, 10s + fleet.chance().up_to(3min));
        }
        fleet.pass(10min);
        // The core restarts meanwhile, and knows of nothing.
        fleet.reboot(1, fleet.chance().up_to(1min));
        fleet.pass(5min);
    }
    fleet.heal(lone);
    fleet.pass(fleet.chance().up_to(1min));
    fleet.heal(pair);
    fleet.pass(3min);
    fleet.converge(10min);
}

} // namespace skerry::sim
