#include "sim/fleet.h"
#include "sim/scenario.h"

namespace skerry::sim {

void play_cut_site(Fleet& fleet, const Size&) {
    Cell one = fleet.add_site({.name = "store-1", .labels = {{"tier", "store"}}, .more_nodes = 1});
    fleet.add_site({.name = "store-2", .labels = {{"tier", "store"}}});
    fleet.add_site({.name = "depot", .labels = {{"tier", "depot"}}, .profile = "lan"});
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    people.apply({.name = "till", .replicas = 2, .health = true});
    people.apply({.name = "page", .publish = 80, .health = false});
    people.apply({.name = "spread", .each = false, .replicas = 3});
    fleet.converge(10min);

    fleet.cut(one);
    fleet.pass(30s);
    people.apply({.name = "till", .replicas = 2, .marker = 2, .image = 1, .health = true});
    fleet.pass(20min);
    fleet.kill(one);
    fleet.pass(20s + fleet.chance().up_to(40s));
    fleet.start(one);
    fleet.pass(2min);
    Cell node = fleet.children(one).front();
    fleet.kill(node);
    fleet.pass(fleet.chance().up_to(5s));
    fleet.start(node);
    fleet.pass(10min);
    auto& computer = fleet.computer(one);
    if (auto running = computer.machine.running(); !running.empty()) {
        fleet.ledger().ended_by_weather(one, running.front());
        computer.machine.exit(running.front(), 1);
    }
    fleet.pass(10min);
    people.remove("page");
    fleet.pass(fleet.chance().up_to(2min));
    fleet.heal(one);
    fleet.pass(3min);
    fleet.converge(10min);
}

} // namespace skerry::sim
