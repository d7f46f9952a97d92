#include "sim/hazards/hazards.h"

namespace skerry::sim {

namespace {

/// One that runs on some computer, which is then disturbed; empty: nothing runs there.
std::string any_instance(Fleet& fleet, env::Chance& chance, Computer& one) {
    auto running = one.machine.running();
    if (running.empty() || one.frozen) return {};
    one.disturbed = fleet.now();
    return running[chance.bits() % running.size()];
}

} // namespace

void end_instance(Fleet& fleet, env::Chance& chance, Duration) {
    Computer& one = any(fleet, chance, Spares::core);
    std::string name = any_instance(fleet, chance, one);
    if (name.empty()) return;
    fleet.ledger().ended_by_weather(one.cell, name);
    fleet.tell("instance " + name + " on " + one.name + " exits");
    if (chance.fraction() < 0.5)
        one.machine.exit(name, 3);
    else
        one.machine.kill_out_of_memory(name);
}

void sicken_instance(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::core);
    std::string name = any_instance(fleet, chance, one);
    if (name.empty()) return;
    one.sick.insert(name);
    fleet.tell("instance " + name + " on " + one.name + " falls ill");
    later(fleet, lasts, [&fleet, &one, name] {
        one.sick.erase(name);
        one.disturbed = fleet.now();
    });
}

void spoil_driver(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::core);
    auto& behaviour = one.machine.behaviour;
    if (!one.has_node || behaviour.chance) return;
    behaviour.fail = chance.fraction() * 0.3;
    behaviour.half = chance.fraction() * 0.3;
    behaviour.stall = chance.fraction() * 0.1;
    behaviour.forget = chance.fraction() * 0.3;
    behaviour.chance = [&one] { return one.chance.fraction(); };
    fleet.tell("the driver of " + one.name + " turns bad");
    later(fleet, lasts, [&fleet, &one] {
        if (!one.machine.behaviour.chance) return;
        one.machine.behaviour.chance = nullptr;
        one.disturbed = fleet.now();
        fleet.tell("the driver of " + one.name + " is good again");
    });
}

void operate(Fleet& fleet, env::Chance& chance, Duration) { fleet.operators().do_something(chance); }

void operate_at_site(Fleet& fleet, env::Chance& chance, Duration) {
    auto sites = fleet.sites();
    fleet.site_people().do_something(sites[chance.bits() % sites.size()], chance);
}

} // namespace skerry::sim
