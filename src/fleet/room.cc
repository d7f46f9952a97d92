#include "fleet/room.h"

#include "base/units.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/revision.pb.h"
#include "model/site.pb.h"

#include <algorithm>
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
        if (port.has_publish()) demand.ports.push_back(static_cast<std::uint16_t>(port.publish()));
    return demand;
}

void SiteRoom::take(const Demand& demand, std::int64_t replicas) {
    if (cpu) cpu->count -= demand.cpu.count * replicas;
    if (memory) memory->count -= demand.memory.count * replicas;
    for (std::uint16_t port : demand.ports) {
        for (std::int64_t n = replicas; n > 0; --n) used_ports.push_back(port);
        for (std::int64_t n = replicas; n < 0; ++n) {
            auto held = std::find(used_ports.begin(), used_ports.end(), port);
            if (held != used_ports.end()) used_ports.erase(held);
        }
    }
}

std::map<std::string, SiteRoom> read_rooms(cell::Cell& cell, const std::string& own_site) {
    auto& store = cell.store();
    std::map<std::string, bool> touch;
    for (const auto& peer : cell.peers().children())
        if (peer.peer.role == env::Peer::Role::site) touch[peer.peer.name] = peer.in_touch;
    std::map<std::string, SiteRoom> rooms;
    for (auto& object : store.list(Kind::site)) {
        const auto& site = store::as<model::Site>(*object);
        SiteRoom room;
        room.in_touch = object->key.name == own_site || touch[object->key.name];
        const auto& observed = site.status().location().jurisdiction();
        room.jurisdiction = observed.empty() ? site.spec().location().jurisdiction() : observed;
        if (auto cpu = parse_cpu(site.status().free().cpu()); cpu && !site.status().free().cpu().empty()) room.cpu = *cpu;
        if (auto memory = parse_bytes(site.status().free().memory()); memory && !site.status().free().memory().empty())
            room.memory = *memory;
        room.machines = std::max(1u, site.status().nodes());
        room.used_ports.assign(site.status().used_ports().begin(), site.status().used_ports().end());
        std::string name = object->key.name;
        room.object = std::move(object);
        rooms.emplace(std::move(name), std::move(room));
    }
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
