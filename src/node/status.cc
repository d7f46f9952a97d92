#include "node/node_loop.h"

#include "cell/wall_clock.h"
#include "cell/writing.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/revision.pb.h"

#include <utility>

/// What the node says of its instances and of itself.
namespace skerry::node {

using plan::Presence;

namespace {

/// Where it stands and, where that is not where it should be, why.
struct Story {
    std::string phase;
    std::string reason;
    std::string message;
};

Story story(const Run& run, const Wanted& wanted, Instant now, const std::string& obstacle_reason, const std::string& obstacle,
            std::optional<model::NodePort> port_taken, const std::string& progress) {
    bool runs = run.presence == Presence::running;
    if (run.is_stopping()) return {"Stopping", run.reason, run.message};
    // A start that is under way ends as something that runs, or not.
    bool may_run = runs || run.doing == "Starting";
    if (!wanted.plan.running)
        return may_run ? Story{"Stopping", "", ""} : Story{"Stopped", "Stopped", "the app's state is stopped"};
    if (runs) {
        if (!run.health.last_error.empty()) return {"Running", "Unhealthy", "health check failed: " + run.health.last_error};
        if (!obstacle.empty()) return {"Running", obstacle_reason, "runs on as it is: " + obstacle};
        return {"Running", run.remark.empty() ? "" : "Remark", run.remark};
    }
    if (run.doing == "Starting") return {"Starting", "", ""};
    if (!obstacle.empty()) return {"Waiting", obstacle_reason, obstacle};
    if (!wanted.lease_trouble.empty()) return {"Waiting", "NoLease", wanted.lease_trouble};
    if (run.reason == "ImageUnavailable") return {"Waiting", run.reason, run.message};
    if (run.image_ready != wanted.digest())
        return {"Fetching", "Fetching", progress.empty() ? "image " + wanted.digest() + " is on its way" : progress};
    if (port_taken)
        return {"Waiting", "PortTaken",
                "port " + port_taken->text() +
                    " is held by another instance on this node until that one stops; see skerry get instances -o wide"};
    if (run.reason == "PortTaken") return {"Waiting", run.reason, run.message};
    if (!run.reason.empty()) return {now < run.back_off.until() ? "BackOff" : "Starting", run.reason, run.message};
    return {"Starting", "", ""};
}

} // namespace

void NodeLoop::report_instance(const Run& run, const Wanted& wanted) {
    auto before = cell::part_of<model::Instance>(*wanted.object, store::Part::found);
    model::Instance report;
    auto& status = *report.mutable_status();
    *status.mutable_conditions() = before.status().conditions();

    std::string reason = wanted.obstacle_reason, obstacle = wanted.plan.obstacle;
    if (wanted.plan.running && obstacle.empty() && !driver(wanted.runtime())) {
        auto runtime = runtimes_.find(wanted.runtime());
        reason = "RuntimeMissing";
        obstacle = "node " + options_.name + " has no working runtime " + wanted.runtime() +
                   (runtime == runtimes_.end() ? std::string(": this build drives none of that kind")
                                               : ": " + runtime->second.trouble.message);
    } else if (wanted.plan.running && obstacle.empty() && !beyond(wanted, driver(wanted.runtime())->abilities()).empty()) {
        reason = "RuntimeUnable";
        obstacle = beyond(wanted, driver(wanted.runtime())->abilities());
    } else if (wanted.plan.running && obstacle.empty() && run.presence == Presence::nothing) {
        if (auto spec = spec_for(cell_.store(), wanted, options_.name); !spec) {
            reason = "EnvironmentInvalid";
            obstacle = spec.error().message + "; set it (Site spec.values, Secret or Config), or change the app";
        }
    }
    auto tale = story(run, wanted, now(), reason, obstacle, port_taken(run, wanted), options_.images->progress(wanted.digest()));

    bool running = run.presence == Presence::running && !run.is_stopping();
    bool checked = wanted.closed && wanted.closed->component().has_health();
    // What an adopted instance was before counts until its first check has an answer.
    bool ok = run.health.ok ||
              (run.health.last_error.empty() && before.status().ready() && before.status().pid() == run.pid && run.pid != 0);
    bool ready = running && wanted.plan.running && (!checked || ok);
    bool current = running && run.note.hash == wanted.plan.hash;
    status.set_observed_generation(wanted.object->generation);
    status.set_phase(tale.phase);
    status.set_ready(ready);
    status.set_restarts(run.note.restarts);
    status.set_reason(tale.reason);
    status.set_message(tale.message);
    if (running) {
        status.set_hash(run.note.hash);
        // The same hash in another revision is that revision too (rule A6).
        status.set_revision(current ? wanted.instance->spec().revision() : run.note.revision);
        status.set_image_digest(run.note.digest);
        status.set_started_at(run.note.started);
        status.set_pid(static_cast<std::uint32_t>(run.pid));
        if (run.attachment)
            status.set_address(run.attachment->address.substr(0, run.attachment->address.find('/')));
        else if (before.status().pid() == run.pid)
            status.set_address(before.status().address());
        for (auto port : run.note.ports) status.add_published(port.number);
    }
    if (run.exit_code) status.set_exit_code(*run.exit_code);
    std::string word = ready ? "Running" : !tale.reason.empty() ? tale.reason : running ? "NotYetHealthy" : tale.phase;
    std::string wall = rfc3339(cell_.env().clock.wall());
    model::set_condition(*status.mutable_conditions(), "Ready", ready ? "True" : "False", word, tale.message, wall);
    if (wanted.once) {
        bool leased = wanted.lease_trouble.empty();
        model::set_condition(*status.mutable_conditions(), "Leased", leased ? "True" : "False", leased ? "Granted" : "NoLease",
                             wanted.lease_trouble, wall);
        model::set_condition(*status.mutable_conditions(), "FencedByLeaseOnly", "True", "NothingChecksEpochs",
                             "that it runs once rests on its lease alone: clocks that keep time, no pause of the whole machine "
                             "(rule F6); nothing it uses checks epochs",
                             wall);
    } else {
        model::remove_condition(*status.mutable_conditions(), "Leased");
        model::remove_condition(*status.mutable_conditions(), "FencedByLeaseOnly");
    }
    cell::report_part(cell_.store(), *wanted.object, store::Part::found, report);
}

void NodeLoop::report_node() {
    auto object = cell_.store().get({model::Kind::node, "", options_.name});
    if (!object) return;
    auto before = cell::part_of<model::Node>(*object, store::Part::found);
    model::Node report;
    auto& status = *report.mutable_status();
    *status.mutable_conditions() = before.status().conditions();
    status.mutable_capacity()->set_cpu(text(options_.machine.cpu));
    status.mutable_capacity()->set_memory(text(options_.machine.memory));
    for (const auto& address : options_.machine.addresses) status.add_addresses(address);
    bool works = false, pending = adopting_;
    std::string trouble;
    for (const auto& [name, runtime] : runtimes_) {
        auto& line = *status.add_runtimes();
        line.set_name(name);
        line.set_works(runtime.adopted);
        line.set_detail(runtime.adopted ? std::string(runtime.driver->name()) : runtime.trouble.message);
        works = works || runtime.adopted;
        pending = pending || !runtime.probed;
        if (!runtime.adopted && trouble.empty()) trouble = name + ": " + runtime.trouble.message;
    }
    status.set_os(options_.machine.os);
    status.set_kernel(options_.machine.kernel);
    status.set_architecture(options_.machine.architecture);
    status.set_boot_id(cell_.env().clock.boot_id());
    status.set_version(options_.version);
    status.set_cell(cell_.store().cell().text());
    std::set<std::string> images;
    for (const auto& [uid, run] : runs_) {
        if (!run.image_ready.empty() && kept_images_.contains(run.image_ready)) images.insert(run.image_ready);
        if (run.presence == Presence::running && !run.note.digest.empty()) images.insert(run.note.digest);
    }
    for (const auto& digest : images) status.add_images(digest);
    bool ready = works && network_adopted_;
    // While the first adoption is under way the last word stands.
    if (!ready && pending && trouble.empty() && !before.status().conditions().empty()) return;
    std::string reason = ready ? "Ready" : pending ? "Adopting" : !works ? "NoRuntime" : "NoNetwork";
    std::string message = ready ? "" : pending ? "looks for what runs" : !works ? trouble : network_trouble_.message;
    model::set_condition(*status.mutable_conditions(), "Ready", ready ? "True" : "False", reason, message,
                         rfc3339(cell_.env().clock.wall()));
    cell::report_clock(cell_.env().clock, *status.mutable_conditions());
    cell::report_part(cell_.store(), *object, store::Part::found, report);
}

} // namespace skerry::node
