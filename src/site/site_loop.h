#pragma once

#include "cell/writing.h"
#include "env/env.h"
#include "plan/site.h"
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
        /// By name of the allocation within its project, then of the instance.
        std::map<std::pair<std::string, std::string>, std::map<std::string, store::ObjectPtr>> instances;
        std::vector<plan::SiteNode> seats; ///< one for each of `nodes`
    };
    World read();
    /// How a node is, by what this cell heard of it.
    struct Touch {
        bool in_touch = false;
        bool silent = false;
        bool ever = false; ///< since this process started
    };
    Touch touch_of(const std::string& node);
    plan::SiteAllocation planned(const store::Object& allocation, const World&) const;
    void erase_orphans(const World&);
    void apply(const plan::SitePlan&, const World&);
    void report_allocations(const plan::SitePlan&, const World&);
    void report_nodes(const World&);
    void report_site(const World&, const std::vector<plan::SiteAllocation>&);
    bool is_silent(const World&, const std::string& node) const;
    void wake_at(Instant);
    Instant now() const { return cell_.env().clock.now(); }
    std::string wall() const { return rfc3339(cell_.env().clock.wall()); }

    cell::Cell& cell_;
    Options options_;
    cell::Writing writing_;
    Instant next_wake_ = Instant::never();
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::site
