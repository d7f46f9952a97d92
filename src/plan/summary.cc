#include "plan/summary.h"

#include "model/allocation.pb.h"
#include "model/conditions.h"
#include "model/instance.pb.h"
#include "model/site.pb.h"

#include <algorithm>

namespace skerry::plan {

void summarise_allocation(const model::Allocation& allocation, const std::vector<CountedInstance>& instances,
                          const SitePlan::Shortage& shortage, bool settled, const std::string& now,
                          model::AllocationStatus& status) {
    const auto& spec = allocation.spec();
    std::uint32_t ready = 0, updated = 0, restarts = 0, there = 0, stopped = 0;
    std::string revision, reason, message, since;
    bool mixed = false;
    for (const auto& [instance, silent] : instances) {
        const auto& found = instance->status();
        restarts += found.restarts();
        if (silent) {
            if (reason.empty()) reason = "NodeSilent", message = "node " + instance->spec().node() + " is out of touch";
            continue;
        }
        ++there;
        bool is_stopped = instance->spec().state() == "stopped" && found.phase() == "Stopped";
        stopped += is_stopped;
        ready += found.ready();
        // Written by clocks of one site, in one form: the order of texts is that of times.
        if (found.ready() && !found.started_at().empty() && (since.empty() || found.started_at() < since))
            since = found.started_at();
        const std::string& has = is_stopped ? instance->spec().revision() : found.revision();
        updated += has == spec.revision();
        if (revision.empty()) revision = has;
        mixed = mixed || revision != has;
        if (!found.ready() && !is_stopped && reason.empty()) {
            reason = found.reason().empty() ? (found.phase().empty() ? "Waiting" : found.phase()) : found.reason();
            message = instance->metadata().name() + ": " +
                      (!found.message().empty() ? found.message()
                       : found.phase().empty()  ? "its node has not answered yet"
                                                : found.phase());
        }
    }
    if (settled) status.set_observed_generation(allocation.metadata().generation());
    status.set_revision(mixed ? std::string() : revision);
    status.set_replicas(there);
    status.set_ready_replicas(ready);
    status.set_updated_replicas(updated);
    status.set_restarts(restarts);
    status.set_running_since(since);

    auto& conditions = *status.mutable_conditions();
    bool placed = shortage.reason.empty();
    model::set_condition(conditions, "Placed", placed ? "True" : "False", placed ? "Placed" : shortage.reason, shortage.message,
                         now);
    if (stopped > 0 && stopped == there) {
        model::set_condition(conditions, "Available", "False", "Stopped", "the app's state is stopped", now);
    } else if (ready >= spec.replicas()) {
        model::set_condition(conditions, "Available", "True", "Available", "", now);
    } else {
        if (!placed) reason = shortage.reason, message = shortage.message;
        if (reason.empty()) reason = "Starting";
        model::set_condition(conditions, "Available", "False", reason, message, now);
    }
}

namespace {

template<class Unit, class Parse>
std::int64_t told(const std::string& text, Parse parse) {
    auto parsed = parse(text);
    return parsed ? parsed->count : -1;
}

bool grew_much(std::int64_t before, std::int64_t now, std::int64_t capacity) {
    return (now - before) * 20 >= capacity && now > before;
}

} // namespace

void summarise_site(const SiteTotals& totals, model::SiteStatus& status) {
    auto ports = totals.used_ports, told_ports = model::used_ports(status);
    std::sort(ports.begin(), ports.end());
    std::sort(told_ports.begin(), told_ports.end());
    std::int64_t cpu_told = told<MilliCpu>(status.free().cpu(), parse_cpu);
    std::int64_t memory_told = told<Bytes>(status.free().memory(), parse_bytes);
    bool tell = status.nodes() != totals.nodes || status.ready_nodes() != totals.ready_nodes || ports != told_ports ||
                status.capacity().cpu() != text(totals.cpu) || status.capacity().memory() != text(totals.memory) ||
                cpu_told < 0 || memory_told < 0;
    std::int64_t cpu = std::max<std::int64_t>(totals.cpu_free.count, 0);
    std::int64_t memory = std::max<std::int64_t>(totals.memory_free.count, 0);
    tell = tell || cpu < cpu_told || memory < memory_told || grew_much(cpu_told, cpu, totals.cpu.count) ||
           grew_much(memory_told, memory, totals.memory.count);
    if (!tell) return;
    status.set_nodes(totals.nodes);
    status.set_ready_nodes(totals.ready_nodes);
    status.mutable_capacity()->set_cpu(text(totals.cpu));
    status.mutable_capacity()->set_memory(text(totals.memory));
    status.mutable_free()->set_cpu(text(MilliCpu{cpu}));
    status.mutable_free()->set_memory(text(Bytes{memory}));
    status.clear_used_ports();
    status.clear_used_udp_ports();
    for (auto port : ports)
        port.transport == model::Transport::udp ? status.add_used_udp_ports(port.number) : status.add_used_ports(port.number);
}

} // namespace skerry::plan
