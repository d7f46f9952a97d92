#pragma once

#include "env/env.h"
#include "store/store.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace skerry::cell {

/// One part of one object, as a member of a slice.
struct Member {
    store::Key key;
    store::Part part = store::Part::wish;
    bool operator==(const Member&) const = default;
};

enum class SliceLane : std::uint8_t { desired, status };

/// Says which objects one neighbour should hold (rule A2: a closure over references), and what it may send us. Given by a role;
/// asked by the cell. Pure: answers depend on the arguments alone (and what a lookup finds).
class Slicer {
public:
    virtual ~Slicer() = default;

    /// Of members in either direction: what is sent and what is accepted.
    virtual SliceLane lane(const Member&) const = 0;
    /// The same, where it depends on the role of the peer.
    virtual SliceLane lane_for(env::Peer::Role, const Member& member) const { return lane(member); }
    /// Whom this object is for by itself: names of children (down), or anything (up: non-empty means it goes up). Which parts of
    /// it go: none, where it only pulls along what it refers to.
    struct Root {
        std::string peer;
        std::vector<store::Part> parts;
        env::Peer::Role role = env::Peer::Role::site; ///< of that child; a site and a node may have the same name
    };
    using Lookup = std::function<store::ObjectPtr(const store::Key&)>;
    virtual std::vector<Root> roots(const store::Object&, const Lookup&) const = 0;
    /// What must travel along with an object that is in a slice; their wish parts only.
    virtual std::vector<store::Key> references(const store::Object&) const = 0;

    /// Whether a peer may send us this part: what a site's or node's identity owns. `before` is what we hold now, null where
    /// nothing.
    virtual bool accepts(const env::Peer& from, const Member&, CellId home, const google::protobuf::Message& content,
                         const store::Object* before) const = 0;
};

/// The core's or region's slices for its sites: Site, its Allocations, their Apps, Revisions, pins and Projects, its Overrides, and
/// the Revisions that its Instances are still on; accepts status of those, and the site's own Nodes, Instances, Events, Apps with
/// their Allocations, and Overrides (rules W1, W2). A site's Secrets, Configs and Images stay there. Apps that are for one site only
/// (rule H6) are in its slice for themselves, with the Secrets and Configs that they read.
std::unique_ptr<Slicer> slices_for_sites();
/// A site's slices for its nodes: Node, its Instances, their Revisions, pins, Site and Projects.
std::unique_ptr<Slicer> slices_for_nodes();
/// Of a cell that has sites and nodes as children. A peer is asked about by its role.
std::unique_ptr<Slicer> slices_for_both(std::unique_ptr<Slicer> sites, std::unique_ptr<Slicer> nodes);
/// What a site sends up: found of its Site, Allocations and Overrides; what it decides itself of Apps, Allocations, Overrides,
/// Nodes, Instances and Events whole; and what it hands over (rule H6), told by the id of its cell. Accepts any wish from its parent.
std::unique_ptr<Slicer> slice_of_site(std::string site, CellId self = {});
/// What a region sends up: the same, for the region as one site; of its sites only the sums, and no Events of theirs.
std::unique_ptr<Slicer> slice_of_region(std::string region);
/// What a node sends up: found of its Node and Instances, its Events.
std::unique_ptr<Slicer> slice_of_node(std::string node);

} // namespace skerry::cell
