#include "node/node_loop.h"

#include "base/log.h"
#include "model/instance.pb.h"

#include <algorithm>
#include <utility>

/// The steps of one instance: fetch, start, stop, clean, forget. Each ends in a wake, and the next turn plans afresh.
namespace skerry::node {

using plan::InstanceStep;
using plan::Presence;

namespace {
constexpr Duration step_again = 2s;
} // namespace

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

std::optional<std::uint16_t> NodeLoop::port_taken(const Run& run, const Wanted& wanted) const {
    for (const auto& [uid, other] : runs_) {
        bool holds = other.connected || other.presence == Presence::running || other.busy;
        if (uid == run.uid || !holds) continue;
        for (std::uint32_t port : wanted.ports)
            if (std::count(other.note.ports.begin(), other.note.ports.end(), port) > 0) return static_cast<std::uint16_t>(port);
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
            if (!result) {
                // It runs, and the note of the intention says what: asked again, the driver reports the one that is up.
                up.retry = now() + step_again;
                return wake();
            }
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

void NodeLoop::stop(Run& run, const Wanted* wanted, InstanceStep why) {
    drivers::Driver* runtime = driver(run.note.runtime);
    if (!runtime) return;
    bool as_started = wanted && wanted->closed && wanted->plan.hash == run.note.hash;
    Duration grace = as_started ? wanted->stop_grace() : run.note.stop_grace;
    bool counts = why == InstanceStep::restart;
    if (why == InstanceStep::fence) {
        // Gone when the lease ends; the leash sees to what is not.
        Instant until = cell_.leases().own().until;
        grace = std::clamp(until - now(), Duration(0), grace);
        run.reason = "LeaseEnded";
        run.message = "stopped, since its lease ends and the parent has not renewed it (policy atMostOnce, rule F1)";
        event(run, cell::Tone::warning, "LeaseEnded", run.message);
    } else {
        std::string cause = counts                        ? "it failed its health check"
                            : why == InstanceStep::update ? "it is out of date"
                                                          : "it is not wanted any more";
        event(run, cell::Tone::normal, "Killing", "asked to stop, since " + cause);
    }
    if (counts || !run.noted) return stop_noted(run.uid, grace, counts);
    run.note.stopping = true;
    run.busy = true;
    run.doing = "Stopping";
    // Durable first, as for a start: an end that is found after a crash is known to be ours.
    store::Transaction transaction;
    transaction.note(note_space, instance_name(run.uid), run.note.bytes());
    cell_.store().commit(std::move(transaction),
                         [this, weak = std::weak_ptr(alive_), uid = run.uid, grace](Result<store::Number> result) {
                             if (weak.expired()) return;
                             Run& noted = runs_.at(uid);
                             noted.busy = false;
                             noted.doing.clear();
                             if (result) return stop_noted(uid, grace, false);
                             noted.note.stopping = false;
                             noted.retry = now() + step_again;
                             wake();
                         });
}

void NodeLoop::stop_noted(Uid uid, Duration grace, bool counts) {
    Run& run = runs_.at(uid);
    drivers::Driver* runtime = driver(run.note.runtime);
    if (!runtime) return;
    auto outcome = std::make_shared<Result<void>>();
    on_lane(
        run, "Stopping", [outcome, runtime, handle = run.note.handle] { *outcome = runtime->ask_to_stop(handle); },
        [this, outcome, grace, counts](Run& done) {
            if (!*outcome) {
                done.asked_until = now() + grace;
                done.retry = now() + step_again;
                done.reason = "StopFailed";
                done.message = outcome->error().message;
                event(done, cell::Tone::warning, "Failed", "stop: " + done.message);
                return;
            }
            done.next_look = {};
            done.ending = {.until = now() + grace, .counts = counts};
        });
}

/// Waits for the end of what was asked to end, without holding a thread: its driver tells when it may have ended, and a look now
/// and then sees to what that misses.
void NodeLoop::go_on_ending(Run& run) {
    if (now() < run.retry) return wake_at(run.retry);
    if (run.ending->over || now() >= run.ending->until) return end(run);
    if (now() < run.next_look) return wake_at(std::min(run.next_look, run.ending->until));
    drivers::Driver* runtime = driver(run.note.runtime);
    if (!runtime) return;
    auto outcome = std::make_shared<Result<drivers::Look>>();
    on_lane(
        run, "Looking", [outcome, runtime, handle = run.note.handle] { *outcome = runtime->look(handle); },
        [this, outcome](Run& done) {
            done.next_look = now() + step_again;
            if (!*outcome || !done.ending) return; // not known for now is not gone
            drivers::Phase phase = (*outcome)->phase;
            done.ending->over = phase == drivers::Phase::exited || phase == drivers::Phase::lost;
        });
}

/// Kills what is left of it, and counts it as ended.
void NodeLoop::end(Run& run) {
    drivers::Driver* runtime = driver(run.note.runtime);
    if (!runtime || is_crowded("Stopping", 2)) return; // whoever ends wakes the loop
    auto outcome = std::make_shared<Result<void>>();
    on_lane(
        run, "Stopping", [outcome, runtime, handle = run.note.handle] { *outcome = runtime->stop(handle, Duration(0)); },
        [this, outcome](Run& done) {
            if (!*outcome) {
                done.retry = now() + step_again;
                done.reason = "StopFailed";
                done.message = outcome->error().message;
                event(done, cell::Tone::warning, "Failed", "stop: " + done.message);
                return;
            }
            bool counts = done.ending->counts;
            done.ending.reset();
            done.presence = Presence::exited;
            done.reason.clear();
            done.message.clear();
            if (counts) {
                ++done.note.restarts;
                done.back_off.failed(now(), done.started);
                done.reason = "Unhealthy";
                done.message = "failed its health check (" + done.health.last_error + ") and is started again";
            } else {
                done.back_off.reset();
            }
            done.health = {};
            done.started.reset();
            done.pid = 0;
        });
}

/// It was asked to end before, and it is not known whether it heard: while it may still end of that, its end is none of its own.
void NodeLoop::forget_asking(Run& run) {
    if (now() < run.asked_until) return wake_at(run.asked_until);
    run.note.stopping = false;
    store::Transaction transaction;
    transaction.note(note_space, instance_name(run.uid), run.note.bytes());
    cell_.store().commit(std::move(transaction), nullptr); // at worst it is forgotten again
}

void NodeLoop::clean(Run& run) {
    drivers::Driver* runtime = run.note.runtime.empty() ? nullptr : driver(run.note.runtime);
    bool trace = run.presence != Presence::nothing && !run.note.handle.empty();
    if (trace && !runtime) return;
    if (is_crowded("Cleaning", 2)) return; // whoever ends wakes the loop
    std::string doing = run.reason.empty() ? "Stopping" : "Cleaning";
    auto outcome = std::make_shared<Result<void>>();
    auto failed = [this](Run& done, const Error& error) {
        done.retry = now() + step_again;
        event(done, cell::Tone::warning, "Failed", "remove: " + error.message);
    };
    auto disconnect = [this, doing, failed](Run& removed) {
        auto outcome = std::make_shared<Result<void>>();
        on_network(
            removed, doing,
            [outcome, network = options_.network, name = instance_name(removed.uid)] {
                if (network) *outcome = network->disconnect(name);
            },
            [this, outcome, failed](Run& done) {
                if (!*outcome) return failed(done, outcome->error());
                cleaned(done);
            });
    };
    if (!trace) return disconnect(run);
    on_lane(
        run, doing, [outcome, runtime, handle = run.note.handle] { *outcome = runtime->remove(handle); },
        [outcome, failed, disconnect](Run& done) {
            if (!*outcome) return failed(done, outcome->error());
            disconnect(done);
        });
}

void NodeLoop::cleaned(Run& done) {
    done.presence = Presence::nothing;
    done.connected = false;
    done.attachment.reset();
    done.note.handle.clear();
    if (!done.noted) return;
    // So that a later adoption does not take for lost what was cleaned away. Nothing waits for it: at worst it is looked
    // for in vain.
    store::Transaction transaction;
    transaction.note(note_space, instance_name(done.uid), done.note.bytes());
    cell_.store().commit(std::move(transaction), nullptr);
}

void NodeLoop::forget(Run& run) {
    if (!run.noted) {
        runs_.erase(run.uid);
        return;
    }
    run.busy = true;
    store::Transaction transaction;
    transaction.erase_note(note_space, instance_name(run.uid));
    cell_.store().commit(std::move(transaction),
                         [this, weak = std::weak_ptr(alive_), uid = run.uid](Result<store::Number> result) {
                             if (weak.expired()) return;
                             Run& gone = runs_.at(uid);
                             gone.busy = false;
                             if (result)
                                 gone.noted = false;
                             else
                                 gone.retry = now() + step_again;
                             wake();
                         });
}

/// It is gone without our asking.
void NodeLoop::ended(Run& run, const drivers::Look& look) {
    bool lost = look.phase == drivers::Phase::lost;
    if (ended_by_leash(run, look)) {
        run.presence = Presence::exited;
        run.pid = 0;
        run.started.reset();
        run.health = {};
        event(run, cell::Tone::warning, "LeaseEnded",
              "the leash ended it when its lease was over (policy atMostOnce, rule F3); it starts again under the next one");
        return;
    }
    run.presence = lost ? Presence::lost : Presence::exited;
    run.pid = 0;
    if (run.note.stopping) {
        run.started.reset();
        run.health = {};
        return; // an earlier asking explains it
    }
    run.exit_code = look.exit_code;
    ++run.note.restarts;
    // What a restart of the machine took away starts at once; what ended by itself waits longer each time.
    if (lost) {
        run.reason = "Lost";
        run.message =
            "nothing of it is left on the machine (it was restarted, or the process was taken away); it is started again";
    } else {
        run.back_off.failed(now(), run.started);
        std::string how = look.out_of_memory ? "was killed for want of memory; give it more in resources.memory"
                                             : "exited with code " + std::to_string(look.exit_code.value_or(-1)) +
                                                   "; see skerry logs " + run.key.name;
        run.reason = look.out_of_memory ? "OOMKilled" : "Exited";
        run.message = how + " (starts again after " + text(run.back_off.until() - now()) + ")";
        event(run, cell::Tone::warning, look.out_of_memory ? "OOMKilled" : "BackOff", run.message);
    }
    run.started.reset();
    run.health = {};
}

} // namespace skerry::node
