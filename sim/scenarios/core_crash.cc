#include "sim/fleet.h"
#include "sim/scenario.h"

namespace skerry::sim {

void play_core_crash(Fleet& fleet, const Size&) {
    for (int n = 1; n <= 5; ++n)
        fleet.add_site({.name = "store-" + std::to_string(n), .labels = {{"tier", "store"}}, .profile = n % 2 ? "dsl" : "lan"});
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    people.apply({.name = "till", .max_unavailable = "20%"});
    fleet.converge(10min);
    for (std::uint32_t round = 1; round <= 6; ++round) {
        people.apply({.name = "till", .marker = round, .image = round % Operators::tags, .max_unavailable = "20%"});
        if (round % 2) people.apply({.name = "more-" + std::to_string(round), .each = false, .replicas = 2 + round});
        for (int crash = 0; crash < 3; ++crash) {
            fleet.pass(fleet.chance().up_to(crash == 0 ? 1500ms : 20s));
            if (fleet.chance().fraction() < 0.5) {
                auto fate = fleet.chance().fraction() < 0.5 ? store::MemoryDisk::Fate::lost : store::MemoryDisk::Fate::kept;
                fleet.core().disk.rows().crash_on_write(1 + fleet.chance().bits() % 3, fate);
                fleet.pass(10s);
            } else {
                fleet.kill(1);
                fleet.pass(fleet.chance().up_to(30s));
                fleet.start(1);
            }
        }
    }
    fleet.pass(30s);
    fleet.core().disk.rows().crash_on_write(0, store::MemoryDisk::Fate::written);
    fleet.converge(15min);
}

} // namespace skerry::sim
