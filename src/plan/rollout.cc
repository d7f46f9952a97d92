#include "plan/rollout.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
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
    using Slot = std::tuple<std::string, std::string, std::string>; // site, component, suffix
    std::map<Slot, const WantedAllocation*> wanted;
    for (const auto& one : input.wanted) wanted[{one.site, one.component, one.suffix}] = &one;
    std::map<Slot, const FoundAllocation*> found;
    for (const auto& one : input.found) found[{one.site, one.component, one.suffix}] = &one;
    std::map<std::string, SiteWork> sites;
    for (const auto& [name, state] : input.sites) sites[name].state = state;
    bool halted = input.halted && input.running;

    RolloutPlan plan;
    std::set<std::string> held;
    std::vector<RolloutStep> creations, quiet;
    for (const auto& [key, one] : found) {
        SiteWork& site = sites[one->site];
        auto wish = wanted.find(key);
        if (one->foreign || wish == wanted.end() || !site.state.exists) {
            plan.steps.push_back({.what = RolloutStep::What::erase,
                                  .component = one->component,
                                  .site = one->site,
                                  .replicas = 0,
                                  .suffix = one->suffix,
                                  .revision = {},
                                  .substitutes = {}});
            continue;
        }
        if (one->running && one->replicas > 0) {
            site.has_work = true;
            if (!available(*one)) site.unavailable = true;
            if (one->observed && one->ready < one->replicas) site.broken = true;
        }
        bool old = one->revision != input.revision;
        if (old && halted) held.insert(one->site);
        bool moves_on = old && !halted;
        const auto& aim = *wish->second;
        if (!moves_on && one->replicas == aim.replicas && one->substitutes == aim.substitutes && !aim.raise) continue;
        RolloutStep step{.what = RolloutStep::What::update,
                         .component = one->component,
                         .site = one->site,
                         .replicas = aim.replicas,
                         .suffix = one->suffix,
                         .revision = moves_on ? input.revision : one->revision,
                         .substitutes = aim.substitutes,
                         .raise = aim.raise};
        bool restarts = moves_on && one->hash != aim.hash;
        bool disruptive = restarts && input.running && one->running && one->replicas > 0 && aim.replicas > 0;
        if (disruptive && (aim.replicas < one->replicas || one->substitutes != aim.substitutes || aim.raise)) {
            // Less of it, or another standing, restarts nothing and waits for no wave.
            step.revision = one->revision;
            quiet.push_back(std::move(step));
        } else {
            (disruptive ? site.disruptive : quiet).push_back(std::move(step));
        }
    }
    for (const auto& [key, one] : wanted) {
        if (found.contains(key) || !sites[one->site].state.exists || one->replicas == 0) continue;
        const std::string& revision = halted ? input.settled : input.revision;
        if (revision.empty()) {
            held.insert(one->site);
            continue;
        }
        creations.push_back({.what = RolloutStep::What::create,
                             .component = one->component,
                             .site = one->site,
                             .replicas = one->replicas,
                             .suffix = one->suffix,
                             .revision = revision,
                             .substitutes = one->substitutes,
                             .raise = one->raise});
    }
    plan.held = held.size();

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
        if (!site.state.in_touch && site.state.by_courier) {
            plan.steps.insert(plan.steps.end(), site.disruptive.begin(), site.disruptive.end());
            continue;
        }
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
