#pragma once

#include "base/units.h"
#include "model/node_port.h"
#include "model/selector.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::model {
class Selector;
class Within;
} // namespace skerry::model

/// Where replicas go: a snapshot of candidates and constraints in, a proposal with its reasons out. Pure and deterministic. The
/// same function places over sites (in a fleet) and over nodes (in a site).
namespace skerry::place {

/// What of one component could run where, as of one moment. Columns of equal length, one row for each candidate; `add` keeps them
/// so.
struct Snapshot {
    /// One row, for filling the columns.
    struct Candidate {
        std::string name;
        /// Not owned; must outlive the snapshot. Null: none.
        const model::Labels* labels = nullptr;
        std::string jurisdiction;
        /// Room beside the replicas that are there already; none: never reported, so that only the place itself can say.
        std::optional<MilliCpu> cpu_free;
        std::optional<Bytes> memory_free;
        /// Machines at the candidate; each can publish a port once.
        std::uint32_t machines = 1;
        /// Ports published there by others, as often as they are.
        std::vector<model::NodePort> used_ports;
        /// Takes new replicas: in touch and not closed by its operator. Replicas that are there stay either way.
        bool open = true;
        bool holds_image = false;
        /// Of what is being placed, there now.
        std::uint32_t replicas = 0;
    };
    void add(Candidate);
    std::size_t size() const { return name.size(); }

    std::vector<std::string> name;
    std::vector<const model::Labels*> labels;
    std::vector<std::string> jurisdiction;
    std::vector<std::optional<MilliCpu>> cpu_free;
    std::vector<std::optional<Bytes>> memory_free;
    std::vector<std::uint32_t> machines;
    std::vector<std::vector<model::NodePort>> used_ports;
    std::vector<std::uint8_t> open;
    std::vector<std::uint8_t> holds_image;
    std::vector<std::uint32_t> replicas;
};

enum class Mode : std::uint8_t {
    each,    ///< `replicas` at every candidate that matches, also at closed ones
    spread,  ///< `replicas` in total, as evenly as they fit
    binpack, ///< `replicas` in total, on as few candidates as they fit
};

struct Constraints {
    Mode mode = Mode::spread;
    std::uint32_t replicas = 1;
    const model::Selector* selector = nullptr; ///< null: every candidate
    const model::Within* within = nullptr;     ///< null: any law
    MilliCpu cpu;                              ///< of one replica
    Bytes memory;
    std::vector<model::NodePort> ports; ///< published by each replica
};

/// Why a candidate takes no (further) replica.
enum class Why : std::uint8_t { selector, jurisdiction, closed, cpu, memory, port };

struct Reason {
    Why why{};
    std::size_t candidates = 0;
    model::NodePort port; ///< for Why::port: the one that is taken, at the first such candidate
};

struct Assignment {
    std::size_t row = 0; ///< in the snapshot
    std::uint32_t replicas = 0;
    bool operator==(const Assignment&) const = default;
};

struct Proposal {
    /// In order of rows, each with at least one replica.
    std::vector<Assignment> assignments;
    /// Candidates that the selector chooses.
    std::size_t matching = 0;
    /// Replicas that found no place; for Mode::each summed over the candidates that match.
    std::uint64_t unplaced = 0;
    /// Of candidates that match: what kept them from taking more, most frequent first. Empty when everything was placed.
    std::vector<Reason> reasons;

    /// "142 sites match; 31 lack memory; 2 are out of jurisdiction", with `noun` "site" or "node".
    std::string text(std::string_view noun) const;
};

/// Guarantees: a replica that is at an eligible candidate stays there as long as the wanted number allows; no candidate gets more
/// than fits; equal input gives an equal proposal; its own result, fed back as `replicas` with the room taken, comes out
/// unchanged. Among candidates for a new replica: fewest replicas of the same (spread) or least room left (binpack), then those
/// that hold the image, then most room, then name. Cost O((candidates + replicas) log candidates).
Proposal propose(const Snapshot&, const Constraints&);

} // namespace skerry::place
