#pragma once

#include "env/seeded_chance.h"
#include "node/node.h"
#include "sim/world/clock.h"
#include "sim/world/disk.h"
#include "sim/world/network.h"
#include "sim/world/runtime.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace skerry::sim {

class Process;

/// One computer of the fleet: what outlives the process on it (disk, image bytes) and what outlives the process but not a reboot
/// (what runs there).
struct Computer {
    Computer(const Agenda& agenda, std::uint64_t seed);
    ~Computer();

    Cell cell = 0;
    env::Peer::Role role = env::Peer::Role::site;
    std::string name;
    std::string site;      ///< where it stands; empty for the core
    Cell parent = 0;       ///< whom it dials; 0: nobody
    bool has_node = false; ///< runs instances
    bool divides = false;  ///< a region: a site with sites below it
    bool joined = false;   ///< its parent has made its object
    bool powered = true;
    bool stopped = false;   ///< its process is (SIGSTOP)
    bool frozen = false;    ///< all of it is
    node::Machine capacity; ///< what it really has
    node::Machine claims;   ///< what it says it has: the same, but for a planted bug

    env::SeededChance chance;
    ComputerClock clock;
    Disk disk;
    drivers::fake::FakeMachine machine;
    RuntimeFaults faults;
    std::map<std::string, std::int64_t> bytes_of; ///< of images, as far as they have arrived
    std::set<std::string> images;                 ///< complete ones
    bool shows_own_clock = false;                 ///< its cell sees the machine's wall clock as it is: a planted bug
    bool forgets_images = false;                  ///< at a reboot: a planted bug
    std::set<drivers::InstanceName> sick;         ///< fail their health checks
    Duration spent{};                             ///< by the driver call under way
    bool leash_is_slack = false;                  ///< it never ends anything: a planted bug
    std::optional<Instant> leash_until;           ///< as it was last set, by the computer's clock
    std::optional<Duration> leash_ebbed;          ///< when it was last renewed in its final seconds
    std::uint64_t leash_turn = 0;                 ///< the last time it was set
    unsigned leash_still = 0;                     ///< tenths of a second past its moment without anything to end or a daemon
    std::optional<Duration> thawed;               ///< the last time that all of it had stood still (rule F6)

    std::unique_ptr<Process> process; ///< null: none runs
    std::uint64_t starts = 0;         ///< of processes
    /// A process runs there, and is not stopped.
    bool attends() const { return process && !stopped && !frozen; }
    Duration disturbed{}; ///< last time that weather hit it
};

} // namespace skerry::sim
