#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// Revision → Allocations of one app: what is wanted at each site against what is there, a few sites at a time (rule A4).
///
/// Worked example: ten sites, one of them out of touch, maxUnavailable 20 % (of the nine in touch: 2), all run revision 3, 4 is
/// wanted. First two sites get revision 4. Each turns unavailable while its instance is replaced; when one is ready again, the
/// next site follows. Were both to fail, nothing more would change: seven sites stay on revision 3. The tenth site gets its turn
/// when it returns, under the same rule; or with the next courier file that is packed for it.
namespace skerry::plan {

struct RolloutSite {
    bool exists = true; ///< false: its Site object is gone
    bool in_touch = false;
    bool by_courier = false; ///< out of touch, and its wishes go on by courier file: it neither counts nor waits
};

struct WantedAllocation {
    std::string component;
    std::string site;
    std::uint32_t replicas = 0;
    std::string hash;        ///< of the component in the wanted revision
    std::string suffix;      ///< tells several of one component at one site apart
    std::string substitutes; ///< the site it stands in for; empty: it is there in its own right
    bool raise = false;      ///< it gets a higher epoch
};

struct FoundAllocation {
    std::string component;
    std::string site;
    std::uint32_t replicas = 0;
    std::string revision;
    std::string hash;        ///< of the component in that revision; empty if unknown
    bool foreign = false;    ///< made for an earlier app of this name: it goes first
    bool running = true;     ///< its revision wants it to run
    bool observed = false;   ///< the site has answered to its present generation
    std::uint32_t ready = 0; ///< as last reported
    std::uint32_t updated = 0;
    std::string suffix;
    std::string substitutes;
};

struct RolloutInput {
    std::string revision; ///< name of the wanted one
    bool running = true;  ///< its state
    std::vector<WantedAllocation> wanted;
    std::vector<FoundAllocation> found;
    /// By (site): every site that occurs above.
    std::vector<std::pair<std::string, RolloutSite>> sites;
    std::int64_t max_unavailable = 1; ///< sites in touch
    bool paused = false;              ///< pauseBetween has not passed since the last wave
    /// Every allocation keeps the revision that it has, sites that return included, until this is over (rule A4); what is created
    /// gets `settled`. An app that is to stop stops all the same.
    bool halted = false;
    std::string settled; ///< the revision that most have and that may start; empty: none, so that nothing is created
};

struct RolloutStep {
    enum class What : std::uint8_t { create, update, erase } what = What::create;
    std::string component;
    std::string site;
    std::uint32_t replicas = 0; ///< of create and update
    std::string suffix;
    std::string revision; ///< of create and update
    std::string substitutes;
    bool raise = false;
    bool operator==(const RolloutStep&) const = default;
};

struct RolloutPlan {
    /// Independent of each other; those to erase first.
    std::vector<RolloutStep> steps;
    /// Whether one of them takes a site out of service for an update, so that a pause starts now.
    bool wave = false;
    std::size_t waiting = 0;      ///< sites in touch that wait for their turn
    std::size_t waiting_away = 0; ///< sites out of touch that wait for their return
    std::size_t held = 0;         ///< sites that keep an older revision, or get nothing, since the rollout is halted
    std::size_t unavailable = 0;  ///< sites in touch without all their instances ready
};

/// Never makes more sites in touch unavailable than `max_unavailable`, beyond those that are already. Steps that restart nothing
/// (the component's hash is the same, the app is to be stopped or was), creations and deletions do not wait; a site that is
/// broken already may always be updated. All components of one site change in one step.
RolloutPlan plan_rollout(const RolloutInput&);

} // namespace skerry::plan
