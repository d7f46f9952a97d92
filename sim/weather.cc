#include "sim/weather.h"

#include "sim/fleet.h"

#include <cmath>
#include <functional>
#include <memory>

namespace skerry::sim {

namespace {

/// One kind of event at random moments until the end.
void repeat(Fleet& fleet, Duration mean, Duration end, What what, std::function<void()> event) {
    if (mean <= Duration(0)) return;
    Duration wait =
        Duration(static_cast<Duration::rep>(-std::log(1.0 - fleet.chance().fraction()) * static_cast<double>(mean.count())));
    if (fleet.now() + wait >= end) return;
    fleet.agenda().at(fleet.now() + wait, what, 0, Agenda::Bound::free, [&fleet, mean, end, what, event = std::move(event)] {
        event();
        repeat(fleet, mean, end, what, event);
    });
}

Duration about(Fleet& fleet, Duration usual) { return 1s + fleet.chance().up_to(2 * usual); }

Computer& any(Fleet& fleet, bool core_too) {
    Cell first = core_too ? 1 : 2;
    return fleet.computer(first + static_cast<Cell>(fleet.chance().bits() % (fleet.computers().size() - first)));
}

void later(Fleet& fleet, Duration wait, std::function<void()> call) {
    fleet.agenda().at(fleet.now() + wait, What::weather, 0, Agenda::Bound::free, std::move(call));
}

} // namespace

std::int64_t wrong_clock(env::Chance& chance) {
    switch (chance.bits() % 4) {
    case 0:
        return -1'800'000'000;
    case 1:
        return 2'300'000'000;
    case 2:
        return static_cast<std::int64_t>(chance.bits() % 7'200) - 3'600;
    default:
        return 0;
    }
}

namespace {

void bad_driver(Fleet& fleet, Computer& computer, Duration lasts) {
    if (!computer.has_node || computer.machine.behaviour.chance) return;
    auto& behaviour = computer.machine.behaviour;
    behaviour.fail = fleet.chance().fraction() * 0.3;
    behaviour.half = fleet.chance().fraction() * 0.3;
    behaviour.stall = fleet.chance().fraction() * 0.1;
    behaviour.forget = fleet.chance().fraction() * 0.3;
    behaviour.chance = [&computer] { return computer.chance.fraction(); };
    fleet.tell("the driver of " + computer.name + " turns bad");
    later(fleet, lasts, [&fleet, &computer] {
        if (!computer.machine.behaviour.chance) return;
        computer.machine.behaviour.chance = nullptr;
        computer.disturbed = fleet.now();
        fleet.tell("the driver of " + computer.name + " is good again");
    });
}

} // namespace

WeatherOptions WeatherOptions::draw(env::Chance& chance) {
    // Each kind is absent in half of the runs, so that the others meet undisturbed.
    auto mean = [&](Duration least, Duration most) {
        return chance.fraction() < 0.5 ? Duration(0) : least + chance.up_to(most - least);
    };
    WeatherOptions options;
    options.cuts = mean(1min, 20min);
    options.cut_for = 10s + chance.up_to(15min);
    options.one_way = mean(5min, 30min);
    options.kills = mean(30s, 15min);
    options.dead_for = 1s + chance.up_to(60s);
    options.reboots = mean(3min, 30min);
    options.off_for = 5s + chance.up_to(5min);
    options.disks = mean(3min, 30min);
    options.exits = mean(1min, 15min);
    options.sickness = mean(5min, 30min);
    options.bad_drivers = mean(5min, 30min);
    options.stops = mean(2min, 30min);
    options.stopped_for = 1s + chance.up_to(2min);
    options.freezes = mean(2min, 30min);
    options.frozen_for = 1s + chance.up_to(20s);
    options.clock_jumps = mean(5min, 30min);
    options.people = 20s + chance.up_to(5min);
    options.site_people = mean(1min, 20min);
    return options;
}

void begin_weather(Fleet& fleet, const WeatherOptions& options, Duration lasts) {
    Duration end = fleet.now() + lasts;
    repeat(fleet, options.people, end, What::operate, [&fleet] { fleet.operators().do_something(); });
    repeat(fleet, options.site_people, end, What::operate, [&fleet] {
        auto sites = fleet.sites();
        fleet.site_people().do_something(sites[fleet.chance().bits() % sites.size()]);
    });
    repeat(fleet, options.cuts, end, What::weather, [&fleet, options] {
        Computer& one = any(fleet, false);
        if (fleet.network().is_cut(one.cell)) return;
        fleet.cut(one.cell);
        if (one.role == env::Peer::Role::node) one.disturbed = fleet.now();
        later(fleet, about(fleet, options.cut_for), [&fleet, cell = one.cell] { fleet.heal(cell); });
    });
    repeat(fleet, options.one_way, end, What::weather, [&fleet, options] {
        Computer& one = any(fleet, false);
        if (fleet.network().is_cut(one.cell)) return;
        Way way = fleet.chance().fraction() < 0.5 ? Way::up : Way::down;
        fleet.tell(one.name + (way == Way::up ? " is not heard any more" : " hears nothing any more"));
        fleet.network().cut(one.cell, way);
        if (one.role == env::Peer::Role::node) one.disturbed = fleet.now();
        later(fleet, about(fleet, options.cut_for), [&fleet, cell = one.cell] { fleet.heal(cell); });
    });
    repeat(fleet, options.kills, end, What::weather, [&fleet, options] {
        Computer& one = any(fleet, options.core_too);
        if (!one.process) return;
        fleet.kill(one.cell);
        later(fleet, about(fleet, options.dead_for), [&fleet, cell = one.cell] { fleet.start(cell); });
    });
    repeat(fleet, options.reboots, end, What::weather, [&fleet, options] {
        Computer& one = any(fleet, options.core_too);
        if (one.powered && one.joined) fleet.reboot(one.cell, about(fleet, options.off_for));
    });
    repeat(fleet, options.disks, end, What::weather, [&fleet, options] {
        Computer& one = any(fleet, options.core_too);
        if (!one.process) return;
        auto fate = fleet.chance().fraction() < 0.5 ? store::MemoryDisk::Fate::lost : store::MemoryDisk::Fate::kept;
        one.disk.rows().crash_on_write(1 + fleet.chance().bits() % 4, fate);
    });
    repeat(fleet, options.exits, end, What::weather, [&fleet] {
        Computer& one = any(fleet, false);
        auto running = one.machine.running();
        if (running.empty()) return;
        const auto& name = running[fleet.chance().bits() % running.size()];
        fleet.ledger().ended_by_weather(one.cell, name);
        one.disturbed = fleet.now();
        fleet.tell("instance " + name + " on " + one.name + " exits");
        if (fleet.chance().fraction() < 0.5)
            one.machine.exit(name, 3);
        else
            one.machine.kill_out_of_memory(name);
    });
    repeat(fleet, options.sickness, end, What::weather, [&fleet, options] {
        Computer& one = any(fleet, false);
        auto running = one.machine.running();
        if (running.empty()) return;
        auto name = running[fleet.chance().bits() % running.size()];
        one.sick.insert(name);
        one.disturbed = fleet.now();
        fleet.tell("instance " + name + " on " + one.name + " falls ill");
        later(fleet, about(fleet, options.sick_for), [&fleet, &one, name] {
            one.sick.erase(name);
            one.disturbed = fleet.now();
        });
    });
    repeat(fleet, options.stops, end, What::weather, [&fleet, options] {
        Computer& one = any(fleet, options.core_too);
        fleet.stop(one.cell);
        later(fleet, about(fleet, options.stopped_for), [&fleet, cell = one.cell] { fleet.go_on(cell); });
    });
    repeat(fleet, options.freezes, end, What::weather, [&fleet, options] {
        Computer& one = any(fleet, options.core_too);
        fleet.freeze(one.cell, fleet.chance().fraction() < 0.5 ? Fleet::Clocks::count : Fleet::Clocks::stand);
        later(fleet, about(fleet, options.frozen_for), [&fleet, cell = one.cell] { fleet.thaw(cell); });
    });
    repeat(fleet, options.clock_jumps, end, What::weather, [&fleet] {
        Computer& one = any(fleet, true);
        std::int64_t days = static_cast<std::int64_t>(fleet.chance().bits() % 20'000) - 10'000;
        fleet.tell("the wall clock of " + one.name + " jumps by " + std::to_string(days) + " days");
        one.clock.jump(days * 24h);
    });
    repeat(fleet, options.bad_drivers, end, What::weather,
           [&fleet, options] { bad_driver(fleet, any(fleet, false), about(fleet, options.bad_for)); });
}

} // namespace skerry::sim
