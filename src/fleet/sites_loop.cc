#include "fleet/sites_loop.h"

#include "cell/writing.h"
#include "fleet/room.h"
#include "model/conditions.h"
#include "model/site.pb.h"

namespace skerry::fleet {

using model::Kind;
using store::Part;

bool SitesLoop::wakes(const store::Change& change) const {
    return change.key.kind == Kind::site && (change.changed(Part::wish) || change.changed(Part::found));
}

void SitesLoop::turn() {
    if (!rest_.is_over()) return;
    auto& store = cell_.store();
    std::string now = rfc3339(cell_.env().clock.wall());
    bool changed = false;
    std::map<std::string, bool> touch;
    auto witnesses = testimony(store, [&](const std::string& site) {
        auto peer = cell_.peers().child(site, env::Peer::Role::site);
        return site == options_.own_site || (peer && peer->in_touch);
    });
    for (const auto& object : store.list(Kind::site)) {
        const std::string& name = object->key.name;
        auto report = cell::part_of<model::Site>(*object, Part::seen);
        auto& status = *report.mutable_status();
        auto& conditions = *status.mutable_conditions();
        if (name == options_.own_site) {
            touch[name] = true;
            model::set_condition(conditions, "InTouch", "True", "SameCell", "", now);
            cell::report_part(store, *object, Part::seen, report);
            continue;
        }
        auto peer = cell_.peers().child(name, env::Peer::Role::site);
        bool in_touch = peer && peer->in_touch;
        bool ever = !store::as<model::Site>(*object).status().cell().empty();
        touch[name] = in_touch;
        bool was = model::holds(conditions, "InTouch");
        if (in_touch) {
            model::set_condition(conditions, "InTouch", "True", "Heard", "", now);
            status.clear_last_heard();
        } else {
            if (was) status.set_last_heard(now);
            std::string message =
                !ever && !peer
                    ? "it has not joined yet: skerry token create --site " + name + ", then skerry site --join TOKEN there"
                : peer && !peer->trouble.empty()
                    ? peer->trouble
                    : "nothing heard; what it was told to do it keeps doing; see whether it has power and a way here";
            auto witness = witnesses.find(name);
            bool alive = witness != witnesses.end();
            if (alive)
                message = "nothing heard, but its neighbour " + witness->second +
                          " hears it: it is alive, only its way here is cut; see its uplink";
            model::set_condition(conditions, "InTouch", ever || peer ? "Unknown" : "False",
                                 alive          ? "HeardByNeighbour"
                                 : ever || peer ? "Silent"
                                                : "NotJoined",
                                 message, now);
        }
        bool news = was != in_touch || counted_[name] != object->found.number;
        if (peer && news) {
            status.set_link_bytes(std::to_string(peer->sent + peer->received));
            counted_[name] = object->found.number;
        }
        cell::report_part(store, *object, Part::seen, report);
        changed = changed || was != in_touch;
    }
    changed = changed || touch != in_touch_;
    in_touch_ = std::move(touch);
    // Who is in touch is memory, not an object: others that ask must be told.
    if (changed) cell_.wake("rollouts");
}

} // namespace skerry::fleet
