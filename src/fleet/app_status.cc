#include "fleet/rollouts_loop.h"

#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/override.pb.h"
#include "model/revision.pb.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace skerry::fleet {

namespace {

std::string sites(std::size_t count) { return std::to_string(count) + (count == 1 ? " site" : " sites"); }

/// The first thing wrong at a site, with its words.
struct Trouble {
    std::string reason;
    std::string message;
};

struct Counts {
    std::set<std::string> wanted, behind, updated, unreachable, unavailable;
    std::uint32_t replicas = 0, ready = 0;
    Trouble trouble;
};

Counts count(const AppFacts& facts) {
    Counts counts;
    std::map<std::string, const store::Object*> found;
    for (const auto& object : *facts.allocations) found[object->key.name] = object.get();
    const std::string& newest = facts.revision->metadata().name();
    for (const auto& wanted : facts.placement->wanted) {
        counts.wanted.insert(wanted.site);
        auto room = facts.rooms->find(wanted.site);
        bool in_touch = room != facts.rooms->end() && room->second.in_touch;
        if (!in_touch) counts.unreachable.insert(wanted.site);
        auto at = found.find(allocation_name(facts.app->metadata().name(), wanted.component, wanted.site, wanted.suffix));
        if (at == found.end()) {
            counts.behind.insert(wanted.site);
            continue;
        }
        const auto& object = *at->second;
        const auto& allocation = store::as<model::Allocation>(object);
        const auto& status = allocation.status();
        counts.replicas += status.replicas();
        counts.ready += status.ready_replicas();
        auto answer = answered(object, room != facts.rooms->end() && room->second.divides);
        bool current = allocation.spec().revision() == newest && answer.observed && answer.updated >= wanted.replicas;
        if (!current) counts.behind.insert(wanted.site);
        if (!in_touch || (answer.observed && answer.ready >= wanted.replicas)) continue;
        counts.unavailable.insert(wanted.site);
        if (!counts.trouble.reason.empty()) continue;
        for (auto type : {"Placed", "Available"})
            if (const auto* condition = model::find_condition(status.conditions(), type);
                condition && condition->status() == "False" && counts.trouble.reason.empty())
                counts.trouble = {condition->reason(), wanted.site + ": " + condition->message()};
    }
    for (const auto& site : counts.wanted)
        if (!counts.behind.contains(site)) counts.updated.insert(site);
    return counts;
}

/// Whether all sites are in touch, and what the partition policies made of it where they are not.
void summarise_touch(const AppFacts& facts, const std::string& now, model::Conditions& conditions) {
    constexpr std::size_t shown = 3;
    // The first in this order is the reason; the rest come with the message.
    static constexpr std::string_view order[] = {"Frozen",  "NoSubstitute",     "Paced",     "Moving",    "Substituted",
                                                 "Waiting", "HeardByNeighbour", "LeaseRuns", "LeaseOver", "Returning",
                                                 "Keep",    "Returned"};
    auto rank = [](const Placement::Ruling* one) { return std::ranges::find(order, one->verdict.reason) - std::begin(order); };
    std::vector<const Placement::Ruling*> rulings;
    bool away = false;
    for (const auto& ruling : facts.placement->rulings) rulings.push_back(&ruling), away = away || !ruling.in_touch;
    // Within one reason in the order in which the ruling was made, which is that of their places.
    std::ranges::sort(rulings, {}, [&](const Placement::Ruling* one) { return std::pair(rank(one), one); });
    if (rulings.empty()) {
        // An app that was never cut has nothing to say.
        if (model::find_condition(conditions, "InTouch")) model::set_condition(conditions, "InTouch", "True", "Heard", "", now);
        return;
    }
    std::string message;
    for (std::size_t i = 0; i < std::min(rulings.size(), shown); ++i)
        message +=
            (i == 0 ? "" : "; ") + rulings[i]->component + " at " + rulings[i]->verdict.site + ": " + rulings[i]->verdict.message;
    if (rulings.size() > shown)
        message += "; and " + std::to_string(rulings.size() - shown) + " more: skerry describe allocation";
    model::set_condition(conditions, "InTouch", away ? "Unknown" : "True", rulings.front()->verdict.reason, message, now);
}

} // namespace

void summarise_overrides(const store::Store& store, const store::Object& app, const std::string& now, model::AppStatus& status) {
    constexpr std::size_t shown = 5;
    std::size_t count = 0;
    std::string names;
    if (store.count(model::Kind::override_) > 0)
        for (const auto& object : store.list(model::Kind::override_, app.key.project)) {
            const auto& spec = store::as<model::Override>(*object).spec();
            bool asks_only = spec.settles().by() == "promote" || spec.settles().by() == "drop";
            if (asks_only || spec.target().uid() != app.uid.text()) continue;
            if (++count <= shown)
                names += (names.empty() ? "" : ", ") + spec.path() + " at " + spec.site() + " (" + object->key.name + ")";
        }
    if (count == 0) {
        model::remove_condition(*status.mutable_conditions(), "Overridden");
        return;
    }
    if (count > shown) names += " and " + std::to_string(count - shown) + " more";
    model::set_condition(*status.mutable_conditions(), "Overridden", "True", "Overridden",
                         "sites decide otherwise: " + names + "; see skerry override list -l skerry/app=" + app.key.name, now);
}

void summarise_app(const AppFacts& facts, const std::string& now, model::AppStatus& status) {
    auto& conditions = *status.mutable_conditions();
    auto set = [&](std::string_view type, std::string_view value, const std::string& reason, const std::string& message) {
        model::set_condition(conditions, type, value, reason, message, now);
    };
    status.set_observed_generation(facts.app->metadata().generation());
    std::string obstacle_reason, obstacle;
    for (const auto& one : *facts.obstacles) {
        if (obstacle_reason.empty()) obstacle_reason = one.reason;
        obstacle += (obstacle.empty() ? "" : "; ") + one.message;
    }
    if (!facts.revision) {
        bool waits = obstacle_reason.empty();
        set("Placed", "False", waits ? "NoRevision" : obstacle_reason, waits ? "its first revision is being made" : obstacle);
        set("Progressing", waits ? "True" : "False", waits ? "NoRevision" : obstacle_reason, obstacle);
        set("Available", "False", waits ? "NoRevision" : obstacle_reason, obstacle);
        return;
    }
    Counts counts = count(facts);
    const std::string& revision = facts.revision->metadata().name();
    status.set_revision(revision);
    status.set_sites(static_cast<std::uint32_t>(counts.wanted.size()));
    status.set_updated_sites(static_cast<std::uint32_t>(counts.updated.size()));
    status.set_unreachable_sites(static_cast<std::uint32_t>(counts.unreachable.size()));
    status.set_replicas(counts.replicas);
    status.set_ready_replicas(counts.ready);

    std::string shortage_reason, shortage;
    for (const auto& one : facts.placement->shortages) {
        if (shortage_reason.empty()) shortage_reason = one.reason;
        shortage += (shortage.empty() ? "" : "; ") + one.message;
    }
    bool placed = shortage_reason.empty();
    set("Placed", placed ? "True" : "False", placed ? "Placed" : shortage_reason,
        placed ? sites(counts.wanted.size()) : shortage);

    summarise_touch(facts, now, conditions);

    std::size_t behind_in_touch = 0;
    for (const auto& site : counts.behind) behind_in_touch += counts.unreachable.contains(site) ? 0 : 1;
    std::size_t behind_away = counts.behind.size() - behind_in_touch;
    std::string away = behind_away == 0 ? "" : "; " + sites(behind_away) + " out of touch will get it on return";
    if (!obstacle_reason.empty())
        set("Progressing", "False", obstacle_reason, obstacle + "; revision " + revision + " stays");
    else if (facts.rollout->held > 0 && facts.revision->spec().has_revoked())
        set("Progressing", "False", "Revoked",
            "revision " + revision + " is revoked (" + facts.revision->spec().revoked().reason() +
                "): it goes to no site and starts "
                "nowhere; " +
                sites(facts.rollout->held) + " keep what they have; change the app, which makes another revision");
    else if (facts.rollout->held > 0)
        set("Progressing", "False", "Halted",
            "spec.rollout.halted: " + sites(facts.rollout->held) +
                " keep what they have, also on their return; set it to false to go on "
                "with revision " +
                revision);
    else if (facts.revision->spec().has_revoked())
        set("Progressing", "False", "Revoked",
            "revision " + revision + " is revoked (" + facts.revision->spec().revoked().reason() +
                "): what runs of it runs on until it "
                "ends, and is not started again; change the app, which makes another revision");
    else if (behind_in_touch > 0 && facts.frozen && facts.rollout->waiting > 0)
        set("Progressing", "False", "Frozen", "rollout.maxUnavailable is 0, so no site may be updated; set it to 1 or more");
    else if (behind_in_touch > 0)
        set("Progressing", "True", "RollingOut",
            "revision " + revision + " is at " + std::to_string(counts.updated.size()) + " of " + sites(counts.wanted.size()) +
                away);
    else if (!placed && counts.wanted.empty())
        set("Progressing", "False", shortage_reason, "revision " + revision + " is at no site: " + shortage);
    else
        set("Progressing", "True", "Complete", "revision " + revision + " is at " + sites(counts.updated.size()) + away);

    std::string unreachable =
        counts.unreachable.empty() ? "" : sites(counts.unreachable.size()) + " out of touch, where it runs on as far as is known";
    if (facts.revision->spec().state() != "running")
        set("Available", "False", "Stopped",
            "spec.state is " + facts.revision->spec().state() + "; set it to running to start it");
    else if (!counts.unavailable.empty()) {
        bool known = !counts.trouble.reason.empty();
        set("Available", "False", known ? counts.trouble.reason : "Starting",
            known ? counts.trouble.message : "not all instances are ready at " + sites(counts.unavailable.size()));
    } else if (!placed)
        set("Available", "False", shortage_reason, shortage);
    else if (!counts.wanted.empty() && counts.unreachable.size() == counts.wanted.size())
        set("Available", "Unknown", "OutOfTouch", unreachable);
    else
        set("Available", "True", "Available", unreachable);
}

} // namespace skerry::fleet
