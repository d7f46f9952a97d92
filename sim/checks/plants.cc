#include "sim/checks/plants.h"

#include "cell/handover.h"
#include "model/allocation.pb.h"
#include "model/instance.pb.h"
#include "model/revision.pb.h"
#include "sim/fleet.h"
#include "sim/scenario.h"

#include <algorithm>

namespace skerry::sim {

namespace {

/// Two sites and an app that runs on both.
void begin(Fleet& fleet, AppWish wish = {.name = "till"}) {
    fleet.add_site({.name = "store-1", .labels = {{"tier", "store"}}});
    fleet.add_site({.name = "store-2", .labels = {{"tier", "store"}}});
    fleet.start_all();
    fleet.operators().push_image();
    fleet.operators().apply(wish);
    fleet.converge(10min);
}

constexpr Cell core = 1, store_1 = 2;

void lying_core(Fleet& fleet) {
    begin(fleet);
    fleet.core().disk.lies_for = 5s;
    for (std::uint32_t n = 1; n < 10 && !fleet.violated(); ++n) {
        fleet.operators().apply({.name = "till", .marker = n});
        fleet.pass(1s);
        fleet.kill(core);
        fleet.pass(5s);
        fleet.start(core);
        fleet.pass(10s);
    }
}

void lying_site(Fleet& fleet) {
    begin(fleet);
    fleet.computer(store_1).disk.lies_for = 60s;
    fleet.operators().apply({.name = "till", .marker = 9});
    fleet.pass(40s);
    fleet.kill(store_1);
    fleet.pass(5s);
    fleet.start(store_1);
    fleet.pass(1min);
}

void forgetful_site(Fleet& fleet) {
    begin(fleet);
    fleet.cut(store_1);
    fleet.computer(store_1).disk.lies_for = 60s;
    fleet.site_people().apply(store_1, {.name = "own", .tier = {}, .by_digest = true});
    fleet.site_people().mark(store_1, "till", 7);
    fleet.pass(20s);
    fleet.kill(store_1);
    fleet.pass(5s);
    fleet.start(store_1);
    fleet.pass(1min);
}

void restarting_driver(Fleet& fleet) {
    begin(fleet);
    fleet.computer(store_1).faults.restarts_on_adopt = true;
    fleet.kill(store_1);
    fleet.pass(5s);
    fleet.start(store_1);
    fleet.pass(1min);
}

void forgetful_driver(Fleet& fleet) {
    fleet.heal_forgets = true;
    begin(fleet);
    fleet.cut(store_1);
    fleet.pass(5min);
    fleet.heal(store_1);
    fleet.pass(2min);
}

void intruder(Fleet& fleet) {
    begin(fleet);
    if (fleet.violated()) return;
    auto& store = fleet.computer(store_1).process->store();
    for (const auto& object : store.list(model::Kind::instance)) {
        store::Transaction transaction;
        transaction.erase(object->key, store::Transaction::anything());
        store.commit(std::move(transaction), nullptr);
    }
    fleet.pass(1min);
}

void dying_with_the_link(Fleet& fleet) {
    fleet.cut_kills = true;
    begin(fleet, {.name = "till", .health = false});
    fleet.pass(10min);
    fleet.cut(store_1);
    fleet.pass(10min);
}

void forgotten_images(Fleet& fleet) {
    begin(fleet);
    fleet.computer(store_1).forgets_images = true;
    fleet.pass(10min);
    fleet.cut(store_1);
    fleet.pass(5min);
    fleet.reboot(store_1, 30s);
    fleet.pass(10min);
}

void boasting_node(Fleet& fleet) {
    Cell site = fleet.add_site({.name = "store-1", .labels = {{"tier", "store"}}, .cpu = MilliCpu{1000}});
    fleet.computer(site).claims.cpu = MilliCpu{8000};
    fleet.start_all();
    fleet.operators().push_image();
    fleet.operators().apply({.name = "till", .replicas = 4, .cpu = "500m"});
    fleet.pass(5min);
}

void runtime_with_a_will(Fleet& fleet) {
    begin(fleet, {.name = "till", .replicas = 2, .health = false});
    fleet.operators().revoke("till");
    fleet.pass(1min);
    auto& computer = fleet.computer(store_1);
    computer.faults.restarts_by_itself = true;
    auto running = computer.machine.running();
    if (running.empty()) return;
    fleet.ledger().ended_by_weather(store_1, running.front());
    computer.machine.exit(running.front(), 1);
    fleet.pass(2min);
}

void leaking_wire(Fleet& fleet) {
    begin(fleet);
    fleet.network().loses_above = 120;
    fleet.network().loses_of = store_1;
    fleet.operators().apply({.name = "till", .marker = 5});
    fleet.pass(1min);
    fleet.converge(10min);
}

/// One app that may run once, on a site of three computers; the one that runs it.
Computer* begin_once(Fleet& fleet) {
    Cell site = fleet.add_site({.name = "store-1", .labels = {{"tier", "store"}}, .more_nodes = 2});
    fleet.computer(site).claims.cpu = MilliCpu{10}; // so that it runs on one of the others
    fleet.start_all();
    fleet.operators().push_image();
    fleet.operators().apply({.name = "ledger", .policy = "atMostOnce"});
    fleet.converge(10min);
    for (Cell node : fleet.children(store_1))
        if (!fleet.computer(node).machine.running().empty()) return &fleet.computer(node);
    return nullptr;
}

void slack_leash(Fleet& fleet) {
    Computer* where = begin_once(fleet);
    if (fleet.violated() || !where) return;
    where->leash_is_slack = true;
    fleet.stop(where->cell);
    fleet.pass(5min);
}

void obedient_site(Fleet& fleet) {
    begin_once(fleet);
    if (fleet.violated()) return;
    auto& site = fleet.computer(store_1).process->store();
    for (const auto& [key, bytes] : site.notes("epoch.site")) {
        store::Transaction forget;
        forget.erase_note("epoch.site", key);
        site.commit(std::move(forget), nullptr);
    }
    auto& store = fleet.core().process->store();
    for (const auto& object : store.list(model::Kind::allocation)) {
        model::Allocation wish;
        wish.ParseFromString(*object->wish.bytes);
        wish.mutable_spec()->mutable_epoch()->set_term(0);
        wish.mutable_metadata()->set_generation(object->generation + 1);
        store::Transaction lower;
        lower.put(object->key, object->uid, object->home, object->generation + 1, wish.SerializeAsString(),
                  store::Transaction::anything());
        store.commit(std::move(lower), nullptr);
    }
    fleet.pass(1min);
}

void older_writer(Fleet& fleet) {
    fleet.newer_core = true;
    begin(fleet);
    if (fleet.violated()) return;
    auto& store = fleet.computer(store_1).process->store();
    for (const auto& object : store.list(model::Kind::revision)) {
        model::Revision revision = store::as<model::Revision>(*object);
        revision.DiscardUnknownFields();
        store::Transaction transaction;
        transaction.put(object->key, object->uid, object->home, object->generation, revision.SerializeAsString(),
                        store::Transaction::anything(), object->wish.from);
        store.commit(std::move(transaction), nullptr);
    }
    fleet.pass(1min);
}

void forgotten_term(Fleet& fleet) {
    begin(fleet);
    if (fleet.violated()) return;
    store::Transaction higher;
    fleet.core().process->cell().epochs().raise(4, higher);
    fleet.core().process->store().commit(std::move(higher), nullptr);
    fleet.pass(10s);
    store::Transaction forget;
    forget.erase_note("epoch", "term");
    fleet.core().process->store().commit(std::move(forget), nullptr);
    fleet.pass(10s);
    fleet.kill(core);
    fleet.pass(5s);
    fleet.start(core);
    fleet.pass(10s);
}

/// The core's disk is put back as it was before something was deployed that runs at both sites.
void begin_restored(Fleet& fleet) {
    begin(fleet);
    auto backup = fleet.core().disk.backup();
    fleet.operators().apply({.name = "web"});
    fleet.converge(10min);
    if (!fleet.violated()) fleet.restore(core, backup);
}

void unproven_copies(Fleet& fleet) {
    begin_restored(fleet);
    for (Cell site : fleet.sites()) {
        auto& store = fleet.computer(site).process->store();
        store::Transaction forget;
        for (const auto& [key, bytes] : store.notes("sealed")) forget.erase_note("sealed", key);
        store.commit(std::move(forget), nullptr);
    }
    fleet.pass(5min);
}

void hasty_recovery(Fleet& fleet) {
    begin_restored(fleet);
    fleet.pass(20s);
    store::Transaction forget;
    forget.erase_note("recovery", "active");
    fleet.core().process->store().commit(std::move(forget), nullptr);
    fleet.pass(1s);
    fleet.kill(core);
    fleet.pass(5s);
    fleet.start(core);
    fleet.pass(10s);
}

/// Nobody says that the backup is one, and the work had moved to where leases are longer than any that it knows.
void unsaid_backup(Fleet& fleet) {
    Cell first = fleet.add_site({.name = "store-1", .labels = {{"tier", "store"}}, .profile = "lan"});
    Cell away[] = {fleet.add_site({.name = "store-2", .labels = {{"tier", "store"}}, .profile = "cellular"}),
                   fleet.add_site({.name = "store-3", .labels = {{"tier", "store"}}, .profile = "cellular"})};
    fleet.start_all();
    fleet.operators().push_image();
    fleet.converge(20min);
    for (Cell site : away) fleet.cut(site);
    fleet.pass(5min);
    fleet.operators().apply({.name = "ledger", .each = false, .policy = "atMostOnce"});
    fleet.pass(2min);
    for (Cell site : away) fleet.heal(site);
    fleet.converge(20min);
    auto backup = fleet.core().disk.backup();
    fleet.cut(first);
    fleet.pass(5min);
    for (Cell site : away)
        if (!fleet.computer(site).machine.running().empty()) fleet.cut(site);
    fleet.restore(core, backup);
    fleet.heal(first);
    fleet.pass(2min);
}

/// Rule F5: nobody grants beyond the end of his own lease.
void presumptuous_region(Fleet& fleet) {
    for (const char* name : {"emea", "apac"}) {
        Cell region = fleet.add_site({.name = name, .labels = {{"tier", "store"}}, .divides = true, .profile = "lan"});
        fleet.add_site({.name = std::string(name) + "-1", .region = region, .profile = "lan"});
    }
    fleet.start_all();
    fleet.operators().push_image();
    fleet.operators().apply({.name = "ledger", .each = false, .policy = "atMostOnce"});
    fleet.converge(10min);
    if (fleet.violated()) return;
    for (Cell site : fleet.sites()) {
        if (fleet.computer(site).machine.running().empty()) continue;
        Computer& region = fleet.computer(fleet.computer(site).parent);
        region.process->cell().leases().recall(region.process->clock().now() + 24h, 24h);
        fleet.cut(region.cell);
    }
    fleet.pass(10min);
}

void leaking_timers(Fleet& fleet) {
    fleet.agenda().keeps_cancelled = true;
    begin(fleet);
    fleet.pass(2h);
}

void unseen_correction(Fleet& fleet) {
    fleet.add_site({.name = "store-1", .labels = {{"tier", "store"}}});
    fleet.computer(store_1).shows_own_clock = true;
    fleet.computer(store_1).clock.set_wall(-1'800'000'000);
    fleet.start_all();
    fleet.operators().push_image();
    fleet.operators().apply({.name = "till"});
    fleet.pass(2min);
    fleet.operators().apply({.name = "till", .marker = 1});
    fleet.pass(2min);
}

void whole_files(Fleet& fleet) {
    fleet.files_are_whole = true;
    play_couriers(fleet, {});
}

void believing_probes(Fleet& fleet) {
    fleet.probes_believe_clocks = true;
    play_clocks(fleet, {});
}

void forgotten_use(Fleet& fleet) {
    fleet.add_site({.name = "store-1", .labels = {{"tier", "store"}}, .profile = "satellite"});
    fleet.start_all();
    fleet.operators().push_image();
    fleet.operators().apply({.name = "till", .health = false});
    fleet.converge(10min);
    set_uplink(fleet, store_1, "106k", {});
    for (std::uint32_t n = 1; n < 300 && !fleet.violated(); ++n) {
        fleet.operators().apply({.name = "till", .marker = n, .health = false});
        fleet.pass(2min);
        store::Transaction forget;
        forget.erase_note("link.use", "parent");
        fleet.computer(store_1).process->store().commit(std::move(forget), nullptr);
        fleet.pass(1s);
        fleet.kill(store_1);
        fleet.pass(1s);
        fleet.start(store_1);
    }
}

/// The site hears that it is given up, and nothing that it says gets through.
void hasty_farewell(Fleet& fleet) {
    begin(fleet);
    fleet.site_people().apply(store_1, {.name = "own", .tier = {}, .by_digest = true});
    fleet.converge(10min);
    fleet.cut(store_1, Way::up);
    decommission(fleet, store_1);
    auto& store = fleet.computer(store_1).process->store();
    for (int n = 0; n < 100 && !fleet.violated(); ++n, fleet.pass(10ms))
        for (const auto& object : store.list(model::Kind::app))
            if (cell::is_handed_over(*object, store.cell())) {
                store::Transaction transaction;
                transaction.erase(object->key, store::Transaction::anything());
                store.commit(std::move(transaction), nullptr);
            }
    fleet.pass(1min);
}

} // namespace

const std::vector<Plant>& plants() {
    static const std::vector<Plant> list = {
        {"acked-never-lost", "the core's disk says durable and keeps the last five seconds to itself", lying_core},
        {"acked-never-lost", "a site's disk does, while it is cut off and told of local changes", forgetful_site},
        {"acked-never-lost", "a site lets go of what it hands over before the core has it", hasty_farewell},
        {"acked-never-lost", "sites lose the seals of what they hold, and the core's disk is put back", unproven_copies},
        {"generations-never-back", "a site's disk does", lying_site},
        {"restart-only-for-cause", "a driver restarts what it adopts", restarting_driver},
        {"no-restart-on-heal", "a driver forgets what runs when the link comes back", forgetful_driver},
        {"no-needless-replacement", "somebody erases instances behind the site's back", intruder},
        {"cut-site-keeps-running", "what runs dies with the link, and the driver denies it", dying_with_the_link},
        {"boots-without-parent", "images do not survive a restart of the machine", forgotten_images},
        {"capacity-kept", "a node boasts of eight times its processors", boasting_node},
        {"revoked-never-starts", "a runtime restarts what has ended by a rule of its own", runtime_with_a_will},
        {"converged", "a wire loses every larger message on its way up", leaking_wire},
        {"stamps-true", "a cell sees its machine's clock of 1970 as it is", unseen_correction},
        {"clocks-decide-nothing", "probes call ill what a wall clock that was set makes look late", believing_probes},
        {"couriers", "a courier file that has what changed is taken for everything", whole_files},
        {"queues-bounded", "timers that were let go stay for ever", leaking_timers},
        {"at-most-once", "a leash holds nothing, and the daemon above it is stopped", slack_leash},
        {"at-most-once", "a core is put back unsaid from a backup of before the work moved to where leases are longer",
         unsaid_backup},
        {"at-most-once", "a region that is cut off takes its own lease for longer than it is, and goes on granting",
         presumptuous_region},
        {"epoch-never-back", "a site forgets the epochs that it accepted, and a core sends lower ones", obedient_site},
        {"term-never-back", "a core forgets its term", forgotten_term},
        {"budgets-kept", "a site's disk forgets what crossed today, and its process dies again and again", forgotten_use},
        {"term-never-back", "a core forgets in the middle that it recovers", hasty_recovery},
        {"unknown-fields-kept", "somebody at a site writes a Revision anew with an older build", older_writer},
    };
    return list;
}

const Plant* find_plant(std::string_view check) {
    auto found = std::find_if(plants().begin(), plants().end(), [&](const Plant& one) { return one.check == check; });
    return found == plants().end() ? nullptr : &*found;
}

} // namespace skerry::sim
