#include "node/node_loop.h"

#include <algorithm>
#include <chrono>
#include <utility>

/// How an instance ends: it is asked to, has its grace, is killed, cleaned away and forgotten; or it ended by itself.
namespace skerry::node {

using plan::InstanceStep;
using plan::Presence;

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
        run.message =
            how + " (starts again after " + text(std::chrono::ceil<std::chrono::seconds>(run.back_off.until() - now())) + ")";
        event(run, cell::Tone::warning, look.out_of_memory ? "OOMKilled" : "BackOff", run.message);
    }
    run.started.reset();
    run.health = {};
}

} // namespace skerry::node
