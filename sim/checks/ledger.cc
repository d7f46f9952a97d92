#include "sim/checks/ledger.h"

#include "model/instance.pb.h"
#include "model/revision.pb.h"
#include "node/note.h"
#include "sim/fleet.h"

namespace skerry::sim {

using model::Kind;

store::ObjectPtr instance_of(const store::Store& store, const drivers::InstanceName& name) {
    for (const auto& object : store.list(Kind::instance))
        if (node::instance_name(object->uid) == name) return object;
    return nullptr;
}

std::string wanted_hash(const store::Store& store, const store::Object& object) {
    const auto& spec = store::as<model::Instance>(object).spec();
    auto revision = store.get({Kind::revision, object.key.project, spec.revision()});
    if (!revision) return {};
    for (const auto& closed : store::as<model::Revision>(*revision).spec().components())
        if (closed.component().name() == spec.component()) return closed.hash();
    return {};
}

Duration Ledger::now() const { return fleet_.now(); }

/// Why the node may end this run; empty: it may not.
std::string Ledger::cause(Computer& computer, const drivers::InstanceName& name, const Life& life) const {
    if (!computer.process || !computer.process->works()) return "its process is starting";
    const auto& store = computer.process->store();
    auto object = instance_of(store, name);
    if (!object) return "not wanted";
    if (store::as<model::Instance>(*object).spec().state() != "running") return "to be stopped";
    if (life.failed_checks >= 2) return "unhealthy";
    auto bytes = store.note(node::note_space, name);
    auto note = bytes ? node::Note::parse(*bytes) : Result<node::Note>(fail(Code::not_found, ""));
    if (!note) return "unknown here";
    if (note->once) {
        auto own = computer.process->cell().leases().own();
        // A renewal may come when the end is decided; the leash does not have it yet.
        auto hold = computer.machine.leashed();
        bool ebbed = computer.leash_ebbed && now() - *computer.leash_ebbed < 2s;
        if (note->stopping && (ebbed || now() - computer.disturbed < 30s)) return "its lease ended when that was decided";
        Instant until = note->stopping && hold ? std::min(own.until, hold->until) : own.until;
        if (until - computer.clock.now() <= std::min<Duration>(10s, own.length / 3)) return "its lease ends";
    }
    std::string wanted = wanted_hash(store, *object);
    return wanted != note->hash ? "changed" : "";
}

void Ledger::restart_without_cause(Computer& computer, const std::string& message) {
    Cell site = computer.role == env::Peer::Role::node ? computer.parent : computer.cell;
    auto healed = healed_.find(site);
    bool after_heal = healed != healed_.end() && now() - healed->second < 120s;
    fleet_.violate(after_heal ? "no-restart-on-heal" : "restart-only-for-cause", computer.name + ": " + message);
}

void Ledger::ending(Computer& computer, const drivers::InstanceName& name) {
    audit(computer);
    auto& life = lives_[{computer.cell, name}];
    std::string why = cause(computer, name, life);
    if (why.empty()) restart_without_cause(computer, "instance " + name + " is healthy and as wanted, and is stopped");
    ++causes_;
    ++endings_[computer.cell];
    life.ended = true;
    if (!fleet_.verbose) return;
    auto processes = computer.machine.processes();
    auto process = processes.find(name);
    fleet_.tell(computer.name + " ends " + (process == processes.end() ? name : process->second.spec.title) + ": " + why);
}

void Ledger::audit(Computer& computer) {
    for (const auto& [name, process] : computer.machine.processes()) {
        if (process.phase != drivers::Phase::running) continue;
        auto [at, fresh] = lives_.try_emplace({computer.cell, name});
        Life& life = at->second;
        if (!fresh && life.pid != process.pid && !life.ended)
            restart_without_cause(computer, "instance " + name + " was replaced by another process, and nobody asked");
        if (life.pid != process.pid) {
            life = {.pid = process.pid};
            started(computer, name);
        }
        life.ended = false; // whoever wanted to end it has not succeeded yet
    }
}

void Ledger::revoked(Cell cell, const store::Key& revision) { revoked_.try_emplace({cell, revision.name}, now()); }

/// However the revision arrived: a node that knows of the revocation starts nothing of it. A start that was under way when it
/// came, and was made sure to be known after a crash, is not held against it.
void Ledger::started(Computer& computer, const drivers::InstanceName& name) {
    constexpr Duration under_way = 10s;
    if (!computer.process || !computer.process->works()) return;
    auto bytes = computer.process->store().note(node::note_space, name);
    auto note = bytes ? node::Note::parse(*bytes) : Result<node::Note>(fail(Code::not_found, ""));
    if (!note) return;
    auto known = revoked_.find({computer.cell, note->revision});
    if (known != revoked_.end() && now() - known->second > under_way)
        fleet_.violate("revoked-never-starts", computer.name + " started " + note->name + " of revision " + note->revision +
                                                   ", which it has known to be revoked for " + text(now() - known->second));
}

void Ledger::ended_by_weather(Cell cell, const drivers::InstanceName& name) { lives_[{cell, name}].ended = true; }

void Ledger::lost_power(Cell cell) {
    for (auto& [key, life] : lives_)
        if (key.first == cell) life.ended = true;
}

void Ledger::failed_health(Cell cell, const drivers::InstanceName& name) { ++lives_[{cell, name}].failed_checks; }

} // namespace skerry::sim
