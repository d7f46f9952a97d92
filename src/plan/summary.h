#pragma once

#include "base/units.h"
#include "model/node_port.h"
#include "plan/site.h"

#include <cstdint>
#include <string>
#include <vector>

namespace skerry::model {
class Allocation;
class AllocationStatus;
class Instance;
class Resources;
class SiteStatus;
} // namespace skerry::model

/// What a site says up the tree: a summary of each Allocation, and of itself.
namespace skerry::plan {

struct CountedInstance {
    const model::Instance* instance = nullptr;
    bool silent = false; ///< its node is: what it last said does not count
};

/// Status of an Allocation from its Instances. `shortage` is why not all have a node (empty: they have); `settled` says that the
/// Instances are those of the present generation, so that it counts as observed: from then on the room they take is in the Site's
/// summary (rule A5). `status` holds the last one and becomes the new one; times of conditions move only where their status
/// changes.
void summarise_allocation(const model::Allocation&, const std::vector<CountedInstance>&, const SitePlan::Shortage& shortage,
                          bool settled, const std::string& now, model::AllocationStatus& status);

struct SiteTotals {
    std::uint32_t nodes = 0;
    std::uint32_t ready_nodes = 0;
    MilliCpu cpu, cpu_free; ///< of ready nodes
    Bytes memory, memory_free;
    std::vector<model::NodePort> used_ports; ///< as often as published
};

/// Writes totals into a Site's status with hysteresis: what shrank is told at once, what grew when it grew by 5 % of the
/// capacity, or together with anything else that changed. So what is told is never more than there is, and small comings and
/// goings cost nothing.
void summarise_site(const SiteTotals&, model::SiteStatus& status);

} // namespace skerry::plan
