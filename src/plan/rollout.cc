#include "plan/rollout.h"

#include <algorithm>
#include <map>
#include <utility>

namespace skerry::plan {

namespace {

/// Everything of the app at one site.
struct SiteWork {
    RolloutSite state;
    bool has_work = false;    ///< runs something that is to run
    bool unavailable = false; ///< not everything that is wanted there is known to be ready
    bool broken = false;      ///< the site itself says so
    std::vector<RolloutStep> disruptive;
};

bool available(const FoundAllocation& found) {
    return found.observed && found.ready >= found.replicas && found.updated >= found.replicas;
}

} // namespace

RolloutPlan plan_rollout(const RolloutInput& input) {
    std::map<std::pair<std::string, std::string>, const WantedAllocation*> wanted;
    for (const auto& one : input.wanted) wanted[{one.site, one.component}] = &one;
    std::map<std::pair<std::string, std::string>, const FoundAllocation*> found;
    for (const auto& one : input.found) found[{one.site, one.component}] = &one;
    std::map<std::string, SiteWork> sites;
    for (const auto& [name, state] : input.sites) sites[name].state = state;

    RolloutPlan plan;
    std::vector<RolloutStep> creations, quiet;
    for (const auto& [key, one] : found) {
        SiteWork& site = sites[one->site];
        auto wish = wanted.find(key);
        if (one->foreign || wish == wanted.end() || !site.state.exists) {
            plan.steps.push_back({RolloutStep::What::erase, one->component, one->site, 0});
            continue;
        }
        if (one->running && one->replicas > 0) {
            site.has_work = true;
            if (!available(*one)) site.unavailable = true;
            if (one->observed && one->ready < one->replicas) site.broken = true;
        }
        if (one->revision == input.revision && one->replicas == wish->second->replicas) continue;
        RolloutStep step{RolloutStep::What::update, one->component, one->site, wish->second->replicas};
        bool restarts = one->revision != input.revision && one->hash != wish->second->hash;
        bool disruptive = restarts && input.running && one->running && one->replicas > 0 && wish->second->replicas > 0;
        (disruptive ? site.disruptive : quiet).push_back(std::move(step));
    }
    for (const auto& [key, one] : wanted)
        if (!found.contains(key) && sites[one->site].state.exists && one->replicas > 0)
            creations.push_back({RolloutStep::What::create, one->component, one->site, one->replicas});

    std::int64_t budget = input.max_unavailable;
    for (const auto& [name, site] : sites) {
        if (!site.state.in_touch || !site.has_work || !site.unavailable) continue;
        ++plan.unavailable;
        --budget;
    }
    plan.steps.insert(plan.steps.end(), quiet.begin(), quiet.end());
    plan.steps.insert(plan.steps.end(), creations.begin(), creations.end());
    for (auto& [name, site] : sites) {
        if (site.disruptive.empty()) continue;
        if (!site.state.in_touch) {
            ++plan.waiting_away;
            continue;
        }
        // One that has not answered yet is in the count already, but may work: it goes on only while the count is within bounds.
        bool counted = site.broken || (site.unavailable && budget >= 0);
        if (!counted) {
            if (budget <= 0 || input.paused) {
                ++plan.waiting;
                continue;
            }
            --budget;
            plan.wave = true;
        }
        plan.steps.insert(plan.steps.end(), site.disruptive.begin(), site.disruptive.end());
    }
    return plan;
}

} // namespace skerry::plan
