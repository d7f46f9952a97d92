#include "sim/checks/convergence.h"

#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/instance.pb.h"
#include "model/site.pb.h"
#include "sim/fleet.h"

#include <algorithm>
#include <map>
#include <set>

namespace skerry::sim {

using model::Kind;
using store::Key;

namespace {

/// The bytes that a parent gave and a child holds are the same bytes, and neither has more of them (rule L1).
std::string wishes_differ(Fleet& fleet, const Computer& child) {
    const auto& above = fleet.computer(child.parent).process->store();
    const auto& below = child.process->store();
    bool is_site = child.role == env::Peer::Role::site;
    // Desired: allocations of a site, instances of a node.
    Kind kind = is_site ? Kind::allocation : Kind::instance;
    auto is_for = [&](const store::Object& object) {
        return is_site ? store::as<model::Allocation>(object).spec().site() == child.name
                       : store::as<model::Instance>(object).spec().node() == child.name;
    };
    std::size_t given = 0;
    for (const auto& object : above.list(kind)) {
        if (!is_for(*object)) continue;
        ++given;
        auto held = below.get(object->key);
        if (!held || held->uid != object->uid || !held->wish.bytes || *held->wish.bytes != *object->wish.bytes)
            return child.name + " does not hold " + object->key.text() + " as its parent has it";
    }
    std::size_t held = 0;
    for (const auto& object : below.list(kind)) held += is_for(*object);
    if (held != given)
        return child.name + " holds " + std::to_string(held) + " objects of kind " + std::string(model::name(kind)) +
               ", its parent gave " + std::to_string(given);
    if (!is_site || child.divides) return {};
    std::size_t own = 0;
    for (const auto& object : above.list(Kind::instance)) own += store::as<model::Instance>(*object).spec().site() == child.name;
    if (own != below.count(Kind::instance))
        return "the core knows of " + std::to_string(own) + " instances at " + child.name + ", which has " +
               std::to_string(below.count(Kind::instance));
    for (const auto& object : below.list(Kind::instance)) {
        auto known = above.get(object->key);
        if (!known || !known->wish.bytes || *known->wish.bytes != *object->wish.bytes)
            return "the core does not hold " + object->key.text() + " as " + child.name + " has it";
        if (!known->found.bytes || !object->found.bytes || *known->found.bytes != *object->found.bytes)
            return "the core does not know the newest status of " + object->key.text();
    }
    return {};
}

std::string in_touch(Fleet& fleet, const Computer& child) {
    auto up = child.process->cell().peers().parent();
    if (!up || !up->in_touch) return child.name + " is out of touch with its parent: " + (up ? up->trouble : "");
    if (!up->in_agreement) return child.name + " does not hold its slice: " + up->trouble;
    auto down = fleet.computer(child.parent).process->cell().peers().child(child.name, child.role);
    if (!down || !down->in_touch) return "its parent is out of touch with " + child.name;
    if (!down->in_agreement) return "the parent of " + child.name + " does not hold what it reports: " + down->trouble;
    return {};
}

std::string app_differs(Fleet& fleet, const AppWish& wish, std::map<std::string, std::vector<store::ObjectPtr>>& instances) {
    const auto& store = fleet.core().process->store();
    auto object = store.get(Key{Kind::app, Operators::project, wish.name});
    if (!object) return "app " + wish.name + " is not there";
    const auto& app = store::as<model::App>(*object);
    std::size_t matching = 0;
    for (Cell site : fleet.sites()) {
        const auto labels = fleet.labels_of(site);
        auto tier = labels.find("tier");
        matching += wish.tier.empty() || (tier != labels.end() && tier->second == wish.tier);
    }
    std::size_t wanted = wish.each ? matching * wish.replicas : matching == 0 ? 0 : wish.replicas;
    auto& found = instances[wish.name];
    std::string of = " of " + wish.name;
    if (found.size() != wanted) {
        std::string said;
        for (const auto& condition : app.status().conditions())
            if (condition.status() != "True") said += "; " + condition.reason() + ": " + condition.message();
        return std::to_string(found.size()) + " instances" + of + ", " + std::to_string(wanted) + " wanted" + said;
    }
    std::size_t running = 0;
    for (const auto& one : found) {
        const auto& instance = store::as<model::Instance>(*one);
        Computer* node = fleet.find(instance.spec().node());
        if (!node) return "instance " + one->key.name + " has no node";
        auto processes = node->machine.processes();
        auto process = processes.find(node::instance_name(one->uid));
        bool runs = process != processes.end() && process->second.phase == drivers::Phase::running;
        if (!wish.running) {
            if (process != processes.end()) return "instance " + one->key.name + " is to be stopped and is on its node";
            if (instance.status().phase() != "Stopped")
                return "instance " + one->key.name + " is stopped, and the core has it as " + instance.status().phase();
            continue;
        }
        if (!runs)
            return "instance " + one->key.name + " does not run on " + node->name + ": " + instance.status().phase() + " " +
                   instance.status().message();
        ++running;
        const auto& spec = process->second.spec;
        auto decided = fleet.site_people().marker_at(fleet.find(instance.spec().site())->cell, wish.name);
        std::uint32_t marker = decided.value_or(wish.marker);
        if (spec.args != std::vector<std::string>{"--marker=" + std::to_string(marker)})
            return "instance " + one->key.name + " runs with " + (spec.args.empty() ? "no arguments" : spec.args[0]) +
                   ", wanted is " + std::to_string(marker);
        if (!instance.status().ready() || instance.status().phase() != "Running")
            return "instance " + one->key.name + " runs, and the core has it as " + instance.status().phase();
        const std::string& runs_as = instance.status().revision();
        bool overridden = decided && runs_as.starts_with(app.status().revision() + ".at.");
        if (runs_as != app.status().revision() && !overridden)
            return "instance " + one->key.name + " runs revision " + runs_as + ", not " + app.status().revision();
        if (wish.each && instance.spec().site() != node->site)
            return "instance " + one->key.name + " is on a node of another site";
    }
    if (app.status().observed_generation() != object->generation) return "the status" + of + " is of an older generation";
    if (wish.running && app.status().ready_replicas() != running)
        return "the status" + of + " has " + std::to_string(app.status().ready_replicas()) + " ready, " +
               std::to_string(running) + " run";
    if (wish.running && running > 0 && !model::holds(app.status().conditions(), "Available"))
        return "app " + wish.name + " runs and is not Available";
    return {};
}

/// What sites decided themselves is known at the core, and what is not theirs any more is not.
std::string sites_writes_differ(Fleet& fleet) {
    const auto& store = fleet.core().process->store();
    std::map<Kind, std::size_t> known;
    for (Cell site : fleet.sites()) {
        const auto& below = fleet.computer(site).process->store();
        for (Kind kind : {Kind::app, Kind::override_, Kind::allocation})
            for (const auto& object : below.list(kind)) {
                if (object->home != below.cell()) continue;
                ++known[kind];
                auto copy = store.get(object->key);
                if (!copy || !copy->wish.bytes || *copy->wish.bytes != *object->wish.bytes)
                    return "the core does not hold " + object->key.text() + " as " + fleet.computer(site).name + " has it";
                if (object->found.bytes && (!copy->found.bytes || *copy->found.bytes != *object->found.bytes))
                    return "the core does not know the newest status of " + object->key.text();
            }
    }
    for (Kind kind : {Kind::app, Kind::override_, Kind::allocation}) {
        std::size_t copies = 0;
        for (const auto& object : store.list(kind)) copies += object->home != store.cell();
        if (copies != known[kind])
            return "the core holds " + std::to_string(copies) + " objects of sites of kind " + std::string(model::name(kind)) +
                   ", they have " + std::to_string(known[kind]);
    }
    for (const auto& [subject, own] : fleet.site_people().apps()) {
        auto copy = store.get(Key{Kind::app, Operators::project, subject.second});
        if (!copy) return "the core does not show app " + subject.second;
        const auto& status = store::as<model::App>(*copy).status();
        if (status.ready_replicas() != 1)
            return "app " + subject.second + " of " + fleet.computer(subject.first).name + " has " +
                   std::to_string(status.ready_replicas()) + " ready" +
                   (status.conditions().empty() ? "" : ": " + status.conditions(0).message());
        std::size_t running = 0;
        for (const auto& object : store.list(Kind::instance)) {
            const auto& instance = store::as<model::Instance>(*object);
            if (instance.spec().app() != subject.second) continue;
            if (instance.spec().site() != fleet.computer(subject.first).name)
                return "an instance of " + subject.second + " is at " + instance.spec().site();
            auto processes = fleet.find(instance.spec().node())->machine.processes();
            auto process = processes.find(node::instance_name(object->uid));
            running += process != processes.end() && process->second.phase == drivers::Phase::running &&
                       process->second.spec.args == std::vector<std::string>{"--marker=" + std::to_string(own.wish.marker)};
        }
        if (running != 1) return std::to_string(running) + " instances of " + subject.second + " run as its site wants it";
    }
    return {};
}

} // namespace

std::string why_not_converged(Fleet& fleet) {
    if (fleet.operators().busy() || fleet.site_people().busy()) return "operators wait for answers";
    for (const auto& computer : fleet.computers())
        if (computer && !computer->process) return computer->name + (computer->joined ? " does not run" : " has not joined");
    for (const auto& computer : fleet.computers()) {
        if (!computer || computer->parent == 0) continue;
        if (auto why = in_touch(fleet, *computer); !why.empty()) return why;
        if (auto why = wishes_differ(fleet, *computer); !why.empty()) return why;
    }
    const auto& store = fleet.core().process->store();
    std::map<std::string, std::vector<store::ObjectPtr>> instances;
    std::map<std::string, std::set<drivers::InstanceName>> on_node;
    // What runs is known to the cell above its site; of a region's sites the core knows sums.
    std::vector<const store::Store*> parents{&store};
    for (const auto& computer : fleet.computers())
        if (computer && computer->divides) parents.push_back(&computer->process->store());
    for (const auto* parent : parents)
        for (const auto& object : parent->list(Kind::instance)) {
            const auto& spec = store::as<model::Instance>(*object).spec();
            instances[spec.app()].push_back(object);
            on_node[spec.node()].insert(node::instance_name(object->uid));
        }
    for (const auto& [name, wish] : fleet.operators().wishes())
        if (auto why = app_differs(fleet, wish, instances); !why.empty()) return why;
    if (auto why = sites_writes_differ(fleet); !why.empty()) return why;
    for (const auto& [name, list] : instances)
        if (!list.empty() && !fleet.operators().wishes().contains(name) && !fleet.site_people().find(name))
            return "an instance of " + name + " is left, which is deleted";
    for (const auto* parent : parents)
        for (const auto& facts : {Kind::allocation, Kind::revision})
            for (const auto& object : parent->list(facts)) {
                std::string app = object->key.name.substr(0, object->key.name.find('.'));
                if (!fleet.operators().wishes().contains(app) && !fleet.site_people().find(app))
                    return object->key.text() + " is left of an app that is deleted";
            }
    for (const auto& computer : fleet.computers()) {
        if (!computer || !computer->has_node) continue;
        for (const auto& [name, process] : computer->machine.processes())
            if (!on_node[computer->name].contains(name))
                return "a process is left on " + computer->name + ": " + process.spec.title;
        for (const auto& [name, connection] : computer->machine.connections())
            if (!on_node[computer->name].contains(name)) return "a connection is left on " + computer->name;
        for (const auto& [name, bytes] : computer->process->store().notes("handle"))
            if (!on_node[computer->name].contains(name)) return "a note is left on " + computer->name;
    }
    return {};
}

} // namespace skerry::sim
