#include "sim/checks/checks.h"

#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/epoch.h"
#include "model/instance.pb.h"
#include "model/meta.pb.h"
#include "model/node_port.h"
#include "model/parts.h"
#include "model/revision.pb.h"
#include "model/site.pb.h"
#include "sim/fleet.h"
#include "sync/frame.h"

#include <algorithm>
#include <google/protobuf/unknown_field_set.h>

namespace skerry::sim {

using model::Kind;

namespace {

/// What weather did needs this long to be mended: the longest back-off, a stalled call, and some looks.
constexpr Duration mending = 240s;
constexpr Duration boot_limit = 120s;

bool is_well(const Computer& computer, Duration now) {
    return computer.powered && computer.attends() && !computer.machine.behaviour.chance && now - computer.disturbed > mending;
}

bool runs(const Computer& computer, const drivers::InstanceName& name) {
    auto processes = computer.machine.processes();
    auto found = processes.find(name);
    return found != processes.end() && found->second.phase == drivers::Phase::running;
}

/// What may not start any more need not run.
bool is_revoked(const store::Store& store, const store::Object& instance) {
    const auto* revision = store.get<model::Revision>(
        {Kind::revision, instance.key.project, store::as<model::Instance>(instance).spec().revision()});
    return revision && revision->spec().has_revoked();
}

bool is_once(const store::Object& object) {
    const auto& labels = store::as<model::Instance>(object).metadata().labels();
    auto policy = labels.find("skerry/partition");
    return policy != labels.end() && policy->second == "atMostOnce";
}

} // namespace

const std::vector<std::string_view>& Checks::names() {
    static const std::vector<std::string_view> list = {"acked-never-lost",
                                                       "generations-never-back",
                                                       "restart-only-for-cause",
                                                       "no-restart-on-heal",
                                                       "no-needless-replacement",
                                                       "cut-site-keeps-running",
                                                       "boots-without-parent",
                                                       "capacity-kept",
                                                       "converged",
                                                       "queues-bounded",
                                                       "stamps-true",
                                                       "clocks-decide-nothing",
                                                       "at-most-once",
                                                       "epoch-never-back",
                                                       "term-never-back",
                                                       "revoked-never-starts",
                                                       "unknown-fields-kept",
                                                       "budgets-kept"};
    return list;
}

void Checks::generation(Computer& computer, const store::Object& object) {
    auto& highest = generations_[{computer.cell, object.uid}];
    if (object.generation < highest)
        fleet_.violate("generations-never-back", computer.name + " holds generation " + std::to_string(object.generation) +
                                                     " of " + object.key.text() + ", and held " + std::to_string(highest) +
                                                     " before");
    highest = object.generation;
}

void Checks::opened(Computer& computer) {
    confirmed_.erase(computer.cell);
    if (computer.role == env::Peer::Role::core) acknowledged_is_there();
    if (computer.role == env::Peer::Role::site) acknowledged_at(computer.cell);
    const auto& store = computer.process->store();
    for (const auto& facts : model::all_kinds())
        for (const auto& object : store.list(facts.kind)) generation(computer, *object);
    if (auto boot = boots_.find(computer.cell); boot != boots_.end()) boot->second.started = fleet_.now();
}

void Checks::went_back(Computer& computer) {
    std::erase_if(generations_, [&](const auto& each) { return each.first.first == computer.cell; });
    std::erase_if(epochs_, [&](const auto& each) { return each.first.first == computer.cell; });
    auto term = terms_.extract(computer.cell);
    auto& highest = went_back_[computer.cell];
    highest.recovers = false;
    if (term) highest.term = std::max(highest.term, term.mapped());
}

/// What was acknowledged before, and had reached others, is there again; and the term is above all that was given.
void Checks::recovered() {
    for (auto at = went_back_.begin(); at != went_back_.end();) {
        Computer& computer = fleet_.computer(at->first);
        bool works = computer.process && computer.process->works();
        bool active = works && computer.process->cell().recovery().active();
        if (!works || active || !at->second.recovers) {
            at->second.recovers = at->second.recovers || active;
            ++at;
            continue;
        }
        WentBack was = at->second;
        at = went_back_.erase(at);
        std::uint32_t term = computer.process->cell().epochs().term();
        if (term <= was.term)
            fleet_.violate("term-never-back", computer.name + " has recovered, and gives epochs of term " + std::to_string(term) +
                                                  ", which it gave before");
        fleet_.recovered(computer);
        if (computer.role == env::Peer::Role::core) acknowledged_is_there();
        if (computer.role == env::Peer::Role::site) acknowledged_at(computer.cell);
    }
}

void Checks::changed(Computer& computer, const store::Change& change) {
    // What came back from others has been made before.
    if (change.after && !change.before && change.after->generation == 1) stamp(computer, *change.after);
    if (change.after && change.key.kind == Kind::revision && store::as<model::Revision>(*change.after).spec().has_revoked())
        fleet_.ledger().revoked(computer.cell, change.key);
    bool is_site = computer.role == env::Peer::Role::site && !computer.divides;
    if (change.after && change.key.kind == Kind::instance && is_site) epochs(computer, *change.after);
    if (change.after) {
        if (fleet_.newer_core && change.key.kind == Kind::revision) unknown_kept(computer, *change.after);
        return generation(computer, *change.after);
    }
    if (change.before && change.key.kind == Kind::instance && is_site) replaced(computer, *change.before);
}

/// A site takes an instance away: only if the wish is gone, or enough others are there.
void Checks::replaced(Computer& site, const store::Object& object) {
    const auto& store = site.process->store();
    const auto& instance = store::as<model::Instance>(object).spec();
    auto allocation = store.get({Kind::allocation, object.key.project, instance.allocation()});
    if (!allocation || allocation->uid.text() != instance.allocation_uid()) return;
    if (!store.get({Kind::node, "", instance.node()})) return;
    std::uint32_t others = 0;
    for (const auto& other : store.list(Kind::instance))
        others += store::as<model::Instance>(*other).spec().allocation_uid() == instance.allocation_uid();
    if (others < store::as<model::Allocation>(*allocation).spec().replicas())
        fleet_.violate("no-needless-replacement",
                       site.name + " took " + object.key.text() + " away, and has " + std::to_string(others) + " others where " +
                           std::to_string(store::as<model::Allocation>(*allocation).spec().replicas()) + " are wanted");
}

/// What people wrote with a newer build reaches every cell, also those that do not know the field. Those at sites write with the
/// older one.
void Checks::unknown_kept(Computer& computer, const store::Object& object) {
    if (fleet_.site_people().ever_made(store::as<model::Revision>(object).spec().app())) return;
    for (const auto& closed : store::as<model::Revision>(object).spec().components()) {
        const auto& fields = closed.component().GetReflection()->GetUnknownFields(closed.component());
        bool kept = false;
        for (int n = 0; n < fields.field_count(); ++n) kept |= fields.field(n).number() == Operators::unknown_field;
        if (!kept)
            fleet_.violate("unknown-fields-kept", object.key.text() + " at " + computer.name +
                                                      " has lost what a newer build wrote into component " +
                                                      closed.component().name());
    }
}

void Checks::acknowledged_is_there() {
    auto& core = fleet_.core();
    if (!core.process || !core.process->works() || went_back_.contains(core.cell)) return;
    for (const auto& [name, written] : fleet_.operators().acknowledged()) {
        auto object = core.process->store().get({Kind::app, Operators::project, name});
        std::string what = "App " + name + ", acknowledged in generation " + std::to_string(written.generation) + ", ";
        if (!object) return fleet_.violate("acked-never-lost", what + "is not in the core's store");
        if (object->uid.text() != written.uid) return fleet_.violate("acked-never-lost", what + "has another uid now");
        if (object->generation < written.generation || store::as<model::App>(*object).spec().SerializeAsString() != written.spec)
            return fleet_.violate("acked-never-lost",
                                  what + "stands in generation " + std::to_string(object->generation) + " with another spec");
    }
}

/// Rule W1, W2: what a site was told itself is as safe as what the core was told.
void Checks::acknowledged_at(Cell site) {
    if (went_back_.contains(site)) return;
    if (std::string what = fleet_.site_people().missing(site); !what.empty()) fleet_.violate("acked-never-lost", what);
}

void Checks::cut(Cell site) {
    auto& list = kept_[site];
    list.clear();
    auto cells = fleet_.children(site);
    cells.push_back(site);
    for (Cell cell : cells)
        for (const auto& name : fleet_.computer(cell).machine.running()) list.push_back({cell, name, {}});
}

void Checks::cut_sites_run() {
    for (auto& [site, list] : kept_) {
        Computer& computer = fleet_.computer(site);
        if (!is_well(computer, fleet_.now())) continue;
        const auto& store = computer.process->store();
        for (auto& kept : list) {
            Computer& where = fleet_.computer(kept.cell);
            auto object = instance_of(store, kept.name);
            // Taken away by the site for a reason that other checks look at, or hit by weather of its own.
            bool excused = !object || is_once(*object) || is_revoked(store, *object) ||
                           store::as<model::Instance>(*object).spec().state() != "running" || !is_well(where, fleet_.now()) ||
                           where.sick.contains(kept.name);
            if (excused || runs(where, kept.name)) {
                kept.missing.reset();
                continue;
            }
            if (!kept.missing) kept.missing = fleet_.now();
            if (fleet_.now() - *kept.missing > 60s)
                fleet_.violate("cut-site-keeps-running", object->key.text() + " ran on " + where.name + " when " + computer.name +
                                                             " was cut off, is still wanted, and has not run for a minute");
        }
    }
}

void Checks::before_reboot(Computer& computer) {
    Cell site = computer.role == env::Peer::Role::node ? computer.parent : computer.cell;
    boots_.erase(computer.cell);
    if (!computer.has_node || !fleet_.network().is_cut(site) || !computer.process || computer.machine.behaviour.chance) return;
    if (fleet_.now() - computer.disturbed < mending) return;
    auto running = computer.machine.running();
    boots_[computer.cell].ran = {running.begin(), running.end()};
}

void Checks::boots_alone() {
    for (auto at = boots_.begin(); at != boots_.end();) {
        Computer& computer = fleet_.computer(at->first);
        Cell site = computer.role == env::Peer::Role::node ? computer.parent : computer.cell;
        Boot& boot = at->second;
        bool disturbed = !fleet_.network().is_cut(site) || computer.machine.behaviour.chance ||
                         (boot.started && (computer.disturbed > *boot.started ||
                                           fleet_.computer(site).disturbed > *boot.started || !fleet_.computer(site).attends()));
        if (disturbed) {
            at = boots_.erase(at);
            continue;
        }
        if (!boot.started || fleet_.now() - *boot.started < boot_limit) {
            ++at;
            continue;
        }
        const auto& store = fleet_.computer(site).process->store();
        for (const auto& name : boot.ran) {
            auto object = instance_of(store, name);
            if (!object || is_once(*object) || is_revoked(store, *object) ||
                store::as<model::Instance>(*object).spec().state() != "running" || computer.sick.contains(name))
                continue;
            if (!runs(computer, name))
                fleet_.violate("boots-without-parent", object->key.text() + " ran on " + computer.name +
                                                           " before it restarted while cut off, and does not run " +
                                                           text(boot_limit) +
                                                           " after: " + store::as<model::Instance>(*object).status().message());
        }
        at = boots_.erase(at);
    }
}

/// By the site's objects: what is placed on a node fits, and each port is published once.
void Checks::capacity(Computer& site) {
    struct Use {
        std::int64_t cpu = 0, memory = 0;
        std::set<model::NodePort> ports;
    };
    std::map<std::string, Use> uses;
    const auto& store = site.process->store();
    for (const auto& object : store.list(Kind::instance)) {
        const auto& spec = store::as<model::Instance>(*object).spec();
        auto revision = store.get({Kind::revision, object->key.project, spec.revision()});
        if (!revision) continue;
        for (const auto& closed : store::as<model::Revision>(*revision).spec().components()) {
            if (closed.component().name() != spec.component()) continue;
            Use& use = uses[spec.node()];
            use.cpu += parse_cpu(closed.component().resources().cpu()).value_or(MilliCpu{}).count;
            use.memory += parse_bytes(closed.component().resources().memory()).value_or(Bytes{}).count;
            for (const auto& port : closed.component().ports())
                if (port.has_publish() && !use.ports.insert(model::NodePort::of(port)).second)
                    fleet_.violate("capacity-kept", "port " + model::NodePort::of(port).text() +
                                                        " is to be published twice on node " + spec.node());
        }
    }
    for (const auto& [name, use] : uses) {
        Computer* node = fleet_.find(name);
        if (node && (use.cpu > node->capacity.cpu.count || use.memory > node->capacity.memory.count))
            fleet_.violate("capacity-kept", "node " + name + " has " + text(node->capacity.cpu) + " processors and " +
                                                text(node->capacity.memory) + ", and is given " + text(MilliCpu{use.cpu}) +
                                                " and " + text(Bytes{use.memory}));
    }
}

/// A cell whose clock was confirmed stamps what it makes with the true time, whatever its machine's clock says (rule T1).
void Checks::stamp(Computer& computer, const store::Object& object) {
    if (!computer.process || !computer.process->works() || object.home != computer.process->store().cell()) return;
    const auto& clock = computer.process->clock();
    if (clock.trust().level != env::ClockTrust::Level::confirmed) {
        confirmed_.erase(computer.cell);
        return;
    }
    // What shows now may have been made before the clock was confirmed.
    auto confirmed = confirmed_.find(computer.cell);
    if (confirmed == confirmed_.end() || fleet_.now() - confirmed->second < 5s) return;
    auto stamped = parse_rfc3339(model::metadata(object.message()).creation_timestamp());
    WallTime truth = ComputerClock::truth(fleet_.agenda());
    // What two good clocks may differ by, here and at its parent, and the time to make it durable. A root that is wrong itself
    // tells no better.
    if (fleet_.core().clock.was_wrong()) return;
    Duration stood = computer.clock.stood() + fleet_.core().clock.stood();
    if (computer.parent != 0) stood += fleet_.computer(computer.parent).clock.stood();
    Duration most = 30s + fleet_.now() / 400 + stood;
    if (!stamped || truth - *stamped > most || *stamped - truth > most)
        fleet_.violate("stamps-true", computer.name + " made " + object.key.text() + " at " +
                                          (stamped ? rfc3339(*stamped) : "no time at all") + " by its clock, and it was " +
                                          rfc3339(truth));
}

void Checks::queues() {
    constexpr std::size_t most_jobs = 128, most_events = 1'000, most_bytes = 4 << 20;
    for (const auto& computer : fleet_.computers()) {
        if (!computer || !computer->process) continue;
        std::size_t objects = computer->process->store().count(Kind::instance) + computer->process->store().count(Kind::app) +
                              computer->process->store().count(Kind::site);
        std::size_t timers = 200 + 20 * objects;
        if (computer->process->jobs() > most_jobs + objects)
            fleet_.violate("queues-bounded",
                           computer->name + ": " + std::to_string(computer->process->jobs()) + " jobs wait for workers");
        if (fleet_.agenda().waiting(computer->cell) > timers)
            fleet_.violate("queues-bounded", computer->name + ": " + std::to_string(fleet_.agenda().waiting(computer->cell)) +
                                                 " timers and calls wait");
        std::size_t cells = 1 + fleet_.computers().size();
        if (computer->process->store().count(Kind::event) > most_events * cells)
            fleet_.violate("queues-bounded", computer->name + " keeps " +
                                                 std::to_string(computer->process->store().count(Kind::event)) + " Events");
    }
    if (fleet_.network().deepest() > most_bytes)
        fleet_.violate("queues-bounded",
                       std::to_string(fleet_.network().deepest()) + " bytes waited in one direction of one connection");
}

/// Rule F6: across the whole fleet, by what computers really run. A computer that stood still is beyond what leases promise until
/// all that was granted before is over.
void Checks::at_most_once() {
    constexpr Duration forgiven = 10min;
    const auto& once = fleet_.operators().once();
    if (once.empty()) return;
    std::map<std::string, std::vector<std::string>> running;
    for (const auto& computer : fleet_.computers()) {
        if (!computer || !computer->has_node || computer->frozen) continue;
        if (computer->thawed && fleet_.now() - *computer->thawed < forgiven) continue;
        for (const auto& [name, process] : computer->machine.processes()) {
            if (process.phase != drivers::Phase::running) continue;
            // Of "default/till.main.store-1.x2k4p" the allocation, or the app.
            std::string title = process.spec.title.substr(process.spec.title.find('/') + 1);
            auto app = once.find(title.substr(0, title.find('.')));
            if (app == once.end()) continue;
            running[app->second.each ? title.substr(0, title.rfind('.')) : app->first].push_back(title + " on " + computer->name);
        }
    }
    for (const auto& [what, list] : running) {
        std::uint32_t most = once.at(what.substr(0, what.find('.'))).most;
        if (list.size() <= most) continue;
        std::string all;
        for (const auto& one : list) all += (all.empty() ? "" : ", ") + one;
        fleet_.violate("at-most-once",
                       what + " runs " + std::to_string(list.size()) + " times where " + std::to_string(most) + " may: " + all);
    }
}

/// Null while nothing bounds that end, or no process runs there.
Checks::Day* Checks::day_of(Cell site, int side) {
    Computer& end = fleet_.computer(side == 0 ? site : fleet_.computer(site).parent);
    if (!end.process || !end.process->works()) return nullptr;
    const auto* object = end.process->store().get<model::Site>({Kind::site, "", fleet_.computer(site).name});
    bool bounded = object && !object->spec().uplinks().empty() && object->spec().uplinks(0).has_budget();
    auto at = days_.find({site, side});
    if (!bounded && at == days_.end()) return nullptr;
    Day& day = days_[{site, side}];
    const auto& clock = end.process->clock();
    bool trusted = clock.trust().level == env::ClockTrust::Level::confirmed || end.parent == 0;
    std::int64_t today = trusted ? clock.wall().seconds / 86'400 : day.day;
    if (day.day != today || fleet_.now() - day.began > 24h + 10min) day = {.day = today, .began = fleet_.now()};
    if (bounded)
        day.budget = std::max(day.budget, static_cast<std::uint64_t>(parse_bytes(object->spec().uplinks(0).budget())->count));
    else
        day.unbounded = true;
    return &day;
}

/// Rule L6: no status is sent, and no bytes of images taken, in a day whose budget is used up; by the messages that this end saw, whatever
/// it counted itself. What compares and repairs is not held back, and says nothing of its own.
void Checks::crossed(Cell site, int side, bool sent, const std::string& message) {
    // Light children are no computers.
    if (site >= fleet_.computers().size() || fleet_.computer(site).role != env::Peer::Role::site) return;
    Day* day = day_of(site, side);
    if (!day) return;
    std::uint64_t before = day->bytes;
    day->bytes += sync::on_the_way(message.size()).both();
    if (!sent || day->unbounded || before < day->budget) return;
    auto frame = sync::decode(message);
    auto* batch = frame ? std::get_if<sync::Batch>(&*frame) : nullptr;
    auto* fragment = frame ? std::get_if<sync::Fragment>(&*frame) : nullptr;
    bool is_status = (batch && batch->lane == sync::Lane::status && batch->items.size() + batch->removed.size() > 0) ||
                     (fragment && fragment->lane == sync::Lane::status);
    if (is_status)
        fleet_.violate("budgets-kept", fleet_.computer(side == 0 ? site : fleet_.computer(site).parent).name +
                                           " sends status over the link of " + fleet_.computer(site).name + ", where " +
                                           std::to_string(before) + " bytes crossed today and " + std::to_string(day->budget) +
                                           " may");
}

void Checks::took_images(Computer& site, std::uint64_t bytes) {
    Day* day = day_of(site.cell, 0);
    if (!day) return;
    day->bytes += bytes;
    if (!day->unbounded && day->bytes > day->budget)
        fleet_.violate("budgets-kept", site.name + " took " + std::to_string(bytes) + " bytes of an image, with which " +
                                           std::to_string(day->bytes) + " crossed today where " + std::to_string(day->budget) +
                                           " may");
    const auto* object = site.process->store().get<model::Site>({Kind::site, "", site.name});
    if (!object || object->spec().uplinks().empty() || object->spec().uplinks(0).windows().empty()) return;
    WallTime now = site.process->clock().wall();
    bool open = site.process->clock().trust().level != env::ClockTrust::Level::confirmed;
    for (const auto& window : object->spec().uplinks(0).windows()) {
        auto began = Schedule::parse(window.start())->last(now);
        open |= began && now - *began < *parse_duration(window.lasts());
    }
    if (!open)
        fleet_.violate("budgets-kept", site.name + " takes bytes of an image at " + rfc3339(now) + ", in none of its windows");
}

void Checks::started(Computer&) { at_most_once(); }

/// A site never acts on a lower epoch than it acted on before for the same allocation (rule H4).
void Checks::epochs(Computer& site, const store::Object& object) {
    const auto& spec = store::as<model::Instance>(object).spec();
    auto uid = Id::parse(spec.allocation_uid());
    if (!uid) return;
    auto& highest = epochs_[{site.cell, Uid(*uid)}];
    if (model::compare(spec.epoch(), highest) < 0)
        fleet_.violate("epoch-never-back", site.name + " acts on epoch " + model::text(spec.epoch()) + " for " +
                                               object.key.text() + ", and acted on " + model::text(highest) + " before");
    highest = spec.epoch();
}

void Checks::terms() {
    for (const auto& computer : fleet_.computers()) {
        if (!computer || !computer->process || !computer->process->works()) continue;
        std::uint32_t term = computer->process->cell().epochs().term();
        auto& highest = terms_[computer->cell];
        if (term < highest)
            fleet_.violate("term-never-back", computer->name + " gives epochs of term " + std::to_string(term) +
                                                  ", and gave them of " + std::to_string(highest) + " before");
        highest = term;
    }
}

void Checks::clocks() {
    for (const auto& computer : fleet_.computers())
        if (computer && computer->process && computer->process->works() &&
            computer->process->clock().trust().level == env::ClockTrust::Level::confirmed)
            confirmed_.try_emplace(computer->cell, fleet_.now());
}

void Checks::audit() {
    clocks();
    acknowledged_is_there();
    cut_sites_run();
    boots_alone();
    queues();
    at_most_once();
    recovered();
    terms();
    for (Cell site : fleet_.sites()) {
        acknowledged_at(site);
        if (fleet_.computer(site).process) capacity(fleet_.computer(site));
    }
}

} // namespace skerry::sim
