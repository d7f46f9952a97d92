#include "model/allocation.pb.h"
#include "model/instance.pb.h"
#include "sim/fleet.h"
#include "sim/scenario.h"

namespace skerry::sim {

namespace {

/// Replicas that run on computers with power, of all that the site is to run.
std::pair<std::size_t, std::size_t> running_and_wanted(Fleet& fleet, Cell site) {
    std::size_t running = 0, wanted = 0;
    auto cells = fleet.children(site);
    cells.push_back(site);
    for (Cell cell : cells) running += fleet.computer(cell).machine.running().size();
    for (const auto& object : fleet.computer(site).process->store().list(model::Kind::allocation))
        wanted += store::as<model::Allocation>(*object).spec().replicas();
    return {running, wanted};
}

} // namespace

void play_node_loss(Fleet& fleet, const Size&) {
    Cell site = fleet.add_site({.name = "plant", .labels = {{"tier", "store"}}, .more_nodes = 2});
    fleet.add_site({.name = "other", .labels = {{"tier", "store"}}});
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    people.apply({.name = "till", .replicas = 6});
    people.apply({.name = "page", .replicas = 1, .publish = 80});
    fleet.converge(10min);
    fleet.cut(site);
    fleet.pass(5min);
    auto nodes = fleet.children(site);
    Cell lost = nodes[fleet.chance().bits() % nodes.size()];
    if (!fleet.violated()) fleet.power_off(lost);
    fleet.pass(2min);
    if (fleet.violated()) return;
    if (auto [running, wanted] = running_and_wanted(fleet, site); running != wanted)
        return fleet.violate("cut-site-keeps-running", "two minutes after the site lost a node " + std::to_string(running) +
                                                           " of " + std::to_string(wanted) + " replicas run");
    fleet.pass(10min);
    fleet.power_on(lost);
    fleet.pass(5min);
    // Another only goes silent: what runs there runs on, is replaced, and the surplus drains on its return.
    Cell silent = nodes[fleet.chance().bits() % nodes.size()];
    fleet.cut(silent);
    fleet.computer(silent).disturbed = fleet.now();
    fleet.pass(3min);
    fleet.heal(silent);
    fleet.pass(5min);
    if (fleet.violated()) return;
    if (auto [running, wanted] = running_and_wanted(fleet, site); running != wanted)
        return fleet.violate("cut-site-keeps-running", "a node came back, and " + std::to_string(running) +
                                                           " replicas run where " + std::to_string(wanted) + " are wanted");
    fleet.heal(site);
    fleet.pass(3min);
    fleet.converge(10min);
}

} // namespace skerry::sim
