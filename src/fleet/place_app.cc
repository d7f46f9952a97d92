#include "fleet/rollouts_loop.h"

#include "cell/handover.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/epoch.h"
#include "model/revision.pb.h"
#include "model/rules/law.h"

#include <algorithm>
#include <set>
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
            return {component.name(), "NoSite",
                    who + "there is no site yet; make one: skerry token create --site NAME, then skerry site --join TOKEN there"};
        return {component.name(), "NoMatchingSite",
                who + "no site matches " + selector + "; label one: kubectl label site NAME " + selector +
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
    return {component.name(), word, who + count + proposal.text("site") + remedy};
}

plan::PartitionPolicy policy_of(const model::Component& component) {
    const auto& policy = component.partition().policy();
    return policy == "atMostOnce"    ? plan::PartitionPolicy::at_most_once
           : policy == "atLeastOnce" ? plan::PartitionPolicy::at_least_once
                                     : plan::PartitionPolicy::keep;
}

/// One component: first where it should be, then who stands in for whom, then where those go.
class Placing {
public:
    Placing(const model::Revision& revision, const model::ClosedComponent& closed, const std::vector<store::ObjectPtr>& found,
            std::map<std::string, SiteRoom>& rooms, const Pace& pace, const std::string& plain, Placement& out)
        : revision_(revision), closed_(closed), component_(closed.component()), rooms_(rooms), pace_(pace), plain_(plain),
          out_(out), demand_(demand_of(closed)) {
        std::set<std::string> own_sites;
        for (const auto& object : found) {
            const auto& spec = store::as<model::Allocation>(*object).spec();
            if (spec.component() != component_.name()) continue;
            // One that goes (rule H7) counts for nothing, but wanted again where it belongs it has never left.
            if (spec.replicas() == 0) {
                if (is_bound() && spec.substitutes().empty()) going_.insert(spec.site());
                continue;
            }
            found_.push_back(object.get());
            if (spec.substitutes().empty()) own_sites.insert(spec.site());
        }
        for (const auto* object : found_) {
            const auto& spec = store::as<model::Allocation>(*object).spec();
            // What it stood in for is gone: it is there in its own right from now on. So is what was moved (atMostOnce).
            bool stands_in = !spec.substitutes().empty() && own_sites.contains(spec.substitutes()) &&
                             rooms.contains(spec.substitutes()) && policy_of(component_) != plan::PartitionPolicy::at_most_once;
            (stands_in ? substitutes_ : own_).push_back(object);
        }
        std::sort(own_.begin(), own_.end(), [](const auto* a, const auto* b) { return a->key.name < b->key.name; });
    }

    void run() {
        place_own();
        rule();
        for (auto& wanted : wanted_) out_.wanted.push_back(std::move(wanted));
    }

private:
    using Count = std::map<std::string, std::uint32_t>;
    static const model::AllocationSpec& spec_of(const store::Object& object) {
        return store::as<model::Allocation>(object).spec();
    }

    /// Proposes `replicas` where `here` are, and takes what is more from the rooms.
    struct Proposed {
        place::Proposal proposal;
        Count count;
        bool passed_on = false; ///< to a region, which knows the sites there
    };
    Proposed propose(const Count& here, std::uint32_t replicas, bool each) {
        place::Snapshot snapshot;
        std::vector<SiteRoom*> row_rooms;
        Proposed proposed;
        const auto& wish = component_.placement();
        for (auto& [name, room] : rooms_) {
            // The selector of `each` is for the sites there, and so is whether there is room (rule A3). What it must not hold, it
            // does not divide either.
            if (each && room.divides) {
                if (replicas == 0 || (wish.has_within() && !model::may_hold(room.jurisdiction, wish.within()))) continue;
                proposed.count[name] = replicas;
                proposed.passed_on = true;
                continue;
            }
            auto at = here.find(name);
            std::uint32_t count = at == here.end() ? 0 : at->second;
            place::Snapshot::Candidate candidate;
            candidate.name = name;
            candidate.labels = &room.labels();
            candidate.jurisdiction = room.jurisdiction;
            candidate.cpu_free = room.cpu;
            candidate.memory_free = room.memory;
            candidate.machines = room.machines;
            // The ports of its own replicas are counted with them.
            SiteRoom others = room;
            others.take({.cpu = {}, .memory = {}, .ports = demand_.ports}, -std::int64_t{count});
            candidate.used_ports = std::move(others.used_ports);
            candidate.open = room.in_touch || room.by_courier;
            candidate.replicas = count;
            snapshot.add(std::move(candidate));
            row_rooms.push_back(&room);
        }
        proposed.proposal = place::propose(snapshot, {.mode = each                       ? place::Mode::each
                                                              : wish.mode() == "binpack" ? place::Mode::binpack
                                                                                         : place::Mode::spread,
                                                      .replicas = replicas,
                                                      .selector = wish.has_sites() ? &wish.sites() : nullptr,
                                                      .within = wish.has_within() ? &wish.within() : nullptr,
                                                      .cpu = demand_.cpu,
                                                      .memory = demand_.memory,
                                                      .ports = demand_.ports});
        for (const auto& assignment : proposed.proposal.assignments) {
            std::int64_t more = std::int64_t{assignment.replicas} - snapshot.replicas[assignment.row];
            if (more > 0) row_rooms[assignment.row]->take(demand_, more);
            proposed.count[snapshot.name[assignment.row]] = assignment.replicas;
        }
        return proposed;
    }

    void place_own() {
        Count here;
        for (const auto* object : own_) here[spec_of(*object).site()] += spec_of(*object).replicas();
        const auto& wish = component_.placement();
        std::uint32_t replicas = wish.has_replicas() ? wish.replicas() : 1;
        for (const auto& site : going_) here.try_emplace(site, replicas);
        Proposed proposed = propose(here, replicas, is_bound());
        for (const auto& [site, count] : proposed.count) {
            std::uint32_t left = count;
            std::size_t first = wanted_.size();
            for (const auto* object : own_) {
                const auto& spec = spec_of(*object);
                if (spec.site() != site || left == 0) continue;
                std::uint32_t kept = std::min(left, spec.replicas());
                if (kept == 0) continue;
                wanted_.push_back({component_.name(), site, kept, closed_.hash(), suffix_of(*object), {}, false});
                left -= kept;
            }
            if (left == 0) continue;
            if (wanted_.size() > first)
                wanted_[first].replicas += left;
            else
                wanted_.push_back({component_.name(), site, left, closed_.hash(), plain_, {}, false});
        }
        const auto& proposal = proposed.proposal;
        bool nowhere = replicas > 0 && proposal.assignments.empty() && !proposed.passed_on;
        if (proposal.unplaced > 0 || nowhere) out_.shortages.push_back(explain(component_, proposal));
    }

    bool is_bound() const { return component_.placement().mode() == "each"; }

    const store::Object* found_at(const std::string& site, const std::string& suffix) const {
        for (const auto* object : found_)
            if (spec_of(*object).site() == site && suffix_of(*object) == suffix) return object;
        return nullptr;
    }

    plan::HeldAllocation held(const std::string& site, const std::string& suffix, std::uint32_t replicas) const {
        plan::HeldAllocation held{.site = site, .suffix = suffix, .replicas = replicas};
        const auto* object = found_at(site, suffix);
        if (!object) return held;
        const auto& allocation = store::as<model::Allocation>(*object);
        held.observed = allocation.status().observed_generation() >= object->generation;
        held.ready = allocation.status().ready_replicas();
        held.running_since = allocation.status().running_since();
        return held;
    }

    void rule() {
        plan::PartitionInput input;
        const auto& partition = component_.partition();
        input.policy = policy_of(component_);
        input.bound = is_bound();
        if (auto after = parse_duration(partition.replace_after())) input.replace_after = *after;
        if (partition.on_heal() == "keepSubstitute") input.on_heal = plan::OnHeal::keep_substitute;
        if (partition.on_heal() == "longestRunning") input.on_heal = plan::OnHeal::longest_running;
        input.running = revision_.spec().state() == "running";
        input.budget = pace_.budget;
        input.granted = pace_.granted;
        for (const auto& [name, room] : rooms_) input.sites[name] = room.partition;
        for (const auto& wanted : wanted_) {
            auto room = rooms_.find(wanted.site);
            // Where nobody has come yet nothing runs that could be missed.
            bool stood_in_for = std::any_of(substitutes_.begin(), substitutes_.end(),
                                            [&](const auto* other) { return spec_of(*other).substitutes() == wanted.site; });
            if (room == rooms_.end() || (!room->second.joined && !stood_in_for)) continue;
            auto own = held(wanted.site, wanted.suffix, wanted.replicas);
            const auto* object = found_at(wanted.site, wanted.suffix);
            own.recalled = object && std::all_of(substitutes_.begin(), substitutes_.end(), [&](const auto* other) {
                               return spec_of(*other).substitutes() != wanted.site ||
                                      model::compare(spec_of(*object).epoch(), spec_of(*other).epoch()) > 0;
                           });
            input.held.push_back(std::move(own));
        }
        for (const auto* object : substitutes_) {
            const auto& spec = spec_of(*object);
            auto one = held(spec.site(), suffix_of(*object), spec.replicas());
            one.substitutes = spec.substitutes();
            input.held.push_back(std::move(one));
        }
        auto plan = plan::plan_partition(input);
        if (plan.next) out_.next = std::min(out_.next.value_or(*plan.next), *plan.next);
        for (const auto* object : substitutes_) {
            const auto& spec = spec_of(*object);
            auto kept = plan.substitutes.find({spec.site(), suffix_of(*object)});
            // Of a site that is gone: nobody needs to be told.
            if (!rooms_.contains(spec.site()) || kept == plan.substitutes.end() || kept->second == 0) continue;
            bool settled = plan.settled.contains(kept->first);
            wanted_.push_back({component_.name(), spec.site(), kept->second, closed_.hash(), suffix_of(*object),
                               settled ? std::string() : spec.substitutes(), false});
        }
        for (auto& verdict : plan.verdicts) {
            carry_out(verdict);
            auto room = rooms_.find(verdict.site);
            out_.rulings.push_back({component_.name(), std::move(verdict), room != rooms_.end() && room->second.in_touch});
        }
    }

    void carry_out(plan::Verdict& verdict) {
        auto is_own = [&](const plan::WantedAllocation& one) { return one.site == verdict.site && one.substitutes.empty(); };
        if (verdict.gives > 0) reduce(is_own, verdict.gives);
        if (verdict.recall)
            for (auto& one : wanted_) one.raise = one.raise || is_own(one);
        if (verdict.missing == 0) return;
        Count here;
        std::uint32_t all = verdict.missing;
        for (const auto& one : wanted_) here[one.site] += one.replicas, all += one.replicas;
        // Replicas at places that may not hold them any more are not there to be counted.
        Proposed proposed = propose(here, all, false);
        std::uint32_t placed = 0;
        for (const auto& [site, count] : proposed.count) {
            if (count <= here[site]) continue;
            std::uint32_t more = std::min(count - here[site], verdict.missing - placed);
            placed += more;
            stand_in(site, verdict.site, more);
        }
        if (placed > 0) out_.replaced.insert(verdict.site);
        if (verdict.moves) reduce(is_own, placed);
        if (proposed.proposal.unplaced == 0) return;
        auto shortage = explain(component_, proposed.proposal);
        verdict.reason = "NoSubstitute";
        verdict.message += "; but " + shortage.message;
    }

    template<class Which>
    void reduce(Which which, std::uint32_t by) {
        for (auto& one : wanted_) {
            if (!which(one)) continue;
            std::uint32_t gone = std::min(one.replicas, by);
            one.replicas -= gone;
            by -= gone;
        }
        std::erase_if(wanted_, [](const auto& one) { return one.replicas == 0; });
    }

    void stand_in(const std::string& site, const std::string& absent, std::uint32_t replicas) {
        for (auto& one : wanted_)
            if (one.site == site && one.substitutes == absent) {
                one.replicas += replicas;
                return;
            }
        std::string suffix = absent;
        for (int n = 2; found_at(site, suffix); ++n) suffix = absent + "." + std::to_string(n);
        wanted_.push_back({component_.name(), site, replicas, closed_.hash(), suffix, absent, true});
    }

    const model::Revision& revision_;
    const model::ClosedComponent& closed_;
    const model::Component& component_;
    std::map<std::string, SiteRoom>& rooms_;
    const Pace& pace_;
    const std::string& plain_;
    Placement& out_;
    Demand demand_;
    std::vector<const store::Object*> found_, own_, substitutes_;
    std::set<std::string> going_;
    std::vector<plan::WantedAllocation> wanted_;
};

} // namespace

std::string allocation_name(std::string_view app, std::string_view component, std::string_view site, std::string_view suffix) {
    std::string name = std::string(app) + "." + std::string(component) + "." + std::string(site);
    return suffix.empty() ? name : name + "." + std::string(suffix);
}

std::string suffix_of(const store::Object& object) {
    const auto& spec = store::as<model::Allocation>(object).spec();
    std::size_t plain = spec.app().size() + spec.component().size() + spec.site().size() + 2;
    return object.key.name.size() > plain + 1 ? object.key.name.substr(plain + 1) : std::string();
}

Placement place_app(const model::Revision& revision, const std::vector<store::ObjectPtr>& found,
                    std::map<std::string, SiteRoom>& rooms, const Pace& pace, const std::string& plain, const std::string& only) {
    Placement placement;
    if (!only.empty()) {
        std::map<std::string, SiteRoom> its;
        if (auto room = rooms.extract(only)) its.insert(std::move(room));
        if (!its.empty())
            placement = place_app(revision, found, its, pace, plain, {});
        else
            placement.shortages.push_back({"", "NoMatchingSite",
                                           "it is for site " + only +
                                               " only, which does not exist; to place it as its placement says: kubectl "
                                               "annotate app " +
                                               revision.spec().app() + " " + std::string(model::only_site_annotation) + "-"});
        rooms.merge(its);
        return placement;
    }
    Pace left = pace;
    for (const auto& closed : revision.spec().components()) {
        Placing(revision, closed, found, rooms, left, plain, placement).run();
        for (const auto& site : placement.replaced)
            if (left.granted.insert(site).second && left.budget > 0) --left.budget;
    }
    return placement;
}

} // namespace skerry::fleet
