#pragma once

#include "base/ids.h"
#include "base/time.h"
#include "env/env.h"
#include "sync/flow.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skerry::cell {

/// What a cell knows of one neighbour by link, from memory.
struct PeerView {
    env::Peer peer;
    bool in_touch = false;
    std::optional<Instant> heard; ///< last frame; none since this process started
    std::uint64_t sent = 0;       ///< bytes on control wires since this process started
    std::uint64_t received = 0;
    bool in_agreement = false; ///< holds all it should, as of the last beat or batch
    /// Of a child: number in this cell's history up to which the child has everything (rule A5). Of the parent: number in the
    /// parent's history up to which this cell has everything, which is what its summary reflects.
    std::uint64_t acknowledged = 0;
    /// Of a child: the moment after which nothing that runs under its lease can run any more: the end of the lease as this cell
    /// must assume it, the margin for drift, and the time to stop (rules F3, F4). A parent that restarted takes every lease for
    /// granted at its own start. None: the child holds no lease, and nothing can run under one.
    std::optional<Instant> lease_over;
    /// That lease was granted to the very run of the child that was heard last; false: to an earlier one, or another machine of its name.
    bool holds_lease = false;
    std::string version;     ///< of its program; empty before its first hello
    std::size_t refused = 0; ///< items of the peer that this cell keeps out (a name is taken here, or its history went back)
    std::string doubled;     ///< what to do about a second cell of the same identity that calls; empty: none does
    /// Of those, whose name is taken here (rule H5): "App retail/till"; the first few.
    std::vector<std::string> names_taken;
    /// Of the parent: which objects of this cell it does not take in since it has others of their names, as it last said.
    std::vector<std::string> names_taken_there;
    sync::Path path; ///< how well the way carries, as the child measures it
    /// Status that this cell would send has to wait for the budget (cell/links/meters.h).
    bool status_waits = false;
    /// Objects that were decided here, that only this peer has since this cell's history went back, and that stay there (rule H3);
    /// the first few that it gave back and that could not be taken in, with the reason.
    std::size_t orphans = 0;
    std::vector<std::string> left_there;
    bool recalling = false; ///< it is asked for what it has of them
    std::string trouble;    ///< why there is no agreement or no touch, as a sentence
};

class Peers {
public:
    virtual ~Peers() = default;
    /// Children seen since the start, by name. A child that has not called since this process started is absent, unless it may
    /// hold a lease of before.
    virtual std::vector<PeerView> children() const = 0;
    /// A site and a node may have the same name: any of the two without a role.
    virtual std::optional<PeerView> child(std::string_view name, std::optional<env::Peer::Role> role = {}) const = 0;
    virtual std::optional<PeerView> parent() const = 0;
    /// When this cell began to listen: silence is only meaningful after it.
    virtual Instant listening_since() const = 0;
};

} // namespace skerry::cell
