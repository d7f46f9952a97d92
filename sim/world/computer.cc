#include "sim/world/computer.h"

#include "sim/world/process.h"

namespace skerry::sim {

Computer::Computer(const Agenda& agenda, std::uint64_t seed)
    : chance(seed), clock(agenda, static_cast<std::int64_t>(chance.bits() % 101) - 50), disk(agenda, chance) {
    disk.spend = [this](Duration duration) { spent += duration; };
    machine.wall = [this] { return clock.wall(); };
    machine.behaviour.spend = [this](Duration duration) { spent += duration; };
    clock.boot(chance.id(), 0);
}

Computer::~Computer() = default;

} // namespace skerry::sim
