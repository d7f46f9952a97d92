#include "sim/hazards/hazards.h"

namespace skerry::sim {

void refuse_write(Fleet& fleet, env::Chance& chance, Duration) {
    Computer& one = any(fleet, chance, Spares::nobody);
    if (!one.process) return;
    auto fate = chance.fraction() < 0.5 ? store::MemoryDisk::Fate::lost : store::MemoryDisk::Fate::kept;
    one.disk.refuse_write(1 + chance.bits() % 4, fate);
}

void fill_disk(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::nobody);
    fleet.tell("the disk of " + one.name + " is full");
    one.disk.fill();
    one.disturbed = fleet.now() + lasts;
    later(fleet, lasts, [&fleet, cell = one.cell] { fleet.make_room(cell); });
}

void slow_disk(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::nobody);
    one.disk.slow = 10ms + chance.up_to(2s);
    one.disturbed = fleet.now() + lasts;
    fleet.tell("the disk of " + one.name + " takes " + text(one.disk.slow / 1ms * 1ms) + " for a write");
    later(fleet, lasts, [&fleet, &one] {
        one.disk.slow = {};
        fleet.tell("the disk of " + one.name + " is as fast as usual");
    });
}

/// Bits flip in what a child holds of its parent's objects; the process ends, and finds it (rule S5).
void flip_bits(Fleet& fleet, env::Chance& chance, Duration) {
    Computer& one = any(fleet, chance, Spares::core);
    if (!one.attends() || one.disk.is_files()) return;
    fleet.kill(one.cell);
    for (std::uint64_t n = 1 + chance.bits() % 3; n > 0; --n) {
        std::string name = one.disk.damage_replica(chance);
        if (!name.empty()) fleet.tell(name + " is damaged on the disk of " + one.name);
    }
    later(fleet, 2s, [&fleet, cell = one.cell] { fleet.start(cell); });
}

/// An old image of the disk is put back (rules H2 to H4). People look at what is there when the cell has recovered, since what
/// nobody else had is lost.
void restore_backup(Fleet& fleet, env::Chance& chance, Duration lasts) {
    Computer& one = any(fleet, chance, Spares::nobody);
    auto backup = std::make_shared<Disk::Backup>(one.disk.backup());
    later(fleet, lasts, [&fleet, &one, backup] {
        if (!one.powered) return;
        fleet.reboot(one.cell, 10s);
        fleet.restore(one.cell, *backup);
        fleet.people_look_again = true;
    });
}

} // namespace skerry::sim
