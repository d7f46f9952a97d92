#include "model/site.pb.h"
#include "sim/fleet.h"
#include "sim/scenario.h"

namespace skerry::sim {

void set_uplink(Fleet& fleet, Cell site, const std::string& budget, const std::string& window) {
    auto& store = fleet.core().process->store();
    auto object = store.get({model::Kind::site, "", fleet.computer(site).name});
    if (!object) return;
    model::Site wish;
    wish.ParseFromString(*object->wish.bytes);
    auto& uplink = *wish.mutable_spec()->mutable_uplinks(0);
    uplink.clear_budget();
    uplink.clear_windows();
    if (!budget.empty()) uplink.set_budget(budget);
    if (!window.empty()) {
        uplink.add_windows()->set_start(window);
        uplink.mutable_windows(0)->set_lasts("30m");
    }
    wish.mutable_metadata()->set_generation(object->generation + 1);
    store::Transaction edit;
    edit.put(object->key, object->uid, object->home, object->generation + 1, wish.SerializeAsString(),
             store::Transaction::unchanged(*object));
    store.commit(std::move(edit), nullptr);
}

/// A day on links that cost: more is said and fetched than they may carry, and processes die meanwhile.
void play_budgets(Fleet& fleet, const Size&) {
    PathOptions slow{.delay = 300ms, .jitter = 100ms};
    Cell ship = fleet.add_site({.name = "ship", .labels = {{"tier", "store"}}, .profile = "satellite", .uplink = slow});
    Cell van =
        fleet.add_site({.name = "van", .labels = {{"tier", "store"}}, .more_nodes = 1, .profile = "satellite", .uplink = slow});
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    people.apply({.name = "till", .health = false});
    fleet.converge(10min);
    fleet.audit_period = 10s;
    set_uplink(fleet, ship, "95k", {});
    set_uplink(fleet, van, "1M", "0 */6 * * *");
    std::uint32_t marker = 0;
    bool waited = false;
    for (int round = 0; round < 16 && !fleet.violated(); ++round) {
        for (int edits = 0; edits < 3; ++edits) {
            fleet.pass(2min + fleet.chance().up_to(20min));
            people.apply({.name = "till", .marker = ++marker, .image = round < 8 ? 0u : 1u, .health = false});
        }
        waited |= fleet.computer(ship).process && !fleet.computer(ship).process->cell().meters().waiting("parent").reason.empty();
        Cell one = fleet.chance().fraction() < 0.7 ? ship : van;
        double what = fleet.chance().fraction();
        if (what < 0.3) {
            fleet.kill(one);
            fleet.pass(fleet.chance().up_to(2min));
            fleet.start(one);
        } else if (what < 0.4) {
            fleet.kill(fleet.core().cell);
            fleet.pass(fleet.chance().up_to(2min));
            fleet.start(fleet.core().cell);
        } else if (what < 0.6) {
            fleet.cut(one);
            fleet.pass(fleet.chance().up_to(1h));
            fleet.heal(one);
        }
    }
    if (!waited && !fleet.violated()) fleet.violate("budgets-kept", "nothing ever waited: this story tests nothing");
    for (Cell each : {ship, van}) set_uplink(fleet, each, {}, {});
    fleet.pass(20min);
    fleet.converge(30min);
}

} // namespace skerry::sim
