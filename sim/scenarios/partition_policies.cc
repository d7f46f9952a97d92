#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "sim/fleet.h"
#include "sim/scenario.h"

#include <string>
#include <utility>
#include <vector>

namespace skerry::sim {

namespace {

/// Substitutes of this app for this site, as the core has them.
std::size_t substitutes(Fleet& fleet, const std::string& app, const std::string& site) {
    std::size_t count = 0;
    for (const auto& object : fleet.core().process->store().list(model::Kind::allocation)) {
        const auto& spec = store::as<model::Allocation>(*object).spec();
        count += spec.app() == app && spec.substitutes() == site ? spec.replicas() : 0;
    }
    return count;
}

std::string touch(Fleet& fleet, const std::string& app) {
    const auto* object = fleet.core().process->store().get<model::App>({model::Kind::app, Operators::project, app});
    const auto* condition = object ? model::find_condition(object->status().conditions(), "InTouch") : nullptr;
    return condition ? condition->reason() : "nothing";
}

void expect(Fleet& fleet, bool holds, const std::string& what) {
    if (!holds && !fleet.violated()) fleet.violate("partition-policy", what);
}

} // namespace

void play_partition_policies(Fleet& fleet, const Size&) {
    std::vector<Cell> stores;
    for (int n = 1; n <= 6; ++n)
        stores.push_back(fleet.add_site({.name = "store-" + std::to_string(n), .labels = {{"tier", "store"}}, .profile = "lan"}));
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    // All are in touch before anything is placed.
    fleet.pass(1min);
    // One replica at each store, so that every cut leaves one behind.
    people.apply({.name = "keep", .each = false, .replicas = 6});
    const std::pair<std::string, std::string> least[] = {
        {"least-original", "keepOriginal"}, {"least-substitute", "keepSubstitute"}, {"least-longest", "longestRunning"}};
    for (const auto& [app, rule] : least)
        people.apply(
            {.name = app, .each = false, .replicas = 6, .policy = "atLeastOnce", .replace_after = "2m", .on_heal = rule});
    fleet.converge(10min);
    if (fleet.violated()) return;

    // One alone: it is substituted, and its own run on.
    std::size_t alone = fleet.chance().bits() % stores.size();
    const std::string name = fleet.computer(stores[alone]).name;
    fleet.cut(stores[alone]);
    fleet.pass(1min);
    for (const auto& [app, rule] : least)
        expect(fleet, substitutes(fleet, app, name) == 0, app + " was replaced before its time");
    fleet.pass(2min);
    if (fleet.violated()) return;
    for (const auto& [app, rule] : least) {
        expect(fleet, substitutes(fleet, app, name) == 1, app + " has no substitute: " + touch(fleet, app));
        expect(fleet, touch(fleet, app) == "Substituted", app + " says " + touch(fleet, app));
    }
    expect(fleet, substitutes(fleet, "keep", name) == 0 && touch(fleet, "keep") == "Keep", "keep placed something elsewhere");
    // The substitutes' sites, the core, the silent site itself have troubles of their own.
    double drawn = fleet.chance().fraction();
    if (drawn < 0.3)
        fleet.reboot(1, fleet.chance().up_to(1min));
    else if (drawn < 0.6)
        fleet.reboot(stores[alone], fleet.chance().up_to(1min));
    else if (drawn < 0.8)
        fleet.cut(stores[(alone + 1) % stores.size()]);
    fleet.pass(5min);
    fleet.heal(stores[(alone + 1) % stores.size()]);
    fleet.pass(fleet.chance().up_to(30s));
    fleet.heal(stores[alone]);
    fleet.pass(fleet.chance().up_to(10s));
    if (fleet.chance().fraction() < 0.3) {
        // And away again, in the middle of it.
        fleet.cut(stores[alone]);
        fleet.pass(fleet.chance().up_to(4min));
        fleet.heal(stores[alone]);
    }
    fleet.pass(2min);
    fleet.converge(10min);
    if (fleet.violated()) return;
    for (const auto& [app, rule] : least)
        expect(fleet, substitutes(fleet, app, name) == 0, app + " still has substitutes after the heal");

    // Many at once: the core suspects itself.
    for (std::size_t n = 0; n < 4; ++n) fleet.cut(stores[n]);
    fleet.pass(10min);
    if (fleet.violated()) return;
    for (std::size_t n = 0; n < 4; ++n)
        for (const auto& [app, rule] : least) {
            // What stayed as a substitute may have left a store with none of its own.
            expect(fleet, substitutes(fleet, app, "store-" + std::to_string(n + 1)) == 0,
                   app + " was replaced though four of six sites vanished at once");
        }
    expect(fleet, touch(fleet, "least-original") == "Frozen",
           "four of six sites vanished at once, and it says " + touch(fleet, "least-original"));
    for (std::size_t n = 0; n < 4; ++n) fleet.heal(stores[n]);
    fleet.pass(1min);
    fleet.converge(10min);
}

} // namespace skerry::sim
