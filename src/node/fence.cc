#include "base/log.h"
#include "model/epoch.h"
#include "model/instance.pb.h"
#include "node/node_loop.h"

#include <algorithm>
#include <utility>

/// Policy atMostOnce on this machine: the lease, the leash, and fencing numbers (rules F1 to F3, H4).
namespace skerry::node {

using plan::Presence;

namespace {

constexpr std::string_view loop_name = "node";
constexpr std::string_view epoch_space = "epoch.node";
constexpr Duration leash_again = 1s;

/// What has run under policy keep until now is stopped only if no lease comes: less than the silence after which anybody acts.
constexpr Duration change_grace = 3s;

/// Something of it runs, or may, and needs a lease.
bool may_run(const Run& run, const std::map<Uid, Wanted>& wanted) {
    auto wish = wanted.find(run.uid);
    bool once = wish == wanted.end() || !wish->second.closed ? run.note.once : wish->second.once;
    return once && (run.presence == Presence::running || run.busy);
}

std::string epoch_key(const Wanted& wanted) { return wanted.object->key.project + "/" + wanted.instance->spec().allocation(); }

} // namespace

/// What an earlier process of this boot left on the leash is the lease that this one holds.
bool NodeLoop::ensure_recalled() {
    if (leash_.recalled) return true;
    if (!options_.leash) return leash_.recalled = true;
    adopting_ = true;
    auto outcome = std::make_shared<Result<std::optional<drivers::Leash::Hold>>>();
    cell_.env().workers.run(
        "leash", [outcome, leash = options_.leash] { *outcome = leash->recall(); },
        [this, weak = std::weak_ptr(alive_), outcome] {
            if (weak.expired()) return;
            adopting_ = false;
            leash_.recalled = true;
            if (*outcome) {
                leash_.hold = std::move(**outcome);
                if (leash_.hold) cell_.leases().recall(leash_.hold->until, leash_.hold->length);
            } else {
                // What ran under it stops, as what has no lease does.
                log(Level::warning, "node", "leash: {}", outcome->error().message);
            }
            wake();
        });
    return false;
}

void NodeLoop::fence(WantedByUid& wanted) {
    bool needed = std::ranges::any_of(runs_, [&](const auto& one) { return may_run(one.second, wanted); }) ||
                  std::ranges::any_of(wanted, [](const auto& one) { return one.second.once && one.second.plan.running; });
    cell_.leases().want(loop_name, needed);
    if (!needed && !leash_.hold) return;
    auto own = cell_.leases().own();
    if (own.until != Instant::never() && own.runs(now())) wake_at(own.until); // the leash may go then
    store::Transaction accepted;
    for (auto& [uid, one] : wanted) {
        if (!one.once || !one.plan.running) continue;
        accept_epoch(one, accepted);
        fence(one, own);
    }
    if (!accepted.empty())
        cell_.store().commit(std::move(accepted), [this, weak = std::weak_ptr(alive_)](Result<store::Number> result) {
            if (!weak.expired() && result) wake();
        });
    keep_leash(wanted, own);
}

/// The number is durable before anything is done for it, and nothing is started for a lower one.
void NodeLoop::accept_epoch(Wanted& wanted, store::Transaction& accepted) {
    model::Epoch highest;
    if (auto bytes = cell_.store().note(epoch_space, epoch_key(wanted))) highest.ParseFromString(*bytes);
    const auto& epoch = wanted.instance->spec().epoch();
    auto order = model::compare(epoch, highest);
    if (order < 0 && wanted.plan.obstacle.empty()) {
        wanted.obstacle_reason = "EpochRefused";
        wanted.plan.obstacle = "its epoch " + model::text(epoch) + " is below " + model::text(highest) +
                               ", which this node has accepted for the same allocation (rule H4); its site sends the newer one";
    }
    if (order <= 0) return;
    // What does not fit now is accepted by the next turn.
    if (accepted.fits(epoch.ByteSizeLong() + 100)) accepted.note(epoch_space, epoch_key(wanted), epoch.SerializeAsString());
    wanted.plan.leashed = false;
}

void NodeLoop::fence(Wanted& wanted, const cell::Leases::Own& own) {
    if (own.until == Instant::never()) return;
    Instant at = now();
    Duration polite = std::min(wanted.stop_grace(), own.length / 3);
    wanted.plan.stop_by = own.runs(at) ? own.until - polite : Instant{};
    bool held = leash_.hold && at < leash_.hold->until &&
                std::ranges::find(leash_.hold->names, instance_name(wanted.object->uid)) != leash_.hold->names.end();
    if (!held) wanted.plan.leashed = false;
    Run& run = runs_.at(wanted.object->uid);
    if (run.presence != Presence::running) {
        run.once_since.reset();
    } else {
        if (!run.note.once && !run.once_since) run.once_since = at;
        if (held) run.note.once = true, run.once_since.reset();
        if (run.once_since) wanted.plan.stop_by = std::max(wanted.plan.stop_by, *run.once_since + change_grace);
        if (at < wanted.plan.stop_by) wake_at(wanted.plan.stop_by);
    }
    if (at >= wanted.plan.stop_by)
        wanted.lease_trouble = own.trouble.empty() ? "the lease ends, and the parent has not renewed it (rule F1)" : own.trouble;
    else if (!options_.leash)
        wanted.lease_trouble = "this node has no leash to keep it on (rule F3)";
    else if (!held && !leash_.trouble.empty())
        wanted.lease_trouble = "the leash does not hold it (rule F3): " + leash_.trouble;
}

/// The leash has what runs and what may start, until the lease ends; without either there is no leash.
void NodeLoop::keep_leash(const WantedByUid& wanted, const cell::Leases::Own& own) {
    if (!options_.leash || leash_.busy) return;
    if (now() < leash_.retry) return wake_at(leash_.retry);
    std::set<drivers::InstanceName> names;
    bool runs = false;
    for (const auto& [uid, run] : runs_)
        if (may_run(run, wanted)) names.insert(instance_name(uid)), runs = true;
    if (own.until == Instant::never() || (!runs && !own.runs(now()))) names.clear();
    if (!names.empty() || (own.until != Instant::never() && own.runs(now())))
        for (const auto& [uid, one] : wanted)
            if (one.once && one.plan.running) names.insert(instance_name(uid));
    if (names.empty()) {
        if (leash_.hold) leash_to({});
        return;
    }
    drivers::Leash::Hold hold{.until = own.until, .length = own.length, .names = {names.begin(), names.end()}};
    // Without a lease it keeps the moment it has, and what runs.
    if (leash_.hold && leash_.hold->until > hold.until) hold.until = leash_.hold->until, hold.length = leash_.hold->length;
    if (leash_.hold != hold) leash_to(std::move(hold));
}

void NodeLoop::leash_to(std::optional<drivers::Leash::Hold> hold) {
    leash_.busy = true;
    auto outcome = std::make_shared<Result<void>>();
    cell_.env().workers.run(
        "leash", [outcome, leash = options_.leash, hold] { *outcome = hold ? leash->hold(*hold) : leash->release(); },
        [this, weak = std::weak_ptr(alive_), outcome, hold] {
            if (weak.expired()) return;
            leash_.busy = false;
            leash_.trouble = *outcome ? "" : outcome->error().message;
            if (*outcome)
                leash_.hold = hold;
            else
                leash_.retry = now() + leash_again;
            wake();
        });
}

/// Killed with nobody here having asked, and without a lease.
bool NodeLoop::ended_by_leash(const Run& run, const drivers::Look& look) const {
    return run.note.once && look.phase == drivers::Phase::exited && look.exit_code == 137 && !look.out_of_memory &&
           !cell_.leases().own().runs(now());
}

} // namespace skerry::node
