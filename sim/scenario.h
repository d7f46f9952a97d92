#pragma once

#include "base/time.h"

#include "sim/agenda.h"
#include "sim/checks/trace.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::sim {

class Fleet;

/// What the command line says of all scenarios' size; scenarios that do not ask ignore it.
struct Size {
    std::size_t sites = 0; ///< 0: as the scenario likes
    Duration lasts{};
    std::set<std::string> without; ///< these kinds of weather
    std::set<std::string> with;    ///< these, whether drawn or not, and also those that are not in the swarm yet
    /// Of all weather only these events: what shrinking has left.
    std::optional<std::set<std::pair<std::string, std::uint32_t>>> only;
    std::shared_ptr<const Trace> trace; ///< for all uplinks
    std::string trace_path;
    Duration (*processor_time)() = nullptr; ///< of this thread, for scenarios that measure
    bool cut_kills = false;                 ///< a planted bug: see Fleet
};

/// A story told to a fleet, in virtual time. It judges nothing itself beyond what its own lines say: the checks watch all the
/// while.
struct Scenario {
    std::string_view name;
    std::string_view about;
    void (*play)(Fleet&, const Size&);
    bool in_all = true; ///< `--scenario all` runs it
};

void play_cut_site(Fleet&, const Size&);
void play_core_crash(Fleet&, const Size&);
void play_reboot_while_cut(Fleet&, const Size&);
void play_node_loss(Fleet&, const Size&);
void play_partition_policies(Fleet&, const Size&);
void play_revoked(Fleet&, const Size&);
void play_leases(Fleet&, const Size&);
void play_moves(Fleet&, const Size&);
void play_tiers(Fleet&, const Size&);
void play_leaving(Fleet&, const Size&);
void play_decommission(Fleet&, const Size&);
/// People at the core give up a site that is in touch (rule H6). Returns when the core has that on its disk.
void decommission(Fleet&, Cell site);
void play_clocks(Fleet&, const Size&);
void play_writes_while_cut(Fleet&, const Size&);
void play_budgets(Fleet&, const Size&);
/// An operator's edit of a Site: what its uplink may carry in a day, and when bulk may flow for half an hour. Empty: no bound.
void set_uplink(Fleet&, Cell site, const std::string& budget, const std::string& window);
void play_couriers(Fleet&, const Size&);
void play_restored(Fleet&, const Size&);
void play_weather(Fleet&, const Size&);
void play_partitions(Fleet&, const Size&);
void play_children(Fleet&, const Size&);
void play_speed(Fleet&, const Size&);

const std::vector<Scenario>& scenarios();
const Scenario* find_scenario(std::string_view name);

} // namespace skerry::sim
