#pragma once

#include "cell/cell.h"
#include "model/node_port.h"
#include "place/place.h"
#include "plan/partition.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::model {
class ClosedComponent;
}

namespace skerry::fleet {

/// What one replica asks of a place.
struct Demand {
    MilliCpu cpu;
    Bytes memory;
    std::vector<model::NodePort> ports;
};
Demand demand_of(const model::ClosedComponent&);

struct SiteRoom {
    store::ObjectPtr object;
    bool in_touch = false;
    bool by_courier = false;                        ///< out of touch, and its wishes go on by courier file
    bool joined = false;                            ///< has ever been in touch
    bool divides = false;                           ///< a region: it places what it is given over sites of its own
    std::shared_ptr<const model::Labels> inherited; ///< its labels over those of the region; null: its own
    plan::PartitionSite partition;                  ///< `one_of_many` and the time of a neighbour's word are for the loop to add
    std::string jurisdiction;
    std::optional<MilliCpu> cpu; ///< none: it has never told
    std::optional<Bytes> memory;
    std::uint32_t machines = 1;
    std::vector<model::NodePort> used_ports;

    void take(const Demand&, std::int64_t replicas);
    /// What selectors are held against.
    const model::Labels& labels() const;
};

/// By silent site: a neighbour in touch that hears it. Only sites that an operator made neighbours speak for each other.
std::map<std::string, std::string> testimony(const store::Store&, const std::function<bool(const std::string&)>& in_touch);

/// Room of every site (rule A5): what it reported, less what was given to it that its report does not reflect yet. An Allocation
/// is reflected from the report on that answers to its generation; what a site says of Allocations and of itself travels
/// together. `region`: the Site of this cell itself, which is no place of its own, and whose labels its sites have beneath theirs.
std::map<std::string, SiteRoom> read_rooms(cell::Cell&, const std::string& own_site, const std::string& region);

} // namespace skerry::fleet
