#pragma once

#include "cell/writing.h"
#include "env/env.h"
#include "fleet/app_world.h"
#include "fleet/fleet.h"
#include "fleet/given.h"
#include "fleet/leavers_loop.h"
#include "fleet/rest.h"
#include "fleet/room.h"
#include "model/conditions.h"
#include "plan/app.h"
#include "plan/partition.h"
#include "plan/rollout.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace skerry::model {
class App;
class AppStatus;
class Revision;
} // namespace skerry::model

namespace skerry::fleet {

/// Where the components of one app should be, and why not everywhere.
struct Placement {
    std::vector<plan::WantedAllocation> wanted;
    struct Shortage {
        std::string component;
        std::string reason;
        std::string message;
    };
    std::vector<Shortage> shortages;
    /// What the partition policies say of sites that are away or come back.
    struct Ruling {
        std::string component;
        plan::Verdict verdict;
        bool in_touch = false;
    };
    std::vector<Ruling> rulings;
    std::set<std::string> replaced; ///< sites that get substitutes now
    std::optional<Duration> next;   ///< when it may come out differently with nothing but time passing
};

/// Sites that may get their first substitutes at this moment.
struct Pace {
    std::size_t budget = 0;
    std::set<std::string> granted;
};

/// Places all components of a revision over the sites; takes what it gives from `rooms`. `found`: the app's allocations. `plain`:
/// the suffix of those that are made and stand in for nobody. `only`: at no other site; empty: at any.
Placement place_app(const model::Revision&, const std::vector<store::ObjectPtr>& found, std::map<std::string, SiteRoom>& rooms,
                    const Pace&, const std::string& plain, const std::string& only);

/// `<app>.<component>.<site>`, and behind it what tells several at one site apart.
std::string allocation_name(std::string_view app, std::string_view component, std::string_view site, std::string_view suffix);
std::string suffix_of(const store::Object& allocation);

/// What a site answered about an Allocation, to be held against the replicas that it was given. A region answers with sums over its
/// sites, and of mode each it was given the replicas of one: it is ready when all that it is in touch with are.
struct Answered {
    bool observed = false; ///< the present wish
    std::uint32_t ready = 0;
    std::uint32_t updated = 0;
};
Answered answered(const store::Object& allocation, bool by_region);

/// What the app's status says. `obstacles`: why there is no newer Revision.
struct AppFacts {
    const model::App* app = nullptr;
    const model::Revision* revision = nullptr; ///< null: none yet
    const std::vector<plan::Obstacle>* obstacles = nullptr;
    const Placement* placement = nullptr;
    const plan::RolloutPlan* rollout = nullptr;
    const std::vector<store::ObjectPtr>* allocations = nullptr;
    const std::map<std::string, SiteRoom>* rooms = nullptr;
    bool frozen = false; ///< maxUnavailable is 0
};
void summarise_app(const AppFacts&, const std::string& now, model::AppStatus& status);
/// The condition `Overridden`: which sites decide something of the app otherwise. Absent where none does.
void summarise_overrides(const store::Store&, const store::Object& app, const std::string& now, model::AppStatus& status);

/// The loop "rollouts": Revision → Allocations over sites, wave by wave; the status of each App; Allocations of Apps that are
/// gone.
class RolloutsLoop final : public cell::Loop {
public:
    /// `leavers`: null in a site's cell.
    RolloutsLoop(cell::Cell& cell, Options options, const LeaversLoop* leavers)
        : cell_(cell), options_(std::move(options)), leavers_(leavers), writing_(cell, "rollouts"), rest_(cell, "rollouts"),
          allowance_(options_.caution.per_minute) {
        cell_.recovery().add_planner(name());
        if (!options_.region.empty()) hold_leases();
    }

    std::string_view name() const override { return "rollouts"; }
    bool wakes(const store::Change&) const override;
    void turn() override;

private:
    bool comes_over(const store::Object& allocation) const;
    struct Rolled {
        Placement placement;
        plan::RolloutPlan rollout;
        bool frozen = false; ///< maxUnavailable is 0
    };
    bool overtake(const std::vector<store::ObjectPtr>& own);
    void judge_sites(std::map<std::string, SiteRoom>& rooms);
    void roll(const store::Object& app, const RevisionList&, const std::vector<store::ObjectPtr>& allocations,
              std::map<std::string, SiteRoom>& rooms);
    /// Places a revision and goes a step towards that; `above`: by component, the epoch of what a region was given for it.
    Rolled roll_out(const store::Object& app, const model::Revision&, const std::vector<store::ObjectPtr>& allocations,
                    std::map<std::string, SiteRoom>& rooms, const Above& above);
    /// Of a region: what the parent gave it of one App.
    void divide(const store::Key& app, const std::vector<store::ObjectPtr>& given, const std::vector<store::ObjectPtr>& own,
                std::map<std::string, SiteRoom>& rooms);
    void refuse(const store::Object& given, const std::string& reason, const std::string& message);
    void raise(const GivenPart&, const Rolled&, const std::string& app, const std::vector<store::ObjectPtr>& own);
    void answer(const GivenPart&, const Rolled&, const std::vector<store::ObjectPtr>& own,
                const std::map<std::string, SiteRoom>& rooms);
    void report_region(const std::map<std::string, SiteRoom>& rooms);
    void hold_leases();
    plan::RolloutInput input_for(const model::App&, const model::Revision&, const Placement&,
                                 const std::vector<store::ObjectPtr>& allocations,
                                 const std::map<std::string, SiteRoom>& rooms) const;
    std::string settled_revision(const model::App&, const std::vector<store::ObjectPtr>& allocations) const;
    void apply(const store::Object& app, const model::Revision&, const plan::RolloutPlan&,
               const std::vector<store::ObjectPtr>& allocations, const std::map<std::string, SiteRoom>& rooms,
               const Above& above);
    std::map<std::string, std::set<store::Key>> leaving(const store::Object& app, const plan::RolloutPlan&,
                                                        const std::vector<store::ObjectPtr>& allocations,
                                                        const std::map<std::string, SiteRoom>& rooms);
    /// Takes an Allocation away (rule H7). It stays, for no replicas and shown as `Removing`, until its site has said that nothing of
    /// it runs, or is gone; one of policy atMostOnce until nothing of it can run. A site that is in touch may be cut off already:
    /// wanted again before it has heard, it is the same Allocation, and nothing restarts.
    void remove(const store::Object& allocation, const std::map<std::string, SiteRoom>& rooms);
    bool may_run(const store::Object& allocation, const std::map<std::string, SiteRoom>& rooms);
    bool is_once(const store::Object& allocation) const;
    /// `why` empty: it stays.
    void mark_removing(const store::Object& allocation, const std::string& why);
    /// Of Allocations of a site's own Apps: they have names that no Allocation of the parent has (rule H5).
    std::string plain() const { return options_.only_own_site ? "own" : ""; }
    /// Halfway: some of its Allocations have the newest revision, some not.
    bool paused(const store::Object& app, bool halfway);
    void report(const store::Object& app, const AppFacts&);
    void report_name(const store::Object& app, model::Conditions&) const;
    void report_rulings(const store::Object& app, const AppFacts&);
    void wake_in(Duration);

    cell::Cell& cell_;
    Options options_;
    const LeaversLoop* leavers_;
    cell::Writing writing_;
    bool disk_is_full_ = false; ///< the last words were refused for that
    Rest rest_;
    Reads reads_;
    std::map<Uid, Instant> last_wave_;
    std::map<std::string, Instant> testified_; ///< by site: when a neighbour last vouched for it
    Pace pace_;
    double allowance_; ///< of sites that may get their first substitutes
    Instant allowed_at_{};
    std::uint64_t given_changes_ = 0; ///< of what the parent gave, seen so far
    std::unique_ptr<store::Watch> given_watch_;
    std::optional<Duration> wake_in_;
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::fleet
