#pragma once

#include "cell/cell.h"
#include "cell/writing.h"
#include "fleet/rest.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace skerry::fleet {

/// The loop "leavers": what is left of cells that speak for a site no more, since the Site was deleted or another machine has
/// joined for it (rule H6).
///
/// Instances, Nodes, Events, and Allocations of a site's own Apps go in one moment: when no lease of that cell can run any more
/// (rules F3, F4), where it had none at once. Until then the site counts as one at which something may run. What it said of our
/// own objects goes with them. Apps and Overrides that were decided there stay, for people to delete.
///
/// The moment is fixed when the leaving is first seen, before the cell that came after can hold a lease of its own.
class LeaversLoop final : public cell::Loop {
public:
    explicit LeaversLoop(cell::Cell& cell) : cell_(cell), writing_(cell, "leavers"), rest_(cell, "leavers") {}

    std::string_view name() const override { return "leavers"; }
    bool wakes(const store::Change&) const override;
    void turn() override;

    /// A former cell of this site may still run something under its lease.
    bool holds(const std::string& site) const { return held_.contains(site); }

private:
    bool is_over(const std::string& site, CellId);
    void tell(const std::string& site, std::size_t instances);

    cell::Cell& cell_;
    cell::Writing writing_;
    Rest rest_;
    std::map<CellId, Instant> until_, until_before_; ///< by cell that left: its moment
    std::set<std::string> held_;
    std::optional<Duration> next_;
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::fleet
