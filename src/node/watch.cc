#include "node/node_loop.h"

#include "model/app.pb.h"
#include "model/revision.pb.h"

#include <algorithm>
#include <utility>

/// Looks and health checks of what runs.
namespace skerry::node {

using plan::Presence;

void NodeLoop::look(Run& run) {
    if (now() < run.next_look) return wake_at(run.next_look);
    drivers::Driver* runtime = driver(run.note.runtime);
    if (!runtime) return;
    auto outcome = std::make_shared<Result<drivers::Look>>();
    on_lane(
        run, "", [outcome, runtime, handle = run.note.handle] { *outcome = runtime->look(handle); },
        [this, outcome](Run& done) {
            done.next_look = now() + options_.look_period;
            if (!*outcome) return; // not known for now is not gone
            const drivers::Look& look = **outcome;
            done.remark = look.remark;
            if (look.pid != 0) done.pid = look.pid;
            if (look.phase == drivers::Phase::exited || look.phase == drivers::Phase::lost) ended(done, look);
        });
}

namespace {

Duration duration_or(const std::string& text, Duration otherwise) {
    auto parsed = text.empty() ? Result<Duration>(otherwise) : parse_duration(text);
    return parsed && *parsed > Duration(0) ? *parsed : otherwise;
}

std::uint16_t port_of(const model::Component& component, const std::string& name) {
    for (const auto& port : component.ports())
        if (port.name() == name) return static_cast<std::uint16_t>(port.port());
    return 0;
}

} // namespace

void NodeLoop::check_health(Run& run, const Wanted& wanted) {
    if (!wanted.closed || !wanted.closed->component().has_health() || !run.started) return;
    if (run.connected && !run.attachment) return; // not known yet where to ask
    if (now() < run.health.next) return wake_at(run.health.next);
    const auto& component = wanted.closed->component();
    const auto& health = component.health();
    Duration timeout = duration_or(health.timeout(), 2s);
    if (health.has_exec() && is_crowded("Checking", 2)) return; // whoever ends wakes the loop
    Duration period = duration_or(health.period(), 10s);
    // Until it is ready it is asked often, so that it is known soon; failures count once per period all the same.
    run.health.next = now() + timeout + (run.health.ok ? period : std::min(period, Duration(1s)));
    auto answer = [this, weak = std::weak_ptr(alive_), uid = run.uid, started = *run.started](const Result<void>& outcome) {
        if (!weak.expired()) health_answer(uid, started, outcome);
    };
    std::string address = run.attachment ? run.attachment->address.substr(0, run.attachment->address.find('/')) : "127.0.0.1";
    if (health.has_http()) {
        options_.prober->http(address, port_of(component, health.http().port()),
                              health.http().path().empty() ? "/" : health.http().path(), timeout, answer);
    } else if (health.has_tcp()) {
        options_.prober->tcp(address, port_of(component, health.tcp().port()), timeout, answer);
    } else if (health.has_exec()) {
        drivers::Driver* runtime = driver(run.note.runtime);
        if (!runtime) return;
        std::vector<std::string> command(health.exec().command().begin(), health.exec().command().end());
        auto outcome = std::make_shared<Result<drivers::ExecOutcome>>();
        on_lane(
            run, "Checking",
            [outcome, runtime, handle = run.note.handle, command = std::move(command), timeout] {
                *outcome = runtime->exec(handle, command, timeout);
            },
            [outcome, answer](Run&) {
                Result<void> verdict;
                if (!*outcome)
                    verdict = std::unexpected(outcome->error());
                else if ((*outcome)->exit_code != 0)
                    verdict = fail(Code::unavailable, "exit code " + std::to_string((*outcome)->exit_code) + ": " +
                                                          (*outcome)->output.substr(0, 200));
                answer(verdict);
            });
    }
}

bool NodeLoop::is_unhealthy(const Run& run, const Wanted& wanted) {
    if (!wanted.closed || !wanted.closed->component().has_health()) return false;
    return run.health.failures >= std::max(1u, wanted.closed->component().health().failures());
}

void NodeLoop::health_answer(Uid uid, Instant started, const Result<void>& outcome) {
    auto found = runs_.find(uid);
    // It may have been started afresh meanwhile: an answer of before says nothing.
    if (found == runs_.end() || found->second.started != started) return;
    Run& run = found->second;
    auto object = cell_.store().get(run.key);
    if (!object || object->uid != uid) return;
    Wanted wanted = look_up(cell_.store(), object);
    if (!wanted.closed || !wanted.closed->component().has_health()) return;
    const auto& health = wanted.closed->component().health();
    Duration period = duration_or(health.period(), 10s);
    bool was = run.health.ok;
    if (!outcome && outcome.error().code == Code::exhausted) {
        // This process lacks what it takes to ask: no verdict on the instance.
        run.health.next = now() + period;
    } else if (outcome) {
        run.health.ok = true;
        run.health.failures = 0;
        run.health.last_error.clear();
        run.health.next = now() + period;
    } else {
        run.health.ok = false;
        run.health.last_error = outcome.error().message;
        run.health.next = now() + (was ? period : std::min(period, Duration(1s)));
        bool in_grace = now() - started < duration_or(health.grace(), Duration(0));
        if (!in_grace && now() - std::max(run.health.counted, started) >= (was ? Duration(0) : period)) {
            run.health.counted = now();
            ++run.health.failures;
            mend_now(); // before it is judged
            event(run, cell::Tone::warning, "Unhealthy", "health check failed: " + run.health.last_error);
        }
    }
    if (was != run.health.ok || run.health.failures > 0)
        wake();
    else
        wake_at(run.health.next);
}

} // namespace skerry::node
