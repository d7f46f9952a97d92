#include "site/site_loop.h"

#include "base/log.h"
#include "cell/missing.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/epoch.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/revision.pb.h"

#include <algorithm>
#include <set>
#include <utility>

namespace skerry::site {

using model::Kind;
using store::Key;
using store::Part;

namespace {

/// How often the loop asks who is back, while somebody is away.
constexpr Duration ask_again = 2s;

constexpr std::string_view epoch_space = "epoch.site";
/// On instances whose node knows from the start that they need a lease.
constexpr std::string_view policy_label = "skerry/partition";

/// Five of RFC 4648's base32 alphabet in lower case.
std::string random_label(env::Chance& chance) {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz234567";
    std::uint64_t bits = chance.bits();
    std::string label;
    for (int i = 0; i < 5; ++i, bits >>= 5) label += letters[bits & 31];
    return label;
}

const model::ClosedComponent* component_of(const Effective& effective, const std::string& name) {
    if (!effective.object && !effective.to_make) return nullptr;
    const auto& revision = effective.object ? store::as<model::Revision>(*effective.object) : *effective.to_make;
    for (const auto& closed : revision.spec().components())
        if (closed.component().name() == name) return &closed;
    return nullptr;
}

} // namespace

SiteLoop::SiteLoop(cell::Cell& cell, Options options) : cell_(cell), options_(std::move(options)), writing_(cell, "site") {
    cell_.recovery().add_planner(name());
}

bool SiteLoop::wakes(const store::Change& change) const {
    switch (change.key.kind) {
    case Kind::allocation:
    case Kind::app:
    case Kind::override_:
    case Kind::revision:
        return change.changed(Part::wish);
    case Kind::site:
        return change.key.name == options_.name && change.changed(Part::wish);
    case Kind::node:
    case Kind::instance:
        return change.changed(Part::wish) || change.changed(Part::found);
    default:
        return false;
    }
}

SiteLoop::Touch SiteLoop::touch_of(const std::string& node) {
    if (node == options_.own_node) return {.in_touch = true, .silent = false, .ever = true};
    auto view = cell_.peers().child(node, env::Peer::Role::node);
    Instant since = cell_.peers().listening_since();
    if (view && view->heard) since = std::max(since, *view->heard);
    bool ever = view && view->heard;
    bool silent = now() - since >= options_.silence;
    wake_at(silent ? now() + ask_again : !ever ? now() + std::min(ask_again, options_.silence) : since + options_.silence);
    return {.in_touch = ever && !silent, .silent = silent, .ever = ever};
}

SiteLoop::World SiteLoop::read() {
    World world;
    auto& store = cell_.store();
    for (auto& object : store.list(Kind::node)) {
        const auto& node = store::as<model::Node>(*object);
        if (node.spec().site() != options_.name) continue;
        Touch touch = touch_of(object->key.name);
        plan::SiteNode seat;
        seat.name = object->key.name;
        auto cpu = parse_cpu(node.status().capacity().cpu());
        auto memory = parse_bytes(node.status().capacity().memory());
        bool reported = cpu && memory;
        if (reported) seat.cpu = *cpu, seat.memory = *memory;
        seat.in_touch =
            touch.in_touch && reported && !node.spec().unschedulable() && model::holds(node.status().conditions(), "Ready");
        seat.silent = touch.silent;
        seat.leased = is_leased(object->key.name);
        seat.images.assign(node.status().images().begin(), node.status().images().end());
        world.seats.push_back(std::move(seat));
        world.nodes.push_back(std::move(object));
    }
    // Of a node whose row is damaged nobody says that it is silent: what it holds is left to it (rule S5).
    for (const Key& key : store.missing())
        if (key.kind == Kind::node) world.seats.push_back({.name = key.name, .cpu = {}, .memory = {}, .images = {}});
    for (auto& object : store.list(Kind::allocation))
        if (store::as<model::Allocation>(*object).spec().site() == options_.name) world.allocations.push_back(std::move(object));
    for (const auto& allocation : world.allocations) world.effective.push_back(effective_of(store, options_.name, *allocation));
    for (auto& object : store.list(Kind::instance)) {
        const auto& spec = store::as<model::Instance>(*object).spec();
        if (spec.site() != options_.name) continue;
        world.instances[{object->key.project, spec.allocation()}].emplace(object->key.name, object);
        if (!world.leased.contains(spec.node())) world.leased[spec.node()] = is_leased(spec.node());
    }
    return world;
}

bool SiteLoop::is_leased(const std::string& node) {
    if (node == options_.own_node) return true; // it answers for itself, always
    auto view = cell_.peers().child(node, env::Peer::Role::node);
    if (!view || !view->lease_over) return false;
    wake_at(*view->lease_over);
    return now() < *view->lease_over;
}

bool SiteLoop::is_once(const store::Object& object) {
    const auto& instance = store::as<model::Instance>(object);
    auto label = instance.metadata().labels().find(std::string(policy_label));
    return (label != instance.metadata().labels().end() && label->second == "atMostOnce") ||
           model::holds(instance.status().conditions(), "FencedByLeaseOnly");
}

bool SiteLoop::is_hearsay(const store::Object& object, const World& world) const {
    const std::string& node = store::as<model::Instance>(object).spec().node();
    auto leased = world.leased.find(node);
    if (node == options_.own_node || !is_once(object) || leased == world.leased.end() || !leased->second) return false;
    auto view = cell_.peers().child(node, env::Peer::Role::node);
    return !view || !view->holds_lease;
}

bool SiteLoop::is_gone(const store::Object& object, const World& world) const {
    const auto& instance = store::as<model::Instance>(object);
    if (instance.spec().state() != "stopped") return false;
    const auto& status = instance.status();
    if (status.phase() == "Stopped" && status.observed_generation() == object.generation && !is_hearsay(object, world))
        return true;
    auto leased = world.leased.find(instance.spec().node());
    return is_once(object) && leased != world.leased.end() && !leased->second;
}

/// Of one whose allocation is no more. What a silent node holds counts as replaced already, but for atMostOnce (rule F7).
bool SiteLoop::may_still_run(const store::Object& object, const World& world) const {
    if (is_gone(object, world)) return false;
    return is_once(object) || !is_silent(world, store::as<model::Instance>(object).spec().node());
}

bool SiteLoop::is_silent(const World& world, const std::string& node) const {
    auto seat = std::find_if(world.seats.begin(), world.seats.end(), [&](const auto& one) { return one.name == node; });
    return seat == world.seats.end() || seat->silent;
}

bool SiteLoop::is_name_taken(const store::Object& allocation) const {
    auto& store = cell_.store();
    if (allocation.home == store.cell()) return false;
    auto app = store.get({Kind::app, allocation.key.project, store::as<model::Allocation>(allocation).spec().app()});
    return app && app->home == store.cell();
}

plan::SiteAllocation SiteLoop::planned(std::size_t index, const World& world) const {
    const auto& object = *world.allocations[index];
    const auto& effective = world.effective[index];
    const auto& spec = store::as<model::Allocation>(object).spec();
    plan::SiteAllocation planned;
    planned.name = object.key.project + "/" + object.key.name;
    planned.replicas = spec.replicas();
    planned.revision = effective.revision;
    auto epoch = accepted(object);
    if (const auto* closed = component_of(effective, spec.component())) {
        const auto& component = closed->component();
        planned.resolved = effective.object && effective.obstacle.empty() && !effective.revoked && !is_name_taken(object);
        planned.hash = closed->hash();
        planned.image = closed->image_digest();
        planned.state = (effective.object ? store::as<model::Revision>(*effective.object) : *effective.to_make).spec().state();
        planned.once = component.partition().policy() == "atMostOnce";
        // Another node's lease ends with the one that this cell has from its parent (rule F5), whose matter this is not (W1).
        if (planned.once && object.home == cell_.store().cell() && cell_.leases().own().until != Instant::never())
            planned.only = options_.own_node;
        if (auto cpu = parse_cpu(component.resources().cpu())) planned.cpu = *cpu;
        if (auto memory = parse_bytes(component.resources().memory())) planned.memory = *memory;
        for (const auto& port : component.ports())
            if (port.has_publish()) planned.ports.push_back(model::NodePort::of(port));
    }
    auto instances = world.instances.find({object.key.project, object.key.name});
    if (instances == world.instances.end()) return planned;
    for (const auto& [name, instance] : instances->second) {
        const auto& message = store::as<model::Instance>(*instance);
        // Those of an earlier allocation of the same name are orphans, not replicas.
        if (message.spec().allocation_uid() != object.uid.text()) {
            planned.others += may_still_run(*instance, world);
            continue;
        }
        planned.instances.push_back({.name = name,
                                     .node = message.spec().node(),
                                     .revision = message.spec().revision(),
                                     .state = message.spec().state(),
                                     .made = message.metadata().creation_timestamp(),
                                     .ready = message.status().ready(),
                                     .hash = message.status().hash(),
                                     .current = model::compare(message.spec().epoch(), epoch) == 0,
                                     .fenced = is_once(*instance),
                                     .gone = is_gone(*instance, world)});
    }
    return planned;
}

void SiteLoop::turn() {
    timer_.reset();
    next_wake_ = Instant::never();
    if (!writing_.begin()) return;
    World world = read();
    auto refused = accept_epochs(world);
    std::vector<plan::SiteAllocation> allocations;
    for (std::size_t i = 0; i < world.allocations.size(); ++i) {
        allocations.push_back(planned(i, world));
        // All stays as it is.
        if (refused[i] || !missing_instance(*world.allocations[i]).empty()) allocations.back().resolved = false;
    }
    plan::SitePlan plan = plan::plan_site(allocations, world.seats);
    erase_orphans(world);
    apply(plan, world);
    writing_.end([this](const Result<void>& done) {
        bool full = !done && done.error().code == Code::exhausted;
        if (full && !std::exchange(disk_is_full_, full)) cell_.wake(name());
        disk_is_full_ = full;
        if (done) cell_.recovery().planned(name());
    });
    report_allocations(plan, world, allocations, refused);
    report_nodes(world);
    report_site(world, allocations);
}

/// The name of one of this allocation's instances whose row is damaged (rule S5): it may well run.
std::string SiteLoop::missing_instance(const store::Object& allocation) const {
    std::string stem = allocation.key.name + ".";
    for (const Key& key : cell_.store().missing())
        if (key.kind == Kind::instance && key.project == allocation.key.project && key.name.starts_with(stem) &&
            key.name.find('.', stem.size()) == std::string::npos)
            return key.name;
    return {};
}

void SiteLoop::erase_orphans(const World& world) {
    if (cell::lacks_wishes(cell_.store())) return; // they may hang on what is missing (rule H3)
    std::map<std::pair<std::string, std::string>, std::string> uids;
    for (const auto& allocation : world.allocations)
        uids[{allocation->key.project, allocation->key.name}] = allocation->uid.text();
    for (const auto& [key, instances] : world.instances) {
        auto owner = uids.find(key);
        for (const auto& [name, instance] : instances) {
            const auto& spec = store::as<model::Instance>(*instance).spec();
            if (owner != uids.end() && spec.allocation_uid() == owner->second) continue;
            // It stays as an object until it is known not to run: who takes its name next waits for that (rule H1). Where the disk
            // has no room even for that, deleting comes first.
            if (!may_still_run(*instance, world) || (disk_is_full_ && !is_once(*instance))) {
                writing_.erase(*instance);
            } else if (spec.state() != "stopped") {
                auto wish = cell::wish_of<model::Instance>(*instance);
                wish.mutable_spec()->set_state("stopped");
                writing_.update(*instance, wish);
            }
        }
    }
}

model::Epoch SiteLoop::accepted(const store::Object& allocation) const {
    model::Epoch epoch;
    if (auto bytes = cell_.store().note(epoch_space, allocation.key.project + "/" + allocation.key.name))
        epoch.ParseFromString(*bytes);
    const auto& wished = store::as<model::Allocation>(allocation).spec().epoch();
    return model::compare(wished, epoch) > 0 ? wished : epoch;
}

std::vector<bool> SiteLoop::accept_epochs(const World& world) {
    std::vector<bool> refused;
    std::set<std::string> here;
    for (const auto& allocation : world.allocations) {
        std::string key = allocation->key.project + "/" + allocation->key.name;
        here.insert(key);
        model::Epoch highest;
        if (auto bytes = cell_.store().note(epoch_space, key)) highest.ParseFromString(*bytes);
        const auto& wished = store::as<model::Allocation>(*allocation).spec().epoch();
        auto order = model::compare(wished, highest);
        if (order > 0) writing_.note(epoch_space, key, wished.SerializeAsString());
        refused.push_back(order < 0);
    }
    if (cell::lacks_wishes(cell_.store())) return refused;
    for (const auto& [key, bytes] : cell_.store().notes(epoch_space))
        if (!here.contains(key)) writing_.erase_note(epoch_space, key);
    return refused;
}

void SiteLoop::apply(const plan::SitePlan& plan, const World& world) {
    for (const auto& change : plan.changes) {
        const auto& allocation = *world.allocations[change.allocation];
        const auto& spec = store::as<model::Allocation>(allocation).spec();
        const auto& effective = world.effective[change.allocation];
        const std::string& name = effective.revision;
        const auto& revision = effective.object;
        std::string state = revision ? store::as<model::Revision>(*revision).spec().state() : "running";
        if (change.what == plan::InstanceChange::What::create) {
            model::Instance instance;
            auto& meta = *instance.mutable_metadata();
            meta.set_name(allocation.key.name + "." + random_label(cell_.env().chance));
            meta.set_namespace_(allocation.key.project);
            (*meta.mutable_labels())["skerry/app"] = spec.app();
            (*meta.mutable_labels())["skerry/component"] = spec.component();
            (*meta.mutable_labels())["skerry/site"] = options_.name;
            auto& wish = *instance.mutable_spec();
            wish.set_site(options_.name);
            wish.set_node(change.node);
            wish.set_allocation(allocation.key.name);
            wish.set_allocation_uid(allocation.uid.text());
            wish.set_app(spec.app());
            wish.set_component(spec.component());
            wish.set_revision(name);
            wish.set_state(state);
            *wish.mutable_epoch() = accepted(allocation);
            for (const auto& closed : revision ? store::as<model::Revision>(*revision).spec().components()
                                               : model::RevisionSpec::default_instance().components())
                if (closed.component().name() == spec.component() && closed.component().partition().policy() == "atMostOnce")
                    (*meta.mutable_labels())[std::string(policy_label)] = "atMostOnce";
            writing_.create(Kind::instance, instance);
            continue;
        }
        auto instance = cell_.store().get(Key{Kind::instance, allocation.key.project, change.instance});
        if (!instance) continue;
        if (change.what == plan::InstanceChange::What::erase) {
            writing_.erase(*instance);
        } else if (change.what == plan::InstanceChange::What::stop) {
            auto wish = cell::wish_of<model::Instance>(*instance);
            wish.mutable_spec()->set_state("stopped");
            writing_.update(*instance, wish);
            cell_.events().record(*instance, cell::Tone::normal, "Retiring",
                                  is_once(*instance) ? "told to stop; what stands in for it starts once it is known not to run "
                                                       "(policy atMostOnce, rule F7)"
                                                     : "told to stop; it is not wanted here any more");
        } else {
            auto wish = cell::wish_of<model::Instance>(*instance);
            wish.mutable_spec()->set_revision(name);
            wish.mutable_spec()->set_state(state);
            *wish.mutable_spec()->mutable_epoch() = accepted(allocation);
            writing_.update(*instance, wish);
        }
    }
}

void SiteLoop::wake_at(Instant when) {
    if (when >= next_wake_) return;
    next_wake_ = when;
    timer_ = cell_.env().timers.after(std::max(when - now(), Duration(0)), [this] { cell_.wake(name()); });
}

} // namespace skerry::site
