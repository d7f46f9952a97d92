#include "sim/fleet.h"
#include "sim/scenario.h"

#include <string>
#include <vector>

namespace skerry::sim {

namespace {

/// The site where an instance of the app runs; 0: nowhere.
Cell runs_at(Fleet& fleet, const std::string& app) {
    for (Cell site : fleet.sites())
        for (const auto& [name, process] : fleet.computer(site).machine.processes())
            // Of a title such as "default/ledger.main.store-1.x2k4p".
            if (process.phase == drivers::Phase::running && process.spec.title.find("/" + app + ".") != std::string::npos)
                return site;
    return 0;
}

/// People want it elsewhere while its site hears nothing, or is slow to: by another selector, or as a new App of the same name.
void move_by_people(Fleet& fleet) {
    auto& people = fleet.operators();
    auto wish = [](bool east) {
        return AppWish{.name = "safe", .each = false, .tier = east ? "east" : "west", .replicas = 1, .policy = "atMostOnce"};
    };
    people.apply(wish(true));
    fleet.converge(10min);
    for (int round = 0; round < 4 && !fleet.violated(); ++round) {
        bool east = round % 2 == 1;
        Cell home = runs_at(fleet, "safe");
        if (home == 0) return fleet.violate("partition-policy", "safe runs nowhere though all is well");
        bool cut = fleet.chance().fraction() < 0.7;
        if (cut) fleet.cut(home);
        // Before the core notices, or after.
        fleet.pass(fleet.chance().up_to(20s));
        if (fleet.chance().fraction() < 0.5) {
            people.remove("safe");
            for (int n = 0; n < 60 && people.busy(); ++n) fleet.pass(1s);
        }
        people.apply(wish(east));
        fleet.pass(5min);
        if (fleet.violated()) return;
        Cell now = runs_at(fleet, "safe");
        if (now == 0 || now == home)
            return fleet.violate("partition-policy", "safe has not moved from " + fleet.computer(home).name + " in five minutes");
        if (cut) fleet.heal(home);
        fleet.pass(1min);
        fleet.converge(10min);
    }
}

/// A wish goes and comes back while its site hears nothing: what it heard of last is what is wanted, and nothing restarts.
void change_of_mind(Fleet& fleet) {
    auto& people = fleet.operators();
    auto wish = [](bool east) { return AppWish{.name = "page", .tier = east ? "east" : "west"}; };
    people.apply(wish(true));
    fleet.converge(10min);
    for (int round = 0; round < 3 && !fleet.violated(); ++round) {
        auto sites = fleet.sites();
        Cell home = sites[fleet.chance().bits() % sites.size()];
        auto pids = [&] {
            std::vector<std::int64_t> pids;
            for (const auto& [name, process] : fleet.computer(home).machine.processes())
                if (process.spec.title.find("/page.") != std::string::npos) pids.push_back(process.pid);
            return pids;
        };
        auto before = pids();
        fleet.cut(home);
        // Mostly before the core notices.
        fleet.pass(fleet.chance().up_to(8s));
        people.apply(wish(false));
        fleet.pass(fleet.chance().up_to(20s));
        people.apply(wish(true));
        fleet.pass(1min);
        fleet.heal(home);
        fleet.pass(1min);
        fleet.converge(10min);
        if (pids() != before)
            return fleet.violate("no-restart-on-heal",
                                 fleet.computer(home).name + " heard of no change, and its page was started again");
    }
}

} // namespace

/// One replica of policy atMostOnce, spread: its site is cut off for good, the core restarts meanwhile, and it moves. Another that
/// people move, and one of which they change their mind.
void play_moves(Fleet& fleet, const Size&) {
    for (int n = 1; n <= 4; ++n)
        fleet.add_site(
            {.name = "store-" + std::to_string(n), .labels = {{"tier", n % 2 == 0 ? "east" : "west"}}, .profile = "lan"});
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    fleet.pass(1min);
    people.apply({.name = "ledger", .each = false, .tier = {}, .replicas = 1, .policy = "atMostOnce"});
    fleet.converge(10min);
    for (int round = 0; round < 3 && !fleet.violated(); ++round) {
        Cell home = runs_at(fleet, "ledger");
        if (home == 0) return fleet.violate("partition-policy", "ledger runs nowhere though all is well");
        fleet.cut(home);
        // The core forgets whom it heard; what it promised it must not.
        fleet.pass(fleet.chance().up_to(30s));
        if (fleet.chance().fraction() < 0.7) fleet.reboot(1, fleet.chance().up_to(20s));
        fleet.pass(5min);
        if (fleet.violated()) return;
        Cell now = runs_at(fleet, "ledger");
        if (now == 0 || now == home)
            return fleet.violate("partition-policy",
                                 "ledger has not moved from " + fleet.computer(home).name + " in five minutes");
        fleet.heal(home);
        fleet.pass(1min);
        fleet.converge(10min);
    }
    if (!fleet.violated()) move_by_people(fleet);
    if (!fleet.violated()) change_of_mind(fleet);
}

} // namespace skerry::sim
