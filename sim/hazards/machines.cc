#include "sim/hazards/hazards.h"

namespace skerry::sim {

void kill_process(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::nobody);
    if (!one.attends()) return;
    fleet.kill(one.cell);
    later(fleet, lasts, [&fleet, cell = one.cell] { fleet.start(cell); });
}

void reboot_computer(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::nobody);
    if (one.powered && one.joined) fleet.reboot(one.cell, lasts);
}

void stop_process(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::nobody);
    if (!one.attends()) return;
    fleet.stop(one.cell);
    later(fleet, lasts, [&fleet, cell = one.cell] { fleet.go_on(cell); });
}

void freeze_computer(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::nobody);
    if (!one.powered || one.frozen) return;
    fleet.freeze(one.cell, chance.fraction() < 0.5 ? Fleet::Clocks::count : Fleet::Clocks::stand);
    later(fleet, lasts, [&fleet, cell = one.cell] { fleet.thaw(cell); });
}

void jump_clock(Fleet& fleet, env::Chance& chance, Duration) {
    Computer& one = any(fleet, chance, Spares::nobody);
    std::int64_t days = static_cast<std::int64_t>(chance.bits() % 20'000) - 10'000;
    fleet.tell("the wall clock of " + one.name + " jumps by " + std::to_string(days) + " days");
    one.clock.jump(days * 24h);
}

void change_drift(Fleet& fleet, env::Chance& chance, Duration) {
    Computer& one = any(fleet, chance, Spares::nobody);
    constexpr std::int64_t most = ComputerClock::most_drift_ppm;
    one.clock.set_drift(static_cast<std::int64_t>(chance.bits() % (2 * most + 1)) - most);
    fleet.tell("the clock of " + one.name + " drifts by " + std::to_string(one.clock.drift()) + " ppm");
}

} // namespace skerry::sim
