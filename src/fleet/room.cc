#include "fleet/room.h"

#include "base/units.h"
#include "cell/links/seats.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/node.pb.h"
#include "model/revision.pb.h"
#include "model/site.pb.h"
#include "model/tier.h"

#include <algorithm>
#include <set>
#include <utility>

namespace skerry::fleet {

using model::Kind;
using store::Key;

Demand demand_of(const model::ClosedComponent& closed) {
    Demand demand;
    const auto& component = closed.component();
    if (auto cpu = parse_cpu(component.resources().cpu())) demand.cpu = *cpu;
    if (auto memory = parse_bytes(component.resources().memory())) demand.memory = *memory;
    for (const auto& port : component.ports())
        if (port.has_publish()) demand.ports.push_back(model::NodePort::of(port));
    return demand;
}

void SiteRoom::take(const Demand& demand, std::int64_t replicas) {
    if (cpu) cpu->count -= demand.cpu.count * replicas;
    if (memory) memory->count -= demand.memory.count * replicas;
    for (model::NodePort port : demand.ports) {
        for (std::int64_t n = replicas; n > 0; --n) used_ports.push_back(port);
        for (std::int64_t n = replicas; n < 0; ++n) {
            auto held = std::find(used_ports.begin(), used_ports.end(), port);
            if (held != used_ports.end()) used_ports.erase(held);
        }
    }
}

const model::Labels& SiteRoom::labels() const {
    return inherited ? *inherited : store::as<model::Site>(*object).metadata().labels();
}

namespace {

/// Only those that the operator made neighbours speak for each other.
bool are_neighbours(const model::Site& one, const model::Site& other) {
    auto names = [](const model::Site& site, const std::string& name) {
        return std::any_of(site.spec().peers().begin(), site.spec().peers().end(),
                           [&](const auto& peer) { return peer.name() == name; });
    };
    return names(one, other.metadata().name()) || names(other, one.metadata().name());
}

} // namespace

std::map<std::string, std::string> testimony(const store::Store& store, const std::function<bool(const std::string&)>& in_touch) {
    std::map<std::string, std::string> heard;
    for (const auto& object : store.list(Kind::site)) {
        const auto& witness = store::as<model::Site>(*object);
        if (witness.status().hears().empty() || !in_touch(object->key.name)) continue;
        for (const auto& name : witness.status().hears()) {
            const auto* site = store.get<model::Site>(Key{Kind::site, "", name});
            if (site && !in_touch(name) && are_neighbours(witness, *site)) heard.try_emplace(name, object->key.name);
        }
    }
    return heard;
}

std::map<std::string, SiteRoom> read_rooms(cell::Cell& cell, const std::string& own_site, const std::string& region) {
    auto& store = cell.store();
    const auto* above = region.empty() ? nullptr : store.get<model::Site>(Key{Kind::site, "", region});
    Instant now = cell.env().clock.now();
    std::map<std::string, cell::PeerView> peers;
    for (auto& peer : cell.peers().children())
        if (peer.peer.role == env::Peer::Role::site) peers.emplace(peer.peer.name, std::move(peer));
    std::set<std::string> with_nodes;
    for (const auto& object : store.list(Kind::node)) with_nodes.insert(store::as<model::Node>(*object).spec().site());
    std::map<std::string, SiteRoom> rooms;
    for (auto& object : store.list(Kind::site)) {
        if (object->key.name == region) continue;
        const auto& site = store::as<model::Site>(*object);
        SiteRoom room;
        room.divides = model::is_region(site);
        if (above && !above->metadata().labels().empty()) {
            auto labels = std::make_shared<model::Labels>(site.metadata().labels());
            for (const auto& [key, value] : above->metadata().labels()) labels->insert({key, value});
            room.inherited = std::move(labels);
        }
        auto peer = peers.find(object->key.name);
        bool own = object->key.name == own_site;
        room.in_touch = own || (peer != peers.end() && peer->second.in_touch);
        room.by_courier = !room.in_touch && model::holds(site.status().conditions(), "ByCourier");
        // Its status is soft, and a crash of this cell may have forgotten it; its nodes are not. A region's are not known here, but
        // whoever joined for it is.
        bool seated = room.divides && cell::seat_of(store, env::Peer::Role::site, object->key.name);
        room.joined =
            own || seated || with_nodes.contains(object->key.name) || peer != peers.end() || !site.status().cell().empty();
        Instant heard = cell.peers().listening_since();
        if (peer != peers.end() && peer->second.heard) heard = std::max(heard, *peer->second.heard);
        room.partition.in_touch = room.in_touch;
        room.partition.silent = now - heard;
        // A child that is absent there holds no lease, also none of before a restart of this cell.
        auto over = peer == peers.end() ? std::nullopt : peer->second.lease_over;
        room.partition.lease_left = over ? std::max(*over - now, Duration(0)) : Duration(0);
        const auto& observed = site.status().location().jurisdiction();
        room.jurisdiction = observed.empty() ? site.spec().location().jurisdiction() : observed;
        if (auto cpu = parse_cpu(site.status().free().cpu()); cpu && !site.status().free().cpu().empty()) room.cpu = *cpu;
        if (auto memory = parse_bytes(site.status().free().memory()); memory && !site.status().free().memory().empty())
            room.memory = *memory;
        room.machines = std::max(1u, site.status().nodes());
        room.used_ports = model::used_ports(site.status());
        std::string name = object->key.name;
        room.object = std::move(object);
        rooms.emplace(std::move(name), std::move(room));
    }
    for (auto& [name, witness] : testimony(store, [&](const std::string& site) {
             auto room = rooms.find(site);
             return room != rooms.end() && room->second.in_touch;
         }))
        rooms.at(name).partition.heard_by = witness;
    for (const auto& object : store.list(Kind::allocation)) {
        const auto& allocation = store::as<model::Allocation>(*object);
        auto room = rooms.find(allocation.spec().site());
        if (room == rooms.end() || allocation.status().observed_generation() >= object->generation) continue;
        std::int64_t more = std::int64_t{allocation.spec().replicas()} - allocation.status().replicas();
        if (more <= 0) continue;
        const auto* revision = store.get<model::Revision>(Key{Kind::revision, object->key.project, allocation.spec().revision()});
        if (!revision) continue;
        for (const auto& closed : revision->spec().components())
            if (closed.component().name() == allocation.spec().component()) room->second.take(demand_of(closed), more);
    }
    return rooms;
}

} // namespace skerry::fleet
