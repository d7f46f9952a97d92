#include "cell/handover.h"
#include "cell/links/seats.h"
#include "model/site.pb.h"
#include "sim/fleet.h"
#include "sim/scenario.h"

#include <functional>
#include <set>
#include <string>
#include <utility>
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

/// What runs of Apps that the site decides, by its process.
std::set<std::pair<std::string, std::int64_t>> own_processes(Fleet& fleet, Cell site) {
    std::set<std::pair<std::string, std::int64_t>> running;
    for (const auto& computer : fleet.computers())
        if (computer && computer->site == fleet.computer(site).name)
            for (const auto& [name, process] : computer->machine.processes())
                if (process.spec.title.find("/own-") != std::string::npos) running.emplace(process.spec.title, process.pid);
    return running;
}

} // namespace

void decommission(Fleet& fleet, Cell site) {
    at_core(
        fleet, [&](const store::Store& store) { return cell::is_leaving(store, fleet.computer(site).name); },
        [&](cell::Cell& core) {
            auto object = core.store().get(site_key(fleet, site));
            if (!object) return;
            auto wish = std::make_unique<model::Site>();
            wish->ParseFromString(*object->wish.bytes);
            (*wish->mutable_metadata()->mutable_annotations())[std::string(model::decommission_annotation)] = "true";
            core.admission().update(people(), model::Kind::site, std::move(wish), {}, [](auto) {});
        });
    fleet.tell(fleet.computer(site).name + " is decommissioned");
}

/// A site hands over what it decides, with cuts and crashes of both sides around it; nothing of that restarts. Then it is deleted, and
/// joins again: what it had decided is the core's (rule H6).
void play_decommission(Fleet& fleet, const Size&) {
    Cell leaving = fleet.add_site(
        {.name = "store-1", .labels = {{"tier", "store"}}, .more_nodes = fleet.chance().bits() % 2 ? 1u : 0u, .profile = "lan"});
    Cell other = fleet.add_site({.name = "store-2", .labels = {{"tier", "store"}}, .profile = "lan"});
    fleet.start_all();
    fleet.operators().push_image();
    fleet.operators().apply({.name = "page", .health = false});
    fleet.converge(10min);
    join(fleet, leaving);
    for (std::uint32_t n = 1; n <= 3; ++n)
        fleet.site_people().apply(
            leaving,
            {.name = "own-" + std::to_string(n), .tier = {}, .policy = n == 3 ? "atMostOnce" : "keep", .by_digest = true});
    fleet.site_people().apply(other, {.name = "own-4", .tier = {}, .by_digest = true});
    fleet.converge(10min);
    if (fleet.violated()) return;
    auto before = own_processes(fleet, leaving);
    auto perhaps = [&] { return fleet.chance().fraction() < 0.4; };
    bool edits = perhaps();
    if (edits) {
        fleet.site_people().apply(leaving, {.name = "own-1", .tier = {}, .marker = 7, .by_digest = true});
        while (fleet.site_people().busy() && !fleet.violated()) fleet.pass(100ms);
    }
    decommission(fleet, leaving);
    auto done = [&] {
        auto& core = fleet.core();
        return core.process && core.process->works() && cell::has_handed_over(core.process->store(), "store-1");
    };
    Duration until = fleet.now() + 10min;
    for (int n = 0; !fleet.violated() && !done() && fleet.now() < until; ++n) {
        fleet.pass(fleet.chance().up_to(400ms));
        if (n > 20) continue; // and then it is left alone
        Cell dies = perhaps() ? 1 : leaving;
        if (perhaps()) fleet.cut(leaving);
        if (perhaps()) {
            fleet.kill(dies);
            fleet.pass(fleet.chance().up_to(2s));
            fleet.start(dies);
        }
        fleet.pass(fleet.chance().up_to(2s));
        fleet.heal(leaving);
    }
    fleet.converge(15min);
    if (fleet.violated()) return;
    if (!done()) return fleet.violate("converged", "store-1 has not handed over in ten minutes what it decides");
    const auto& store = fleet.core().process->store();
    std::size_t over = 0;
    for (const auto& object : store.list(model::Kind::app))
        over += object->key.name.starts_with("own-") && object->home == store.cell();
    if (over != 3) return fleet.violate("converged", std::to_string(over) + " Apps of store-1 are decided at the core, not 3");
    if (!edits && own_processes(fleet, leaving) != before)
        return fleet.violate("no-restart-on-heal", "something of store-1 was ended since it handed it over");
    fleet.cut(leaving);
    fleet.pass(10s);
    delete_site(fleet, leaving);
    fleet.pass(1min);
    for (const auto& object : fleet.core().process->store().list(model::Kind::allocation))
        if (object->key.name.starts_with("own-1"))
            return fleet.violate("leaving", "what was for a site only that is deleted has a place still: " + object->key.text());
    fleet.heal(leaving);
    join(fleet, leaving);
    fleet.converge(15min);
}

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
