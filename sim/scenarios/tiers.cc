#include "sim/fleet.h"
#include "sim/scenario.h"

#include <algorithm>
#include <string>
#include <vector>

namespace skerry::sim {

namespace {

/// The sites where instances of the app run, each as often as it has one.
std::vector<Cell> sites_of(Fleet& fleet, const std::string& app) {
    std::vector<Cell> sites;
    for (const auto& computer : fleet.computers()) {
        if (!computer || !computer->has_node) continue;
        Cell site = computer->role == env::Peer::Role::node ? computer->parent : computer->cell;
        for (const auto& [name, process] : computer->machine.processes())
            // Of a title such as "default/ledger.main.paris.x2k4p".
            if (process.phase == drivers::Phase::running && process.spec.title.find("/" + app + ".") != std::string::npos)
                sites.push_back(site);
    }
    return sites;
}

/// The site where the only instance of the app runs; 0: nowhere.
Cell site_of(Fleet& fleet, const std::string& app) {
    auto sites = sites_of(fleet, app);
    return sites.empty() ? 0 : sites.front();
}

/// The region is cut off while the core wants something else of it; meanwhile its sites fail and it replaces what they ran.
void cut_region(Fleet& fleet, Cell region) {
    auto& people = fleet.operators();
    auto below = fleet.children(region);
    auto pages = [&] {
        return std::ranges::count_if(sites_of(fleet, "page"), [&](Cell site) { return fleet.computer(site).parent == region; });
    };
    auto before = pages();
    fleet.cut(region);
    fleet.pass(30s);
    people.apply({.name = "till", .replicas = 2, .marker = 2, .image = 1});
    people.apply({.name = "page", .each = false, .replicas = 6, .policy = "atLeastOnce", .replace_after = "2m"});
    fleet.pass(3min);
    Cell lost = below[fleet.chance().bits() % below.size()];
    fleet.power_off(lost);
    fleet.pass(5min);
    // What the lost site ran of `page` runs elsewhere in the region, by the region's own decision.
    if (auto now = pages(); before == 0 || now < before)
        return fleet.violate("partition-policy", "region " + fleet.computer(region).name + " ran " + std::to_string(before) +
                                                     " replicas of page, and runs " + std::to_string(now) +
                                                     " after a site of it was lost while it is cut off");
    fleet.kill(region);
    fleet.pass(fleet.chance().up_to(20s));
    fleet.start(region);
    fleet.pass(3min);
    fleet.power_on(lost);
    fleet.pass(2min);
    fleet.heal(region);
    fleet.pass(1min);
    fleet.converge(15min);
}

/// What may run once moves when its site, or its region, is cut off for good.
void move_once(Fleet& fleet, bool whole_region) {
    Cell home = site_of(fleet, "ledger");
    if (home == 0) return fleet.violate("partition-policy", "ledger runs nowhere though all is well");
    Cell region = fleet.computer(home).parent;
    fleet.cut(whole_region ? region : home);
    fleet.pass(fleet.chance().up_to(20s));
    if (fleet.chance().fraction() < 0.5) {
        Cell down = fleet.chance().fraction() < 0.5 ? 1 : region;
        fleet.kill(down);
        fleet.pass(fleet.chance().up_to(10s));
        fleet.start(down);
    }
    fleet.pass(6min);
    if (fleet.violated()) return;
    Cell now = site_of(fleet, "ledger");
    bool moved = now != 0 && (whole_region ? fleet.computer(now).parent != region : now != home);
    if (!moved)
        return fleet.violate("partition-policy", "ledger has not moved from " +
                                                     fleet.computer(whole_region ? region : home).name + " in six minutes");
    fleet.heal(whole_region ? region : home);
    fleet.pass(1min);
    fleet.converge(10min);
}

} // namespace

void play_tiers(Fleet& fleet, const Size&) {
    Cell emea = fleet.add_site({.name = "emea", .labels = {{"tier", "store"}}, .divides = true});
    Cell apac = fleet.add_site({.name = "apac", .labels = {{"tier", "store"}}, .divides = true, .profile = "lan"});
    fleet.add_site({.name = "paris", .region = emea, .more_nodes = 1, .profile = "lan"});
    fleet.add_site({.name = "berlin", .region = emea, .profile = "lan"});
    fleet.add_site({.name = "emea-office", .labels = {{"tier", "office"}}, .region = emea, .profile = "lan"});
    fleet.add_site({.name = "tokyo", .region = apac, .profile = "lan"});
    fleet.add_site({.name = "depot", .labels = {{"tier", "store"}}, .profile = "lan"});
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    fleet.pass(1min); // so that what is spread finds all of them
    people.apply({.name = "till", .replicas = 2});
    people.apply({.name = "page", .each = false, .replicas = 6, .policy = "atLeastOnce", .replace_after = "2m"});
    people.apply({.name = "ledger", .each = false, .replicas = 1, .policy = "atMostOnce"});
    people.apply({.name = "desk", .tier = "office"});
    fleet.converge(15min);
    if (!fleet.violated()) cut_region(fleet, emea);
    people.apply({.name = "till", .replicas = 1, .marker = 3});
    people.remove("desk");
    fleet.converge(10min);
    for (int round = 0; round < 4 && !fleet.violated(); ++round)
        // The depot is a site of the core itself, and the other region has but one.
        if (Cell home = site_of(fleet, "ledger"); home != 0) {
            Cell parent = fleet.computer(home).parent;
            move_once(fleet, parent == apac || (parent == emea && fleet.chance().fraction() < 0.5));
        }
}

} // namespace skerry::sim
