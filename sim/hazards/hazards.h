#pragma once

#include "sim/fleet.h"
#include "sim/weather.h"

#include <functional>

namespace skerry::sim {

/// Any computer; for a kind that spares the core, any other.
enum class Spares : std::uint8_t { nobody, core };
Computer& any(Fleet&, env::Chance&, Spares);

// One function for each kind, in a file of its group. `hazards.cc` has the list.
void cut_link(Fleet&, env::Chance&, Duration);
void cut_one_way(Fleet&, env::Chance&, Duration);
void clog_link(Fleet&, env::Chance&, Duration);
void forget_connections(Fleet&, env::Chance&, Duration);
void worsen_link(Fleet&, env::Chance&, Duration);
void kill_process(Fleet&, env::Chance&, Duration);
void reboot_computer(Fleet&, env::Chance&, Duration);
void stop_process(Fleet&, env::Chance&, Duration);
void freeze_computer(Fleet&, env::Chance&, Duration);
void restore_backup(Fleet&, env::Chance&, Duration);
void refuse_write(Fleet&, env::Chance&, Duration);
void fill_disk(Fleet&, env::Chance&, Duration);
void slow_disk(Fleet&, env::Chance&, Duration);
void flip_bits(Fleet&, env::Chance&, Duration);
void jump_clock(Fleet&, env::Chance&, Duration);
void change_drift(Fleet&, env::Chance&, Duration);
void end_instance(Fleet&, env::Chance&, Duration);
void sicken_instance(Fleet&, env::Chance&, Duration);
void spoil_driver(Fleet&, env::Chance&, Duration);
void operate(Fleet&, env::Chance&, Duration);
void operate_at_site(Fleet&, env::Chance&, Duration);

} // namespace skerry::sim
