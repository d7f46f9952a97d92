#include "node/node_loop.h"

#include "base/log.h"
#include "model/instance.pb.h"

#include <algorithm>
#include <utility>

/// The steps of one instance: fetch and start here, those that end it in ending.cc. Each ends in a wake, and the next turn plans
/// afresh.
namespace skerry::node {

using plan::InstanceStep;
using plan::Presence;

void NodeLoop::step(Run& run, const Wanted* wanted) {
    if (run.busy) return;
    if (run.ending) return go_on_ending(run);
    if (run.presence == Presence::running) look(run);
    if (run.busy) return;
    if (now() < run.retry) return wake_at(run.retry);
    if (run.note.stopping && run.presence == Presence::running) forget_asking(run);

    std::optional<plan::WantedInstance> wish;
    if (wanted) {
        wish = wanted->plan;
        std::string runtime = wanted->runtime();
        if (wish->running && wish->obstacle.empty() && !driver(runtime)) wish->obstacle = "no runtime";
        if (wish->running && wish->obstacle.empty() && !beyond(*wanted, driver(runtime)->abilities()).empty())
            wish->obstacle = "beyond the runtime";
        if (wish->running && wish->obstacle.empty() && run.presence == Presence::nothing &&
            !spec_for(cell_.store(), *wanted, options_.name))
            wish->obstacle = "environment";
    } else if (is_damaged(run)) {
        return; // its object is missing, which is no wish to end it (rule S5)
    } else if (!run.noted && run.presence == Presence::running) {
        // Nobody here knows it. A cell that lost its store learns from its parent what it should run before it stops anything.
        auto parent = cell_.peers().parent();
        if (parent && !parent->in_agreement) return;
    }
    plan::FoundInstance found{.presence = run.presence,
                              .hash = run.note.hash,
                              .connected = run.connected,
                              .image_ready = wanted && run.image_ready == wanted->digest() && !run.image_ready.empty(),
                              .image_asked =
                                  wanted && (run.image_asked == wanted->digest() || now() < run.image_back_off.until()),
                              .unhealthy = false,
                              .port_taken = {}};
    if (wanted) {
        found.port_taken = port_taken(run, *wanted);
        if (run.presence == Presence::running && wish->running) {
            if (run.note.hash == wish->hash) reconnect(run, *wanted);
            if (run.busy) return;
            check_health(run, *wanted);
            if (run.busy) return;
            found.unhealthy = is_unhealthy(run, *wanted) && !mends_; // whoever mends wakes the loop
        }
    }
    switch (auto next = plan::next_step(wish, found, run.back_off, now())) {
    case InstanceStep::nothing:
        break;
    case InstanceStep::fetch:
        fetch(run, *wanted);
        break;
    case InstanceStep::wait_image:
        if (run.image_asked.empty()) wake_at(run.image_back_off.until());
        break;
    case InstanceStep::wait_back_off:
        wake_at(run.back_off.until());
        break;
    case InstanceStep::wait_port: // whoever holds it wakes the loop when it goes
    case InstanceStep::wait_obstacle:
        break;                     // a change in the store, or the period
    case InstanceStep::wait_lease: // a lease, or the answer of the leash
        break;
    case InstanceStep::start:
        start(run, *wanted);
        break;
    case InstanceStep::restart:
    case InstanceStep::update:
    case InstanceStep::stop:
    case InstanceStep::fence:
        stop(run, wanted, next);
        break;
    case InstanceStep::clean:
        clean(run);
        break;
    case InstanceStep::forget:
        forget(run);
        break;
    }
}

/// Adoption could not learn where a running instance is connected: asked again, so that it is checked where it is, and nowhere
/// else.
void NodeLoop::reconnect(Run& run, const Wanted& wanted) {
    if (!options_.network || !run.connected || run.attachment) return;
    auto spec = spec_for(cell_.store(), wanted, options_.name);
    if (!spec) return;
    auto outcome = std::make_shared<Result<drivers::Attachment>>();
    on_network(
        run, "", [outcome, network = options_.network, wish = network_wish(wanted, *spec)] { *outcome = network->connect(wish); },
        [this, outcome](Run& done) {
            if (*outcome)
                done.attachment = std::move(**outcome);
            else
                done.retry = now() + step_again;
        });
}

std::optional<model::NodePort> NodeLoop::port_taken(const Run& run, const Wanted& wanted) const {
    for (const auto& [uid, other] : runs_) {
        bool holds = other.connected || other.presence == Presence::running || other.busy;
        if (uid == run.uid || !holds) continue;
        for (model::NodePort port : wanted.ports)
            if (std::count(other.note.ports.begin(), other.note.ports.end(), port) > 0) return port;
    }
    return std::nullopt;
}

void NodeLoop::fetch(Run& run, const Wanted& wanted) {
    run.image_asked = wanted.digest();
    options_.images->ensure(wanted.digest(),
                            [this, weak = std::weak_ptr(alive_), uid = run.uid, digest = wanted.digest()](Result<void> outcome) {
                                if (weak.expired()) return;
                                auto found = runs_.find(uid);
                                if (found == runs_.end() || found->second.image_asked != digest) return;
                                Run& asked = found->second;
                                asked.image_asked.clear();
                                if (outcome) {
                                    // What was not to be kept meanwhile is asked for again.
                                    if (kept_images_.contains(digest)) asked.image_ready = digest;
                                    asked.image_back_off.reset();
                                    if (asked.reason == "ImageUnavailable") asked.reason.clear(), asked.message.clear();
                                    event(asked, cell::Tone::normal, "Pulled", "image " + digest + " is on this node");
                                } else {
                                    asked.image_back_off.failed(now(), {});
                                    asked.reason = "ImageUnavailable";
                                    asked.message = "image " + digest + ": " + outcome.error().message;
                                    event(asked, cell::Tone::warning, "Failed", asked.message);
                                }
                                wake();
                            });
}

void NodeLoop::start(Run& run, const Wanted& wanted) {
    if (is_crowded("Starting", 3)) return; // whoever ends wakes the loop
    auto spec = spec_for(cell_.store(), wanted, options_.name);
    if (!spec) return;
    auto wish = network_wish(wanted, *spec);
    std::uint32_t restarts = run.note.restarts;
    run.note = {.runtime = wanted.runtime(),
                .handle = {},
                .hash = wanted.plan.hash,
                .revision = wanted.instance->spec().revision(),
                .digest = wanted.digest(),
                .started = rfc3339(cell_.env().clock.wall()),
                .restarts = restarts,
                .ports = wanted.ports,
                .stop_grace = wanted.stop_grace(),
                .project = run.key.project,
                .name = run.key.name,
                .once = wanted.once};
    run.noted = true;
    run.busy = true;
    run.doing = "Starting";
    // The intention is durable first: whatever is found after a crash is known with the hash that it runs.
    store::Transaction transaction;
    transaction.note(note_space, instance_name(run.uid), run.note.bytes());
    cell_.store().commit(std::move(transaction), [this, weak = std::weak_ptr(alive_), uid = run.uid, spec = std::move(*spec),
                                                  wish = std::move(wish)](Result<store::Number> result) {
        if (weak.expired()) return;
        if (result) return start_noted(uid, spec, wish);
        Run& failed = runs_.at(uid);
        failed.busy = false;
        failed.doing.clear();
        failed.retry = now() + step_again;
        wake();
    });
}

void NodeLoop::start_noted(Uid uid, drivers::InstanceSpec spec, drivers::network::Wish wish) {
    Run& run = runs_.at(uid);
    run.busy = false;
    if (!driver(run.note.runtime)) return;
    if (!options_.network) return start_connected(run, std::move(spec));
    auto outcome = std::make_shared<Result<drivers::Attachment>>();
    on_network(
        run, "Starting", [outcome, network = options_.network, wish = std::move(wish)] { *outcome = network->connect(wish); },
        [this, outcome, spec = std::move(spec)](Run& done) mutable {
            // Also after an error: part of it may be in place, and taking it away twice is fine.
            done.connected = true;
            if (!*outcome) return started(done.uid, std::unexpected(outcome->error()), {});
            done.attachment = **outcome;
            spec.network = **outcome;
            start_connected(done, std::move(spec));
        });
}

void NodeLoop::start_connected(Run& run, drivers::InstanceSpec spec) {
    struct Outcome {
        Result<drivers::Handle> handle;
        drivers::Look look;
    };
    drivers::Driver* runtime = driver(run.note.runtime);
    if (!runtime) return;
    auto outcome = std::make_shared<Outcome>();
    Instant until = run.note.once ? cell_.leases().own().until : Instant::never();
    on_lane(
        run, "Starting",
        [outcome, runtime, spec = std::move(spec), clock = &cell_.env().clock, until] {
            // It may have waited here for long, as a process that was stopped does.
            if (clock->now() >= until) {
                outcome->handle = fail(Code::timeout, "its lease ended before it could start (rule F1)");
                return;
            }
            outcome->handle = runtime->start(spec);
            if (!outcome->handle) return;
            if (auto look = runtime->look(*outcome->handle)) outcome->look = std::move(*look);
        },
        [this, outcome](Run& done) { started(done.uid, std::move(outcome->handle), std::move(outcome->look)); });
}

void NodeLoop::started(Uid uid, Result<drivers::Handle> handle, drivers::Look look) {
    Run& run = runs_.at(uid);
    if (!handle) {
        bool port = handle.error().code == Code::exists;
        run.back_off.failed(now(), {});
        run.reason = port ? "PortTaken" : "StartFailed";
        run.message = handle.error().message;
        if (port) run.message += "; stop what listens there, or publish another port";
        event(run, cell::Tone::warning, "Failed", run.message);
        return;
    }
    run.note.handle = std::move(*handle);
    if (look.started.seconds != 0) run.note.started = rfc3339(look.started);
    run.busy = true;
    run.doing = "Starting";
    store::Transaction transaction;
    transaction.note(note_space, instance_name(uid), run.note.bytes());
    cell_.store().commit(
        std::move(transaction), [this, weak = std::weak_ptr(alive_), uid, pid = look.pid](Result<store::Number> result) {
            if (weak.expired()) return;
            Run& up = runs_.at(uid);
            up.busy = false;
            up.doing.clear();
            // It runs, whether this could be noted or not (a full disk); the note of the intention says what, and the driver by which
            // handle, should this process end before another note is taken.
            if (!result) log(Level::warning, "node", "{}: the note of its start: {}", up.key.text(), result.error().message);
            up.presence = Presence::running;
            up.started = now();
            up.pid = pid;
            up.next_look = now() + 1s;
            up.health = {};
            up.reason.clear();
            up.message.clear();
            up.exit_code.reset();
            event(up, cell::Tone::normal, "Started", "runs revision " + up.note.revision + ", pid " + std::to_string(pid));
            wake();
        });
}

} // namespace skerry::node
