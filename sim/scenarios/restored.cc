#include "sim/fleet.h"
#include "sim/scenario.h"

#include <cstdint>
#include <set>
#include <string>
#include <utility>

namespace skerry::sim {

namespace {

/// What runs of apps that nobody touches, by its process.
std::set<std::pair<Cell, std::int64_t>> untouched(Fleet& fleet) {
    std::set<std::pair<Cell, std::int64_t>> running;
    for (const auto& computer : fleet.computers()) {
        if (!computer) continue;
        for (const auto& [name, process] : computer->machine.processes())
            for (const char* app : {"/till.", "/radio."})
                if (process.spec.title.find(app) != std::string::npos) running.emplace(computer->cell, process.pid);
    }
    return running;
}

/// The site where an instance of the app runs; 0: nowhere.
Cell holder_of(Fleet& fleet, const std::string& app) {
    for (Cell site : fleet.sites())
        for (const auto& [name, process] : fleet.computer(site).machine.processes())
            if (process.phase == drivers::Phase::running && process.spec.title.find("/" + app + ".") != std::string::npos)
                return site;
    return 0;
}

/// Apps made, changed and scaled since the backup, all of which had reached sites. Nobody does anything about the loss.
void lose_deployments(Fleet& fleet) {
    auto& people = fleet.operators();
    auto backup = fleet.core().disk.backup();
    people.apply({.name = "till", .marker = 7, .image = 1});
    people.apply({.name = "web", .each = false, .replicas = 3, .policy = "atLeastOnce", .replace_after = "3m"});
    people.apply({.name = "radio", .replicas = 2});
    people.apply({.name = "radio", .replicas = 2, .label = 3});
    fleet.converge(10min);
    if (fleet.violated()) return;
    // One of them is not there when the others tell.
    Cell away = fleet.sites().front();
    bool late = fleet.chance().fraction() < 0.5;
    if (late) fleet.cut(away);
    fleet.pass(fleet.chance().up_to(1min));
    auto before = untouched(fleet);
    fleet.restore(1, backup);
    if (fleet.chance().fraction() < 0.5) { // and it dies again while it recovers
        fleet.pass(5s + fleet.chance().up_to(1min));
        fleet.kill(1);
        fleet.pass(5s);
        fleet.start(1);
    }
    fleet.pass(6min);
    if (late) fleet.heal(away);
    fleet.converge(15min);
    if (!fleet.violated() && untouched(fleet) != before)
        fleet.violate("no-restart-on-heal", "something that runs everywhere was ended since the core's disk was put back");
}

/// The work moves after the backup; then the core comes back believing in the first owner, which returns as the second one goes.
void lose_a_move(Fleet& fleet) {
    Cell first = holder_of(fleet, "ledger");
    if (first == 0) return fleet.violate("converged", "ledger runs nowhere though all is well");
    auto backup = fleet.core().disk.backup();
    fleet.cut(first);
    fleet.pass(5min);
    Cell second = holder_of(fleet, "ledger");
    if (fleet.violated()) return;
    if (second == 0 || second == first) return fleet.violate("partition-policy", "ledger has not moved in five minutes");
    fleet.restore(1, backup);
    bool silent = fleet.chance().fraction() < 0.7;
    if (silent) fleet.cut(second);
    fleet.pass(fleet.chance().up_to(20s));
    fleet.heal(first);
    fleet.pass(5min);
    if (silent) fleet.heal(second);
    fleet.converge(15min);
}

void lose_a_sites_own(Fleet& fleet) {
    Cell site = fleet.sites().back();
    auto& people = fleet.site_people();
    people.apply(site, {.name = "own-1", .tier = {}, .by_digest = true});
    fleet.converge(10min);
    if (fleet.violated()) return;
    auto backup = fleet.computer(site).disk.backup();
    people.apply(site, {.name = "own-1", .tier = {}, .marker = 5, .by_digest = true});
    people.apply(site, {.name = "own-2", .tier = {}, .by_digest = true});
    people.mark(site, "till", 99);
    fleet.converge(10min);
    if (fleet.violated()) return;
    fleet.power_off(site);
    fleet.restore(site, backup);
    fleet.power_on(site);
    fleet.pass(2min);
    fleet.converge(15min);
}

} // namespace

void play_restored(Fleet& fleet, const Size&) {
    for (int n = 1; n <= 4; ++n)
        fleet.add_site({.name = "store-" + std::to_string(n),
                        .labels = {{"tier", "store"}},
                        .more_nodes = n == 4 ? 1u : 0u,
                        .profile = "lan"});
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    fleet.pass(1min);
    people.apply({.name = "till"});
    people.apply({.name = "ledger", .each = false, .policy = "atMostOnce"});
    fleet.converge(10min);
    void (*losses[])(Fleet&) = {lose_deployments, lose_a_move, lose_a_sites_own};
    std::size_t first = fleet.chance().bits() % 3;
    for (std::size_t n = 0; n < 3 && !fleet.violated(); ++n) losses[(first + n) % 3](fleet);
}

} // namespace skerry::sim
