#pragma once

#include "base/time.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// Who runs what of one component while sites are out of touch, and after: the policies of ARCHITECTURE, "Partitions". Where a
/// substitute goes is for place/; that it goes, and who stays on heal, is decided here.
///
/// Worked example, atLeastOnce with replaceAfter 10m and onHeal keepOriginal: one replica of `pos` is at store-1, two more sites
/// match. store-1 falls silent at 12:00. Until 12:10 nothing happens. Then store-2 gets an allocation that substitutes store-1,
/// with one replica and a higher epoch; store-1 keeps its own, which runs on there as far as anybody knows. At 14:00 store-1
/// returns. Its own allocation gets an epoch above the substitute's: an answer to that is an answer of now, not of 11:59. When it
/// says ready, the substitute goes; what ran at store-1 since yesterday never stopped.
///
/// The awkward ones:
/// - store-2 falls silent too while it stands in: after replaceAfter the substitute does not count, and store-3 gets one. When
///   store-2 returns before store-1, one of the two substitutes is too much, and goes once the other is ready.
/// - store-1 returns and does not become ready: both stay until it does, or until somebody changes the app.
/// - store-1 has two replicas and only one found a place elsewhere (or its share grew while it was away). With keepSubstitute that
///   one takes the place of one of the two, which drains; the other is nobody's to replace, and stays.
/// - Forty of a hundred sites fall silent within two minutes: rather than forty sites it is this cell that has lost its way, so
///   none of them is replaced (`vanished_together`).
/// - store-2 still hears store-1 over their own link: it is alive, its work is known to run, only its uplink is cut. A substitute
///   would be the needless second copy that people complain about after each cut, so there is none while the neighbour says so.
namespace skerry::plan {

enum class PartitionPolicy : std::uint8_t { keep, at_most_once, at_least_once };
enum class OnHeal : std::uint8_t { keep_original, keep_substitute, longest_running };

/// How a site is, by what its parent knows.
struct PartitionSite {
    bool in_touch = false;
    Duration silent{};        ///< since it, or a neighbour of it, was last heard to be alive; at most since this cell listens
    bool one_of_many = false; ///< see `vanished_together`
    std::string heard_by;     ///< a neighbour in touch that hears it; empty: none
    std::optional<Duration> lease_left; ///< until nothing that needs its lease can run there (rule F4); none: not known yet
};

/// One allocation of the component.
struct HeldAllocation {
    std::string site;
    std::string suffix;         ///< tells several at one site apart
    std::string substitutes;    ///< the site it stands in for; empty: it is there in its own right
    std::uint32_t replicas = 0; ///< as wanted now
    bool observed = false;      ///< the site has answered to its present wish
    std::uint32_t ready = 0;    ///< as last reported
    std::string running_since;  ///< of its longest-running ready instance; empty: none, or never told
    bool recalled = false;      ///< its epoch is above those of all that substitute its site
};

struct PartitionInput {
    PartitionPolicy policy = PartitionPolicy::keep;
    Duration replace_after = 10min;
    OnHeal on_heal = OnHeal::keep_original;
    bool running = true; ///< the app's state
    bool bound = false;  ///< placement mode each: what runs at a site belongs there, and nothing elsewhere can stand in for it
    std::map<std::string, PartitionSite> sites; ///< every site that occurs below
    std::vector<HeldAllocation> held;
    /// Further sites that may be given their first substitutes now; those in `granted` are counted already.
    std::size_t budget = 1;
    std::set<std::string> granted;
};

/// What is to be done about one site that is away or has substitutes.
struct Verdict {
    std::string site;
    /// The word for conditions: Keep, Waiting, HeardByNeighbour, Frozen, Paced, Substituted, LeaseRuns, Moving, Returning,
    /// Returned.
    std::string reason;
    std::string message;       ///< what was decided, why, and what a person may do
    std::uint32_t missing = 0; ///< replicas to be placed elsewhere, beyond those that stand in for it already
    bool moves = false;        ///< as many as find a place leave this site (atMostOnce)
    bool recall = false;       ///< its own allocation gets an epoch above those of its substitutes
    std::uint32_t gives = 0;   ///< of its own replicas, so many go: those in `settled` stay in their place
};

struct PartitionPlan {
    std::vector<Verdict> verdicts; ///< in order of names of sites
    /// Replicas that each substitute keeps, by (site, suffix); 0: it goes.
    std::map<std::pair<std::string, std::string>, std::uint32_t> substitutes;
    /// Those of them that stand in for nobody from now on: they are there in their own right.
    std::set<std::pair<std::string, std::string>> settled;
    std::optional<Duration> next; ///< when it may come out differently with nothing but time passing
};

/// Guarantees: an allocation in its own right goes only while its site is in touch and its substitutes are ready, or with
/// `moves`; a substitute goes only when what it stands in for is ready, is not wanted any more, or has enough others.
PartitionPlan plan_partition(const PartitionInput&);

/// How careful a parent is with its own judgement.
struct Caution {
    std::uint32_t share = 30;     ///< percent of all sites which, vanishing at once, make it doubt itself …
    std::size_t least = 3;        ///< … but never fewer than these
    Duration together = 2min;     ///< gaps in silence up to this belong to one event
    std::uint32_t per_minute = 6; ///< sites that get their first substitutes
};

/// Of sites that are silent, for so long: those that vanished with so many others within so short a time that the fault is
/// rather here. Those whose neighbours hear them count, since they show a fault on the way; those long gone do not, since they
/// are an event of their own. `all`: sites that have ever been in touch.
std::set<std::string> vanished_together(const std::map<std::string, Duration>& silent, std::size_t all, const Caution&);

} // namespace skerry::plan
