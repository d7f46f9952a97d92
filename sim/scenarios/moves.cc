#include "sim/fleet.h"
#include "sim/scenario.h"

#include <string>
#include <vector>

namespace skerry::sim {

namespace {

/// The site where an instance of the app runs; 0: nowhere.
Cell runs_at(Fleet& fleet, const std::string& app) {
    for (Cell site : fleet.sites())
        for (const auto& [name, process] : fleet.computer(site).machine.processes())
            // Of a title such as "default/ledger.main.store-1.x2k4p".
            if (process.phase == drivers::Phase::running && process.spec.title.find("/" + app + ".") != std::string::npos)
                return site;
    return 0;
}

} // namespace

/// One replica of policy atMostOnce, spread: its site is cut off for good, the core restarts meanwhile, and it moves.
void play_moves(Fleet& fleet, const Size&) {
    for (int n = 1; n <= 4; ++n)
        fleet.add_site({.name = "store-" + std::to_string(n), .labels = {{"tier", "store"}}, .profile = "lan"});
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    fleet.pass(1min);
    people.apply({.name = "ledger", .each = false, .replicas = 1, .policy = "atMostOnce"});
    fleet.converge(10min);
    for (int round = 0; round < 3 && !fleet.violated(); ++round) {
        Cell home = runs_at(fleet, "ledger");
        if (home == 0) return fleet.violate("partition-policy", "ledger runs nowhere though all is well");
        fleet.cut(home);
        // The core forgets whom it heard; what it promised it must not.
        fleet.pass(fleet.chance().up_to(30s));
        if (fleet.chance().fraction() < 0.7) fleet.reboot(1, fleet.chance().up_to(20s));
        fleet.pass(5min);
        if (fleet.violated()) return;
        Cell now = runs_at(fleet, "ledger");
        if (now == 0 || now == home)
            return fleet.violate("partition-policy",
                                 "ledger has not moved from " + fleet.computer(home).name + " in five minutes");
        fleet.heal(home);
        fleet.pass(1min);
        fleet.converge(10min);
    }
}

} // namespace skerry::sim
