#include "cell/writing.h"
#include "fleet/fleet.h"
#include "model/conditions.h"
#include "model/site.pb.h"

namespace skerry::fleet {

void go_by_courier(cell::Cell& cell, const std::string& site) {
    auto view = cell.peers().child(site, env::Peer::Role::site);
    auto object = cell.store().get({model::Kind::site, "", site});
    if (!object || (view && view->in_touch)) return;
    auto report = cell::part_of<model::Site>(*object, store::Part::seen);
    auto& conditions = *report.mutable_status()->mutable_conditions();
    if (!model::set_condition(conditions, "ByCourier", "True", "Packed",
                              "out of touch, and its wishes go on by courier file; what it is told it gets with the next one",
                              rfc3339(cell.env().clock.wall())))
        return;
    cell::report_part(cell.store(), *object, store::Part::seen, report);
    cell.wake("rollouts");
}

} // namespace skerry::fleet
