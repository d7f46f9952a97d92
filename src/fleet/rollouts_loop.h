#pragma once

#include "cell/writing.h"
#include "env/env.h"
#include "fleet/fleet.h"
#include "fleet/pace.h"
#include "fleet/room.h"
#include "plan/app.h"
#include "plan/rollout.h"

#include <map>
#include <memory>
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
        std::string reason;
        std::string message;
    };
    std::vector<Shortage> shortages;
};

/// Places all components of a revision over the sites; takes what it gives from `rooms`. `found`: the app's allocations.
Placement place_app(const model::Revision&, const std::vector<store::ObjectPtr>& found, std::map<std::string, SiteRoom>& rooms);

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

/// The loop "rollouts": Revision → Allocations over sites, wave by wave; the status of each App; Allocations of Apps that are
/// gone.
class RolloutsLoop final : public cell::Loop {
public:
    RolloutsLoop(cell::Cell& cell, Options options)
        : cell_(cell), options_(std::move(options)), writing_(cell, "rollouts"), pace_(cell, "rollouts") {}

    std::string_view name() const override { return "rollouts"; }
    bool wakes(const store::Change&) const override;
    void turn() override;

private:
    void roll(const store::Object& app, const std::vector<store::ObjectPtr>& allocations, std::map<std::string, SiteRoom>& rooms);
    plan::RolloutInput input_for(const model::App&, const model::Revision&, const Placement&,
                                 const std::vector<store::ObjectPtr>& allocations,
                                 const std::map<std::string, SiteRoom>& rooms) const;
    void apply(const store::Object& app, const model::Revision&, const plan::RolloutPlan&);
    bool paused(const store::Object& app);
    void report(const store::Object& app, const AppFacts&);

    cell::Cell& cell_;
    Options options_;
    cell::Writing writing_;
    Pace pace_;
    std::map<Uid, Instant> last_wave_;
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::fleet
