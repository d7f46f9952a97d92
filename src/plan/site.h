#pragma once

#include "base/units.h"
#include "model/node_port.h"
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
///
/// The same with policy atMostOnce: b's instance counts until b's lease is over. Then it is told to stop, durably; then the third
/// is made on c. b returns, learns that its instance is to stop before it gets a lease, and the instance is erased.
namespace skerry::plan {

struct SiteNode {
    std::string name;
    MilliCpu cpu; ///< capacity
    Bytes memory;
    bool in_touch = false;           ///< takes new instances (reported its capacity, was heard lately, is not closed)
    bool silent = false;             ///< longer than the rule allows: what it held is replaced
    bool exists = true;              ///< false: its Node object is gone, and all it held with it
    bool leased = false;             ///< something may run there under its lease (policy atMostOnce)
    std::vector<std::string> images; ///< digests held
};

struct SiteInstance {
    std::string name;
    std::string node;
    std::string revision; ///< wanted
    std::string state;    ///< wanted
    std::string made;     ///< RFC 3339; ties are broken by name
    bool ready = false;
    std::string hash;    ///< of what runs, as reported; empty: nothing yet
    bool current = true; ///< has its allocation's epoch
    bool fenced = true;  ///< with policy atMostOnce: its node knows that it needs a lease
    bool gone = false;   ///< told to stop, and known not to run: its node says so, or has no lease any more
};

struct SiteAllocation {
    std::string name; ///< with its project, so that it is unique
    std::uint32_t replicas = 0;
    std::string revision;
    std::string hash; ///< of its component in that revision
    std::string state;
    MilliCpu cpu; ///< of one replica
    Bytes memory;
    std::vector<model::NodePort> ports; ///< published
    std::string image;
    /// Its Revision is here and may start; otherwise instances stay as they are and none are made.
    bool resolved = false;
    bool once = false;        ///< policy atMostOnce
    std::string only;         ///< the node where new instances go; empty: any
    std::uint32_t others = 0; ///< instances of an earlier allocation of that name that may still run: they stop first (rule H1)
    std::vector<SiteInstance> instances;
};

struct InstanceChange {
    enum class What : std::uint8_t {
        create,
        update,
        stop, ///< stays as an object until it is known not to run
        erase
    } what = What::create;
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
        std::string reason; ///< NoRoom, PortTaken, NoNode, LeaseNotOver, OldOneStops
        std::string message;
    };
    std::vector<Shortage> shortages;
};

/// Policy atMostOnce: an instance goes in two steps, told to stop, then erased, and what stands in for it is made only once it is
/// known not to run: its node said so after it was told, or its node's lease is over (rule F7). A node gets a lease again only
/// when it holds all that it was told, so what was replaced meanwhile does not come up there.
///
/// Allocations are served in the order given. An update changes revision and state of an instance in place; where it restarts one
/// of several replicas, the others wait so that at most a quarter of them (at least one) is not ready at a time.
SitePlan plan_site(const std::vector<SiteAllocation>&, const std::vector<SiteNode>&);

} // namespace skerry::plan
