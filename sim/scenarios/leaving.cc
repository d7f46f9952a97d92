#include "cell/links/seats.h"
#include "sim/fleet.h"
#include "sim/scenario.h"

#include <functional>
#include <string>
#include <vector>

namespace skerry::sim {

namespace {

using env::Peer;

store::Key site_key(const Fleet& fleet, Cell site) { return {model::Kind::site, "", fleet.wish_of(site).name}; }

/// Does this at the core until `done` says that it is durable, however often the core dies.
void at_core(Fleet& fleet, const std::function<bool(const store::Store&)>& done, const std::function<void(cell::Cell&)>& act) {
    for (int n = 0; n < 600 && !fleet.violated(); ++n, fleet.pass(500ms)) {
        auto& core = fleet.core();
        if (!core.process || !core.process->works() || !core.attends()) continue;
        if (done(core.process->store())) return;
        fleet.agenda().as(core.cell, [&] { act(core.process->cell()); });
    }
    if (!fleet.violated()) fleet.violate("leaving", "the core did not do in five minutes what people asked of it");
}

/// As a join does: the seat is for the Site that is there.
void join(Fleet& fleet, Cell site) {
    const std::string name = fleet.wish_of(site).name;
    CellId cell = fleet.computer(site).process ? fleet.computer(site).process->store().cell() : CellId{};
    at_core(
        fleet,
        [&](const store::Store& store) {
            auto object = store.get(site_key(fleet, site));
            auto seat = cell::seat_of(store, Peer::Role::site, name);
            return object && seat && *seat == cell::Seat{.object = object->uid, .cell = cell};
        },
        [&](cell::Cell& core) {
            auto object = core.store().get(site_key(fleet, site));
            if (!object) return fleet::ensure_site(core, fleet.wish_of(site), [](auto) {});
            store::Transaction transaction;
            cell::take_seat(transaction, Peer::Role::site, name, {.object = object->uid, .cell = cell});
            core.store().commit(std::move(transaction), [&core](auto) { core.wake("leavers"); });
        });
}

void delete_site(Fleet& fleet, Cell site) {
    at_core(
        fleet, [&](const store::Store& store) { return !store.get(site_key(fleet, site)); },
        [&](cell::Cell& core) { core.admission().remove(people(), site_key(fleet, site), {}, {}, [](auto) {}); });
    fleet.tell(fleet.computer(site).name + " is deleted");
}

} // namespace

/// Sites are deleted, with cuts and crashes around it, while their machines run on; each joins again later. What may run once never
/// runs twice meanwhile (rules F4, H6), and in the end the core knows all of each again.
void play_leaving(Fleet& fleet, const Size&) {
    std::vector<Cell> stores;
    for (int n = 1; n <= 3; ++n)
        stores.push_back(fleet.add_site({.name = "store-" + std::to_string(n), .labels = {{"tier", "store"}}, .profile = "lan"}));
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    people.apply({.name = "ledger", .each = false, .replicas = 1, .health = false, .policy = "atMostOnce"});
    people.apply({.name = "page", .health = false});
    fleet.converge(10min);
    for (Cell site : stores) join(fleet, site);
    auto perhaps = [&] { return fleet.chance().fraction() < 0.5; };
    for (int round = 0; round < 5 && !fleet.violated(); ++round) {
        Cell site = stores[fleet.chance().bits() % stores.size()];
        if (perhaps()) fleet.cut(site);
        fleet.pass(fleet.chance().up_to(20s));
        delete_site(fleet, site);
        fleet.pass(fleet.chance().up_to(10s));
        if (perhaps()) {
            fleet.kill(1);
            fleet.pass(fleet.chance().up_to(5s));
            fleet.start(1);
        }
        fleet.heal(site);
        fleet.pass(fleet.chance().up_to(2min));
        if (round % 2 == 0) {
            fleet.pass(2min);
            if (fleet.violated()) return;
            for (const auto& node : fleet.core().process->store().list(model::Kind::node))
                if (node->key.name == fleet.computer(site).name)
                    return fleet.violate("leaving",
                                         "two minutes after its Site was deleted the core still has " + node->key.text());
        }
        join(fleet, site);
        fleet.pass(fleet.chance().up_to(2min));
    }
    fleet.converge(15min);
}

} // namespace skerry::sim
