#include "fleet/leavers_loop.h"

#include "cell/links/seats.h"
#include "model/allocation.pb.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/text/mapping.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace skerry::fleet {

using model::Kind;
using store::Part;

namespace {

std::string site_named_by(const store::Object& object) {
    switch (object.key.kind) {
    case Kind::site:
        return object.key.name;
    case Kind::node:
        return store::as<model::Node>(object).spec().site();
    case Kind::instance:
        return store::as<model::Instance>(object).spec().site();
    case Kind::allocation:
        return store::as<model::Allocation>(object).spec().site();
    case Kind::override_:
        return store::as<model::Override>(object).spec().site();
    default:
        return {};
    }
}

} // namespace

bool LeaversLoop::wakes(const store::Change& change) const {
    // What lands of a cell that has left, since it was under way, waits for the period.
    if (change.key.kind != Kind::site && change.key.kind != Kind::node) return false;
    return !change.before || !change.after || change.before->uid != change.after->uid;
}

void LeaversLoop::turn() {
    if (!rest_.is_over() || !writing_.begin()) return;
    timer_.reset();
    next_.reset();
    auto& store = cell_.store();
    until_before_ = std::exchange(until_, {});
    std::set<std::string> held_before = std::exchange(held_, {});
    std::map<CellId, std::string> gone;
    std::map<std::string, std::size_t> instances;
    std::vector<store::ObjectPtr> leftovers;
    // Nodes last: as long as one is there, the rest is found again after a crash.
    for (Kind kind : {Kind::allocation, Kind::instance, Kind::node})
        for (auto& object : store.list(kind)) {
            CellId from = object->wish.from;
            if (!from) continue;
            std::string site = site_named_by(*object);
            if (!cell::has_left(store, site, from) || !is_over(site, from)) continue;
            if (kind == Kind::instance) ++instances[site];
            gone.emplace(from, std::move(site));
            leftovers.push_back(std::move(object));
        }
    for (Kind kind : {Kind::site, Kind::allocation, Kind::override_})
        for (const auto& object : store.list(kind))
            if (CellId from = object->found.from; from && cell::has_left(store, site_named_by(*object), from))
                if (is_over(site_named_by(*object), from))
                    cell::report_part(store, *object, Part::found, *model::new_message(kind));
    for (const auto& [from, site] : gone) writing_.note(cell::left_space, from.text(), site);
    if (!gone.empty())
        for (const auto& event : store.list(Kind::event))
            if (gone.contains(event->wish.from)) writing_.erase(*event);
    for (const auto& object : leftovers) writing_.erase(*object);
    writing_.end();
    for (const auto& [from, site] : gone) tell(site, instances[site]);
    if (next_) timer_ = cell_.env().timers.after(*next_, [this] { cell_.wake(name()); });
    if (held_ != held_before) cell_.wake("rollouts");
}

bool LeaversLoop::is_over(const std::string& site, CellId from) {
    Instant now = cell_.env().clock.now();
    auto [at, fresh] = until_.try_emplace(from, now);
    if (fresh) {
        auto before = until_before_.find(from);
        auto peer = cell_.peers().child(site, env::Peer::Role::site);
        if (before != until_before_.end())
            at->second = before->second;
        else if (peer && peer->lease_over)
            at->second = *peer->lease_over;
    }
    if (at->second <= now) return true;
    held_.insert(site);
    Duration left = at->second - now;
    next_ = std::min(next_.value_or(left), left);
    return false;
}

void LeaversLoop::tell(const std::string& site, std::size_t instances) {
    auto object = cell_.store().get({Kind::site, "", site});
    cell_.events().record({Kind::site, "", site}, object ? object->uid : Uid{}, cell::Tone::warning, "MachineLeft",
                          "the machine that spoke for site " + site + " does no more; what it had reported is removed here (" +
                              std::to_string(instances) +
                              " instances). What it runs it runs on, but for what may run at most once: switch it off, or skerry "
                              "reset there");
}

} // namespace skerry::fleet
