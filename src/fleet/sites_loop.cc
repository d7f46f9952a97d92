#include "fleet/sites_loop.h"

#include "cell/slices/closure.h"
#include "cell/writing.h"
#include "fleet/room.h"
#include "model/conditions.h"
#include "model/tier.h"

#include <utility>

namespace skerry::fleet {

using model::Kind;
using store::Part;

bool SitesLoop::wakes(const store::Change& change) const {
    return change.key.kind == Kind::site && (change.changed(Part::wish) || change.changed(Part::found));
}

namespace {

/// What of ours only this site has, and what people can do about it (rule H3).
std::string orphans_of(const std::string& name, const cell::PeerView& peer) {
    if (peer.orphans == 0 || peer.recalling) return {};
    std::string text =
        std::to_string(peer.orphans) + (peer.orphans == 1 ? " object" : " objects") +
        " that this cell decided and forgot, since its store went back, could not be taken back and runs on there as it is: ";
    std::string list;
    for (const auto& each : peer.left_there) list += (list.empty() ? "" : ", ") + each;
    return text + (list.empty() ? "the site does not give it back" : list) +
           "; to keep it, apply it again under a name of its own; to let it go: kubectl annotate site " + name +
           " skerry/orphans=drop";
}

} // namespace

void SitesLoop::turn() {
    if (!rest_.is_over()) return;
    auto& store = cell_.store();
    bool changed = false;
    auto witnesses = testimony(store, [&](const std::string& site) {
        auto peer = cell_.peers().child(site, env::Peer::Role::site);
        return site == options_.own_site || (peer && peer->in_touch);
    });
    std::map<std::string, Known> before = std::exchange(known_, {});
    for (const auto& object : store.list(Kind::site)) {
        const std::string& name = object->key.name;
        if (name == options_.region) continue; // the parent's to say
        auto peer = cell_.peers().child(name, env::Peer::Role::site);
        auto witness = witnesses.find(name);
        Known now{.own = name == options_.own_site,
                  .called = peer.has_value(),
                  .in_touch = name == options_.own_site || (peer && peer->in_touch),
                  .trouble = peer ? peer->trouble : "",
                  .doubled = peer ? peer->doubled : "",
                  .witness = witness == witnesses.end() ? "" : witness->second,
                  .orphans = peer ? orphans_of(name, *peer) : "",
                  .waiting = peer && peer->peer.cell ? cell_.meters().waiting(cell::peer_tag(env::Peer::Role::site, name))
                                                     : cell::Waiting{},
                  .found = object->found.number,
                  .seen = object->seen.number};
        auto was = before.extract(name);
        changed = changed || !was || was.mapped().in_touch != now.in_touch;
        if (!was || was.mapped() != now) {
            report(*object, now, peer ? peer->sent + peer->received : 0, was && was.mapped().found == now.found);
            if (auto after = store.get(object->key)) now.seen = after->seen.number;
        }
        known_.emplace_hint(known_.end(), name, std::move(now));
    }
    // Who is in touch is memory, not an object: others that ask must be told.
    if (changed || !before.empty()) cell_.wake("rollouts");
}

void SitesLoop::report(const store::Object& object, const Known& known, std::uint64_t link_bytes, bool counted) {
    std::string now = rfc3339(cell_.env().clock.wall());
    auto report = cell::part_of<model::Site>(object, Part::seen);
    auto& status = *report.mutable_status();
    auto& conditions = *status.mutable_conditions();
    if (known.own) {
        model::set_condition(conditions, "InTouch", "True", "SameCell", "", now);
        return cell::report_part(cell_.store(), object, Part::seen, report);
    }
    bool ever = !store::as<model::Site>(object).status().cell().empty();
    bool was = model::holds(conditions, "InTouch");
    if (known.in_touch) {
        model::set_condition(conditions, "InTouch", "True", "Heard", "", now);
        status.clear_last_heard();
        model::remove_condition(conditions, "ByCourier");
    } else {
        if (was) status.set_last_heard(now);
        std::string tier = model::is_region(store::as<model::Site>(object)) ? "region" : "site";
        std::string message =
            !ever && !known.called ? "it has not joined yet: skerry token create --" + tier + " " + object.key.name +
                                         ", then skerry " + tier + " --join TOKEN there"
            : !known.trouble.empty()
                ? known.trouble
                : "nothing heard; what it was told to do it keeps doing; see whether it has power and a way here";
        bool alive = !known.witness.empty();
        if (alive)
            message = "nothing heard, but its neighbour " + known.witness +
                      " hears it: it is alive, only its way here is cut; see its uplink";
        model::set_condition(conditions, "InTouch", ever || known.called ? "Unknown" : "False",
                             alive                  ? "HeardByNeighbour"
                             : ever || known.called ? "Silent"
                                                    : "NotJoined",
                             message, now);
    }
    if (!known.doubled.empty()) {
        if (!model::holds(conditions, "Duplicated"))
            cell_.events().record(object, cell::Tone::warning, "Duplicated", known.doubled);
        model::set_condition(conditions, "Duplicated", "True", "TwoCells", known.doubled, now);
    } else {
        model::remove_condition(conditions, "Duplicated");
    }
    if (known.called) report_budget(object, known.waiting, conditions);
    if (!known.orphans.empty()) {
        if (!model::holds(conditions, "Orphans")) cell_.events().record(object, cell::Tone::warning, "Orphans", known.orphans);
        model::set_condition(conditions, "Orphans", "True", "HistoryBehind", known.orphans, now);
    } else if (known.called) {
        model::remove_condition(conditions, "Orphans");
    }
    if (known.called && (was != known.in_touch || !counted)) status.set_link_bytes(std::to_string(link_bytes));
    cell::report_part(cell_.store(), object, Part::seen, report);
}

/// Told once when it begins; the condition says how long.
void SitesLoop::report_budget(const store::Object& object, const cell::Waiting& waiting, model::Conditions& conditions) {
    bool was = !model::find_condition(conditions, "WithinBudget") || model::holds(conditions, "WithinBudget");
    cell_.meters().report(cell::peer_tag(env::Peer::Role::site, object.key.name), conditions);
    bool is = !model::find_condition(conditions, "WithinBudget") || model::holds(conditions, "WithinBudget");
    if (was && !is) cell_.events().record(object, cell::Tone::warning, waiting.reason, waiting.message);
}

} // namespace skerry::fleet
