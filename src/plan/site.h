#pragma once

#include "base/units.h"
#include "model/selector.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Allocations → Instances on the nodes of one site; replaces what silent nodes held (rule F7).
///
/// Worked example: allocation `pos` with two replicas on nodes a and b. b falls silent for 10 s: its instance no longer counts, a
/// third is made on node c. b returns, its instance still runs: three where two are wanted. The one that is not ready goes; if
/// all are, the oldest on the node that was away, so that the ready replacement stays. Nothing restarts.
namespace skerry::plan {

struct SiteNode {
    std::string name;
    MilliCpu cpu; ///< capacity
    Bytes memory;
    bool in_touch = false;           ///< takes new instances (reported its capacity, was heard lately, is not closed)
    bool silent = false;             ///< longer than the rule allows: what it held is replaced
    bool exists = true;              ///< false: its Node object is gone, and all it held with it
    std::vector<std::string> images; ///< digests held
};

struct SiteInstance {
    std::string name;
    std::string node;
    std::string revision; ///< wanted
    std::string state;    ///< wanted
    std::string made;     ///< RFC 3339; ties are broken by name
    bool ready = false;
    std::string hash; ///< of what runs, as reported; empty: nothing yet
};

struct SiteAllocation {
    std::string name; ///< with its project, so that it is unique
    std::uint32_t replicas = 0;
    std::string revision;
    std::string hash; ///< of its component in that revision
    std::string state;
    MilliCpu cpu; ///< of one replica
    Bytes memory;
    std::vector<std::uint16_t> ports; ///< published
    std::string image;
    /// Its Revision is here; otherwise instances stay as they are and none are made.
    bool resolved = false;
    std::vector<SiteInstance> instances;
};

struct InstanceChange {
    enum class What : std::uint8_t { create, update, erase } what = What::create;
    std::size_t allocation = 0; ///< index into the input
    std::string instance;       ///< of update and erase
    std::string node;           ///< of create
    bool operator==(const InstanceChange&) const = default;
};

/// More on one node than this is not a plan but a mistake.
inline constexpr std::size_t most_on_a_node = 250;
/// New instances of one plan; the next one goes on.
inline constexpr std::size_t most_new = 64;

struct SitePlan {
    std::vector<InstanceChange> changes; ///< those to erase first
    /// For each allocation: why not all of its replicas have a node. Empty: they have.
    struct Shortage {
        std::string reason; ///< NoRoom, PortTaken, NoNode
        std::string message;
    };
    std::vector<Shortage> shortages;
};

/// Allocations are served in the order given. An update changes revision and state of an instance in place; where it restarts one
/// of several replicas, the others wait so that at most a quarter of them (at least one) is not ready at a time.
SitePlan plan_site(const std::vector<SiteAllocation>&, const std::vector<SiteNode>&);

} // namespace skerry::plan
