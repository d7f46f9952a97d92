#pragma once

#include "base/time.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace skerry::sim {

class Fleet;

/// What the command line says of all scenarios' size; scenarios that do not ask ignore it.
struct Size {
    std::size_t sites = 0; ///< 0: as the scenario likes
    Duration lasts{};
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
void play_clocks(Fleet&, const Size&);
void play_weather(Fleet&, const Size&);
void play_speed(Fleet&, const Size&);

const std::vector<Scenario>& scenarios();
const Scenario* find_scenario(std::string_view name);

} // namespace skerry::sim
