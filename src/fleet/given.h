#pragma once

#include "model/allocation.pb.h"
#include "model/revision.pb.h"
#include "store/store.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

/// What the cell above gave to a region, as wishes to place (rule A3): pure, from the store's objects.
///
/// Worked example: the core gave region emea Allocation `till.pos.emea`: revision till.3, one replica, epoch 2.1; its component is of
/// mode each with selector tier=store. The region looks at that component of till.3 with the replicas given, places it over its own
/// sites, and writes `till.pos.store-1` and `till.pos.store-2`, epochs 2.1/1.1. Of mode spread with five replicas given the two get
/// three and two. When the core raises the epoch to 2.4, theirs become 2.4/1.1: none of before counts at a site any more.
///
/// The awkward ones:
/// - The core has changed the Allocation of one component and the other's change is still on its way: they are two parts for that
///   moment, each with the components of its revision.
/// - The region stands in for a sibling: it was given two Allocations of one component, and places the sum.
namespace skerry::fleet {

/// By component: the epoch of what was given for it.
using Above = std::map<std::string, model::Epoch>;

/// Components of one App that were given in one Revision.
struct GivenPart {
    model::Revision revision;                  ///< those components alone, each for as many replicas as were given
    Above above;                               ///< never below what the region has acted on
    std::vector<store::ObjectPtr> allocations; ///< that were given, in the order of their names
};

/// Allocations that the cell above gave to `region`, by project and name of the App. None where the name is empty.
std::map<std::pair<std::string, std::string>, std::vector<store::ObjectPtr>> given_to(const store::Store&,
                                                                                      const std::string& region);

/// The parts of one App. `own`: the region's own Allocations of it. Left out: what names a Revision that is not here, or has an epoch
/// below what the region has acted on (rule H4); of that everything stays as it is.
std::vector<GivenPart> parts_of(const store::Store&, const std::vector<store::ObjectPtr>& given,
                                const std::vector<store::ObjectPtr>& own);

} // namespace skerry::fleet
