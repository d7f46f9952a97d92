#include "model/app.pb.h"
#include "model/conditions.h"
#include "sim/fleet.h"
#include "sim/scenario.h"

namespace skerry::sim {

void play_revoked(Fleet& fleet, const Size&) {
    std::vector<Cell> stores;
    for (int n = 1; n <= 4; ++n)
        stores.push_back(fleet.add_site({.name = "store-" + std::to_string(n), .labels = {{"tier", "store"}}, .profile = "lan"}));
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    people.apply({.name = "till", .replicas = 2, .health = false});
    people.apply({.name = "page", .health = false});
    fleet.converge(10min);
    // Two are away when the bad one rolls out; it reaches the others, and is revoked.
    fleet.cut(stores[0]);
    fleet.cut(stores[1]);
    people.apply({.name = "till", .replicas = 2, .marker = 1, .image = 1, .health = false, .max_unavailable = "1"});
    people.apply({.name = "page", .marker = 1, .health = false, .halted = true});
    fleet.pass(fleet.chance().up_to(2min));
    people.revoke("till");
    fleet.pass(30s);
    // Those that know of it lose power, one of them while cut off.
    fleet.cut(stores[3]);
    for (Cell site : {stores[2], stores[3]}) fleet.reboot(site, 10s + fleet.chance().up_to(30s));
    fleet.pass(5min);
    for (Cell site : {stores[0], stores[1], stores[3]}) {
        fleet.heal(site);
        fleet.pass(fleet.chance().up_to(1min));
    }
    fleet.pass(5min);
    if (fleet.violated()) return;
    // Who was away entered under neither: they run what they ran.
    for (Cell site : {stores[0], stores[1]})
        for (const auto& [name, process] : fleet.computer(site).machine.processes())
            if (process.phase != drivers::Phase::running || process.spec.args != std::vector<std::string>{"--marker=0"})
                return fleet.violate("revoked-never-starts", fleet.computer(site).name + " has " + process.spec.title +
                                                                 " with another marker, or it does not run");
    people.apply({.name = "till", .replicas = 2, .marker = 2, .health = false});
    people.apply({.name = "page", .marker = 1, .health = false});
    fleet.pass(1min);
    fleet.converge(15min);
}

} // namespace skerry::sim
