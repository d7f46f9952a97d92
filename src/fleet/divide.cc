#include "cell/names_taken.h"
#include "cell/wall_clock.h"
#include "fleet/rollouts_loop.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/epoch.h"
#include "model/revision.pb.h"
#include "model/site.pb.h"
#include "plan/summary.h"

#include <algorithm>
#include <utility>

/// A region: what its parent gave it goes on to its own sites, and what these answer goes up as a sum (rule A3).
namespace skerry::fleet {

using model::Kind;
using store::Key;
using store::Part;

Answered answered(const store::Object& object, bool by_region) {
    const auto& allocation = store::as<model::Allocation>(object);
    const auto& status = allocation.status();
    Answered answer{.observed = status.observed_generation() >= object.generation,
                    .ready = status.ready_replicas(),
                    .updated = status.updated_replicas()};
    if (!by_region) return answer;
    std::uint32_t wanted = allocation.spec().replicas();
    bool whole = model::holds(status.conditions(), "Available");
    answer.ready = whole ? wanted : std::min(answer.ready, wanted - std::min(wanted, 1u));
    answer.updated = answer.observed ? wanted : 0;
    return answer;
}

namespace {

bool is_of(const store::Object& allocation, const std::string& component) {
    return store::as<model::Allocation>(allocation).spec().component() == component;
}

const model::ClosedComponent* component_of(const model::Revision& revision, const std::string& name) {
    for (const auto& closed : revision.spec().components())
        if (closed.component().name() == name) return &closed;
    return nullptr;
}

/// What a region's sites say of one component.
struct Sums {
    std::uint32_t replicas = 0, ready = 0, updated = 0, restarts = 0;
    std::uint32_t away = 0;      ///< sites out of touch
    bool settled = true;         ///< all that are in touch have answered to what is wanted now
    std::string revision;        ///< of all of them; empty: they differ, or there are none
    std::string since;           ///< the longest-running
    std::string reason, message; ///< why not all in touch are ready; empty: they are
};

Sums sum_up(const GivenPart& part, const std::string& component, const std::vector<store::ObjectPtr>& own,
            const std::map<std::string, SiteRoom>& rooms) {
    Sums sums;
    bool first = true, running = part.revision.spec().state() == "running";
    const model::Epoch& above = part.above.at(component);
    const auto* closed = component_of(part.revision, component);
    bool goes = !closed || closed->component().placement().replicas() == 0;
    for (const auto& object : own) {
        if (!is_of(*object, component)) continue;
        const auto& allocation = store::as<model::Allocation>(*object);
        const auto& spec = allocation.spec();
        const auto& status = allocation.status();
        auto room = rooms.find(spec.site());
        bool in_touch = room != rooms.end() && room->second.in_touch;
        auto answer = answered(*object, in_touch && room->second.divides);
        sums.replicas += status.replicas();
        sums.ready += status.ready_replicas();
        sums.updated += spec.revision() == part.revision.metadata().name() ? status.updated_replicas() : 0;
        sums.restarts += status.restarts();
        if (sums.since.empty() || (!status.running_since().empty() && status.running_since() < sums.since))
            sums.since = status.running_since();
        if (std::exchange(first, false)) sums.revision = status.revision();
        if (sums.revision != status.revision()) sums.revision.clear();
        // What goes is not over before it is known not to run, wherever it is.
        if (spec.replicas() == 0 || goes) {
            sums.settled = false;
            continue;
        }
        if (!in_touch) {
            ++sums.away;
            continue;
        }
        bool current = spec.revision() == part.revision.metadata().name() && answer.observed &&
                       model::compare(spec.epoch().above(), above) == 0;
        sums.settled = sums.settled && current;
        if (!running || answer.ready >= spec.replicas() || !sums.reason.empty()) continue;
        sums.reason = "Starting", sums.message = spec.site() + ": not all instances are ready";
        for (auto type : {"Placed", "Available"})
            if (const auto* condition = model::find_condition(status.conditions(), type);
                condition && condition->status() == "False" && sums.reason == "Starting")
                sums.reason = condition->reason(), sums.message = spec.site() + ": " + condition->message();
    }
    return sums;
}

} // namespace

/// A lease granted below would let start there again what the parent has taken away meanwhile, until that has been passed on. What
/// came while no process ran has not been either.
void RolloutsLoop::hold_leases() {
    cell_.leases().hold(true);
    given_watch_ = cell_.store().watch([this](const store::Change& change) {
        if (change.key.kind != Kind::allocation || !change.changed(Part::wish)) return;
        const auto& object = change.after ? change.after : change.before;
        if (object->home == cell_.store().cell()) return;
        ++given_changes_;
        cell_.leases().hold(true);
    });
}

void RolloutsLoop::divide(const Key& key, const std::vector<store::ObjectPtr>& given, const std::vector<store::ObjectPtr>& own,
                          std::map<std::string, SiteRoom>& rooms) {
    auto app = cell_.store().get(key);
    auto parts = parts_of(cell_.store(), given, own);
    auto mine_of = [&](const GivenPart& part) {
        std::vector<store::ObjectPtr> mine;
        for (const auto& each : own)
            if (part.above.contains(store::as<model::Allocation>(*each).spec().component())) mine.push_back(each);
        return mine;
    };
    if (!app) {
        // It was deleted, and what the parent still shows goes (rule H7). Of one whose row is damaged nothing follows (rule S5).
        bool goes = std::ranges::all_of(
            given, [](const auto& each) { return store::as<model::Allocation>(*each).spec().replicas() == 0; });
        if (!goes || cell_.store().missing().contains(key)) return;
        for (const auto& each : own) remove(*each, rooms);
        for (const auto& part : parts) answer(part, {}, mine_of(part), rooms);
        return;
    }
    if (app->home == cell_.store().cell()) {
        for (const auto& each : given)
            refuse(*each, "NameTaken",
                   "App " + key.project + "/" + key.name + " is one of region " + options_.region +
                       " itself there; this one waits: delete or "
                       "rename one of the two (rule H5)");
        return;
    }
    std::set<std::string> components;
    for (const auto& each : given) components.insert(store::as<model::Allocation>(*each).spec().component());
    const std::vector<plan::Obstacle> obstacles;
    for (const auto& each : given) {
        const auto& spec = store::as<model::Allocation>(*each).spec();
        bool taken_up = std::ranges::any_of(parts, [&](const auto& part) { return part.above.contains(spec.component()); });
        bool arrived = cell_.store().get(Key{Kind::revision, key.project, spec.revision()}) != nullptr;
        if (taken_up) continue;
        refuse(*each, arrived ? "EpochRefused" : "RevisionMissing",
               arrived ? "its epoch " + model::text(spec.epoch()) +
                             " is below one that this region has acted on; its home recovers, "
                             "and sends a higher one (rule H4)"
                       : "revision " + spec.revision() + " has not arrived; it comes with the next batch of the parent");
    }
    for (const auto& part : parts) {
        auto mine = mine_of(part);
        Rolled rolled = roll_out(*app, part.revision, mine, rooms, part.above);
        raise(part, rolled, key.name, mine);
        answer(part, rolled, mine, rooms);
        if (&part != &parts.back()) continue; // in the middle of a change: the next turn says how it is
        AppFacts facts{.app = &store::as<model::App>(*app),
                       .revision = &part.revision,
                       .obstacles = &obstacles,
                       .placement = &rolled.placement,
                       .rollout = &rolled.rollout,
                       .allocations = &mine,
                       .rooms = &rooms,
                       .frozen = rolled.frozen};
        report(*app, facts);
        report_rulings(*app, facts);
    }
    for (const auto& each : own)
        if (!components.contains(store::as<model::Allocation>(*each).spec().component())) remove(*each, rooms);
}

/// What was given stays without effect, and what is there stays as it is.
void RolloutsLoop::refuse(const store::Object& given, const std::string& reason, const std::string& message) {
    std::string now = rfc3339(cell_.env().clock.wall());
    auto report = cell::part_of<model::Allocation>(given, Part::found);
    auto& status = *report.mutable_status();
    for (const char* type : {"Placed", "Available"})
        model::set_condition(*status.mutable_conditions(), type, "False", reason, message, now);
    // So that its home can go above it.
    for (const auto& object : cell_.store().list(Kind::allocation)) {
        const auto& own = store::as<model::Allocation>(*object).spec();
        const auto& spec = store::as<model::Allocation>(given).spec();
        bool of_it = object->home == cell_.store().cell() && object->key.project == given.key.project &&
                     own.app() == spec.app() && own.component() == spec.component();
        if (of_it && model::compare(own.epoch().above(), status.epoch()) > 0) *status.mutable_epoch() = own.epoch().above();
    }
    cell::report_part(cell_.store(), given, Part::found, report);
}

/// What stays as it is gets the epoch of what was given now.
void RolloutsLoop::raise(const GivenPart& part, const Rolled& rolled, const std::string& app,
                         const std::vector<store::ObjectPtr>& own) {
    std::set<std::string> stepping;
    for (const auto& step : rolled.rollout.steps) stepping.insert(allocation_name(app, step.component, step.site, step.suffix));
    for (const auto& object : own) {
        const auto& spec = store::as<model::Allocation>(*object).spec();
        const model::Epoch& above = part.above.at(spec.component());
        bool goes = spec.replicas() == 0 || stepping.contains(object->key.name);
        if (goes || model::compare(spec.epoch().above(), above) == 0) continue;
        auto wish = cell::wish_of<model::Allocation>(*object);
        *wish.mutable_spec()->mutable_epoch()->mutable_above() = above;
        writing_.update(*object, wish);
    }
}

void RolloutsLoop::answer(const GivenPart& part, const Rolled& rolled, const std::vector<store::ObjectPtr>& own,
                          const std::map<std::string, SiteRoom>& rooms) {
    std::string now = rfc3339(cell_.env().clock.wall());
    std::map<std::string, Sums> left;
    for (const auto& [component, above] : part.above) left[component] = sum_up(part, component, own, rooms);
    for (const auto& object : part.allocations) {
        const auto& spec = store::as<model::Allocation>(*object).spec();
        const auto* closed = component_of(part.revision, spec.component());
        if (!closed) continue;
        Sums& sums = left.at(spec.component());
        bool last = std::ranges::none_of(part.allocations, [&](const auto& other) {
            return is_of(*other, spec.component()) && other->key.name > object->key.name;
        });
        auto take = [&](std::uint32_t& count) {
            std::uint32_t mine = last ? count : std::min(count, spec.replicas());
            count -= mine;
            return mine;
        };
        auto report = cell::part_of<model::Allocation>(*object, Part::found);
        auto& status = *report.mutable_status();
        auto& conditions = *status.mutable_conditions();
        bool settled = rolled.rollout.steps.empty() && rolled.rollout.waiting == 0 && rolled.rollout.held == 0 && sums.settled &&
                       spec.revision() == part.revision.metadata().name();
        if (settled) status.set_observed_generation(object->generation);
        status.set_revision(sums.revision);
        status.set_replicas(take(sums.replicas));
        status.set_ready_replicas(take(sums.ready));
        status.set_updated_replicas(take(sums.updated));
        status.set_restarts(take(sums.restarts));
        status.set_running_since(sums.since);
        *status.mutable_epoch() = spec.epoch();
        if (closed->component().partition().policy() == "atMostOnce")
            model::set_condition(conditions, "FencedByLeaseOnly", "True", "NothingChecksEpochs",
                                 "that it runs once rests on leases alone (rule F6)", now);
        else
            model::remove_condition(conditions, "FencedByLeaseOnly");
        // That no site of this region matches is nobody's trouble: each is asked of all regions.
        bool each = closed->component().placement().mode() == "each";
        auto shortage = std::ranges::find_if(rolled.placement.shortages, [&](const auto& one) {
            bool matches_none = one.reason == "NoMatchingSite" || one.reason == "NoSite";
            return one.component == spec.component() && !(each && matches_none);
        });
        bool placed = shortage == rolled.placement.shortages.end();
        model::set_condition(conditions, "Placed", placed ? "True" : "False", placed ? "Placed" : shortage->reason,
                             placed ? "" : shortage->message, now);
        std::string away = sums.away == 0 ? ""
                                          : std::to_string(sums.away) + (sums.away == 1 ? " site" : " sites") +
                                                " out of touch, where it runs on as far as is known";
        if (part.revision.spec().state() != "running")
            model::set_condition(conditions, "Available", "False", "Stopped", "the app's state is stopped", now);
        else if (!sums.reason.empty())
            model::set_condition(conditions, "Available", "False", sums.reason, sums.message, now);
        else if (!placed)
            model::set_condition(conditions, "Available", "False", shortage->reason, shortage->message, now);
        else
            model::set_condition(conditions, "Available", settled ? "True" : "False", settled ? "Available" : "Starting", away,
                                 now);
        cell::report_part(cell_.store(), *object, Part::found, report);
    }
}

void RolloutsLoop::report_region(const std::map<std::string, SiteRoom>& rooms) {
    auto object = cell_.store().get({Kind::site, "", options_.region});
    if (!object) return;
    plan::SiteTotals totals;
    std::size_t in_touch = 0;
    for (const auto& [name, room] : rooms) {
        const auto& below = store::as<model::Site>(*room.object).status();
        totals.nodes += below.nodes();
        if (!room.in_touch) continue;
        ++in_touch;
        totals.ready_nodes += below.ready_nodes();
        if (auto cpu = parse_cpu(below.capacity().cpu())) totals.cpu.count += cpu->count;
        if (auto memory = parse_bytes(below.capacity().memory())) totals.memory.count += memory->count;
        totals.cpu_free.count += room.cpu ? std::max<std::int64_t>(room.cpu->count, 0) : 0;
        totals.memory_free.count += room.memory ? std::max<std::int64_t>(room.memory->count, 0) : 0;
        totals.used_ports.insert(totals.used_ports.end(), room.used_ports.begin(), room.used_ports.end());
    }
    std::string now = rfc3339(cell_.env().clock.wall());
    auto report = cell::part_of<model::Site>(*object, Part::found);
    auto& status = *report.mutable_status();
    status.set_cell(cell_.store().cell().text());
    status.set_version(options_.version);
    status.set_api(options_.api);
    plan::summarise_site(totals, status);
    bool ready = totals.ready_nodes > 0;
    model::set_condition(*status.mutable_conditions(), "Ready", ready ? "True" : "False", ready ? "Ready" : "NoSite",
                         std::to_string(in_touch) + " of " + std::to_string(rooms.size()) +
                             (rooms.size() == 1 ? " site" : " sites") + " in touch" +
                             (rooms.empty() ? "; give one in at the region's API: skerry token create --site NAME" : ""),
                         now);
    cell::report_clock(cell_.env().clock, *status.mutable_conditions());
    cell::report_names_taken(cell_.peers(), "region", now, *status.mutable_conditions());
    cell::report_part(cell_.store(), *object, Part::found, report);
}

} // namespace skerry::fleet
