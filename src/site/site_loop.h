#pragma once

#include "cell/writing.h"
#include "env/env.h"
#include "model/allocation.pb.h"
#include "plan/site.h"
#include "site/effective.h"
#include "site/site.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace skerry::site {

/// The loop "site": Allocations → Instances on the nodes, and what is found of them → status of Allocations, Nodes and the Site.
/// One loop, since the Site's free room and the Allocations it reflects are told together (rule A5).
class SiteLoop final : public cell::Loop {
public:
    SiteLoop(cell::Cell&, Options);

    std::string_view name() const override { return "site"; }
    bool wakes(const store::Change&) const override;
    void turn() override;

private:
    /// Everything of this site, read afresh.
    struct World {
        std::vector<store::ObjectPtr> nodes;
        std::vector<store::ObjectPtr> allocations;
        std::vector<Effective> effective; ///< one for each of `allocations`
        /// By name of the allocation within its project, then of the instance.
        std::map<std::pair<std::string, std::string>, std::map<std::string, store::ObjectPtr>> instances;
        std::vector<plan::SiteNode> seats;  ///< one for each of `nodes`
        std::map<std::string, bool> leased; ///< by node that instances name, also of those without a Node object
    };
    World read();
    /// How a node is, by what this cell heard of it.
    struct Touch {
        bool in_touch = false;
        bool silent = false;
        bool ever = false; ///< since this process started
    };
    Touch touch_of(const std::string& node);
    /// Something may run on that node under its lease (rules F4, F7).
    bool is_leased(const std::string& node);
    static bool is_once(const store::Object& instance);
    bool may_still_run(const store::Object& instance, const World&) const;
    bool is_gone(const store::Object& instance, const World&) const;
    /// What a node says of work that may run once, while another machine of its name may run that under an earlier lease.
    bool is_hearsay(const store::Object& instance, const World&) const;
    /// The highest epoch accepted of each allocation is in the notes before anything is done for it (rule H4):
    ///
    ///     notes space "epoch.site":  <project>/<name> → epoch
    ///
    /// Returns for each allocation whether its epoch is refused.
    std::vector<bool> accept_epochs(const World&);
    model::Epoch accepted(const store::Object& allocation) const;
    plan::SiteAllocation planned(std::size_t allocation, const World&) const;
    /// Whether an App of this site's own has the name of the App that it belongs to (rule H5).
    bool is_name_taken(const store::Object& allocation) const;
    std::string missing_instance(const store::Object& allocation) const;
    void erase_orphans(const World&);
    void apply(const plan::SitePlan&, const World&);
    void report_allocations(const plan::SitePlan&, const World&, const std::vector<plan::SiteAllocation>&,
                            const std::vector<bool>& refused);
    void report_nodes(const World&);
    void report_site(const World&, const std::vector<plan::SiteAllocation>&);
    bool is_silent(const World&, const std::string& node) const;
    void wake_at(Instant);
    Instant now() const { return cell_.env().clock.now(); }
    std::string wall() const { return rfc3339(cell_.env().clock.wall()); }

    cell::Cell& cell_;
    Options options_;
    cell::Writing writing_;
    bool disk_is_full_ = false; ///< the last word was refused for that
    Instant next_wake_ = Instant::never();
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::site
