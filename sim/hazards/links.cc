#include "sim/hazards/hazards.h"

namespace skerry::sim {

namespace {

Computer* uncut_child(Fleet& fleet, env::Chance& chance) {
    Computer& one = any(fleet, chance, Spares::core);
    return fleet.network().is_cut(one.cell) ? nullptr : &one;
}

/// A node out of touch is replaced by its site (rule F7): what runs there is not undisturbed.
void disturb_node(Fleet& fleet, Computer& one) {
    if (one.role == env::Peer::Role::node) one.disturbed = fleet.now();
}

} // namespace

void cut_link(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer* one = uncut_child(fleet, chance);
    if (!one) return;
    fleet.cut(one->cell);
    disturb_node(fleet, *one);
    later(fleet, lasts, [&fleet, cell = one->cell] { fleet.heal(cell); });
}

void cut_one_way(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer* one = uncut_child(fleet, chance);
    if (!one) return;
    fleet.cut(one->cell, chance.fraction() < 0.5 ? Way::up : Way::down);
    disturb_node(fleet, *one);
    later(fleet, lasts, [&fleet, cell = one->cell] { fleet.heal(cell); });
}

void clog_link(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::core);
    Way way = chance.fraction() < 0.5 ? Way::up : Way::down;
    fleet.tell("the queue of " + one.name + (way == Way::up ? " upwards" : " downwards") + " stalls for " + text(lasts));
    fleet.network().clog(one.cell, way, lasts);
    disturb_node(fleet, one);
}

void forget_connections(Fleet& fleet, env::Chance& chance, Duration) {
    Computer& one = any(fleet, chance, Spares::core);
    fleet.tell("a translator of addresses forgets the connections of " + one.name);
    fleet.network().forget(one.cell);
    disturb_node(fleet, one);
}

void worsen_link(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::core);
    PathOptions& options = fleet.network().options(one.cell);
    PathOptions usual = options;
    if (options.loss > 0.2) return; // it is bad already
    options.loss = 0.2 + chance.fraction() * 0.4;
    options.reorder = chance.fraction() * 0.3;
    options.duplicate = chance.fraction() * 0.3;
    options.jitter += chance.up_to(1s);
    fleet.tell("the link of " + one.name + " turns bad");
    disturb_node(fleet, one);
    later(fleet, lasts, [&fleet, cell = one.cell, usual] {
        fleet.tell("the link of " + fleet.computer(cell).name + " is as usual");
        fleet.network().options(cell) = usual;
    });
}

} // namespace skerry::sim
