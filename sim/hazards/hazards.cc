#include "sim/hazards/hazards.h"

namespace skerry::sim {

Computer& any(Fleet& fleet, env::Chance& chance, Spares spares) {
    Cell first = spares == Spares::core ? 2 : 1;
    return fleet.computer(first + static_cast<Cell>(chance.bits() % (fleet.computers().size() - first)));
}

const std::vector<Hazard>& hazards() {
    static const std::vector<Hazard> list = {
        {"people", 20s, 5min, 0s, 0s, operate, 0},
        {"site-people", 1min, 20min, 0s, 0s, operate_at_site},
        {"cuts", 1min, 20min, 10s, 15min, cut_link},
        {"one-way", 5min, 30min, 10s, 15min, cut_one_way},
        {"clogs", 1min, 20min, 1s, 2min, clog_link},
        {"half-open", 1min, 20min, 0s, 0s, forget_connections},
        {"bad-links", 2min, 30min, 10s, 10min, worsen_link},
        {"kills", 30s, 15min, 1s, 1min, kill_process},
        {"reboots", 3min, 30min, 5s, 5min, reboot_computer},
        {"stops", 2min, 30min, 1s, 2min, stop_process},
        {"freezes", 2min, 30min, 1s, 20s, freeze_computer},
        {"disks", 3min, 30min, 0s, 0s, refuse_write},
        {"full-disks", 5min, 30min, 5s, 3min, fill_disk},
        {"slow-disks", 5min, 30min, 10s, 5min, slow_disk},
        {"flips", 5min, 30min, 0s, 0s, flip_bits},
        {"clocks", 5min, 30min, 0s, 0s, jump_clock},
        {"drift", 5min, 30min, 0s, 0s, change_drift},
        {"exits", 1min, 15min, 0s, 0s, end_instance},
        {"sickness", 5min, 30min, 10s, 2min, sicken_instance},
        {"bad-drivers", 5min, 30min, 30s, 5min, spoil_driver},
        // Until cells recover by rules H2 to H4.
        {"backups", 10min, 30min, 1min, 30min, restore_backup, 0, false},
    };
    return list;
}

} // namespace skerry::sim
