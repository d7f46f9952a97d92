#include "fleet/rollouts_loop.h"

#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/revision.pb.h"
#include "model/site.pb.h"

#include <utility>

namespace skerry::fleet {

namespace {

std::string selector_text(const model::Selector& selector) {
    std::map<std::string, std::string> labels(selector.match_labels().begin(), selector.match_labels().end());
    std::string text;
    auto add = [&](const std::string& part) { text += (text.empty() ? "" : ",") + part; };
    for (const auto& [key, value] : labels) add(key + "=" + value);
    for (const auto& term : selector.match_expressions()) {
        std::string values;
        for (const auto& value : term.values()) values += (values.empty() ? "" : ",") + value;
        if (term.operator_() == "Exists")
            add(term.key());
        else if (term.operator_() == "DoesNotExist")
            add("!" + term.key());
        else
            add(term.key() + (term.operator_() == "In" ? " in (" : " notin (") + values + ")");
    }
    return text;
}

Placement::Shortage explain(const model::Component& component, const place::Proposal& proposal) {
    std::string who = "component " + component.name() + ": ";
    if (proposal.matching == 0) {
        std::string selector = selector_text(component.placement().sites());
        if (selector.empty())
            return {"NoSite",
                    who + "there is no site yet; make one: skerry token create --site NAME, then skerry site --join TOKEN there"};
        return {"NoMatchingSite", who + "no site matches " + selector + "; label one: kubectl label site NAME " + selector +
                                      " (skerry get sites --show-labels)"};
    }
    std::string count = proposal.unplaced == 0 ? ""
                                               : std::to_string(proposal.unplaced) +
                                                     (proposal.unplaced == 1 ? " replica has" : " replicas have") + " no site: ";
    auto why = proposal.reasons.empty() ? place::Why::closed : proposal.reasons.front().why;
    std::string word, remedy;
    switch (why) {
    case place::Why::selector:
    case place::Why::closed:
        word = "OutOfTouch", remedy = "; see skerry get sites";
        break;
    case place::Why::jurisdiction:
        word = "OutOfJurisdiction",
        remedy = "; set spec.location.jurisdiction of a site, or widen placement.within.jurisdictions";
        break;
    case place::Why::cpu:
    case place::Why::memory:
        word = "NoRoom", remedy = "; ask for less in resources, remove something, or add nodes";
        break;
    case place::Why::port:
        word = "PortTaken", remedy = "; publish another port, or stop what holds it: skerry get instances -A -o wide";
        break;
    }
    return {word, who + count + proposal.text("site") + remedy};
}

} // namespace

Placement place_app(const model::Revision& revision, const std::vector<store::ObjectPtr>& found,
                    std::map<std::string, SiteRoom>& rooms) {
    Placement placement;
    for (const auto& closed : revision.spec().components()) {
        const auto& component = closed.component();
        Demand demand = demand_of(closed);
        std::map<std::string, std::uint32_t> there;
        for (const auto& object : found) {
            const auto& spec = store::as<model::Allocation>(*object).spec();
            if (spec.component() == component.name()) there[spec.site()] += spec.replicas();
        }
        place::Snapshot snapshot;
        std::vector<SiteRoom*> row_rooms;
        for (auto& [name, room] : rooms) {
            std::uint32_t here = there.contains(name) ? there[name] : 0;
            place::Snapshot::Candidate candidate;
            candidate.name = name;
            candidate.labels = &store::as<model::Site>(*room.object).metadata().labels();
            candidate.jurisdiction = room.jurisdiction;
            candidate.cpu_free = room.cpu;
            candidate.memory_free = room.memory;
            candidate.machines = room.machines;
            // The ports of its own replicas are counted with them.
            SiteRoom others = room;
            others.take({.cpu = {}, .memory = {}, .ports = demand.ports}, -std::int64_t{here});
            candidate.used_ports = std::move(others.used_ports);
            candidate.open = room.in_touch;
            candidate.replicas = here;
            snapshot.add(std::move(candidate));
            row_rooms.push_back(&room);
        }
        const auto& wish = component.placement();
        place::Constraints constraints{.mode = wish.mode() == "each"      ? place::Mode::each
                                               : wish.mode() == "binpack" ? place::Mode::binpack
                                                                          : place::Mode::spread,
                                       .replicas = wish.has_replicas() ? wish.replicas() : 1,
                                       .selector = wish.has_sites() ? &wish.sites() : nullptr,
                                       .within = wish.has_within() ? &wish.within() : nullptr,
                                       .cpu = demand.cpu,
                                       .memory = demand.memory,
                                       .ports = demand.ports};
        auto proposal = place::propose(snapshot, constraints);
        for (const auto& assignment : proposal.assignments) {
            std::int64_t more = std::int64_t{assignment.replicas} - snapshot.replicas[assignment.row];
            if (more > 0) row_rooms[assignment.row]->take(demand, more);
            placement.wanted.push_back({component.name(), snapshot.name[assignment.row], assignment.replicas, closed.hash()});
        }
        bool nowhere = constraints.replicas > 0 && proposal.assignments.empty();
        if (proposal.unplaced > 0 || nowhere) placement.shortages.push_back(explain(component, proposal));
    }
    return placement;
}

} // namespace skerry::fleet
