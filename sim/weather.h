#pragma once

#include "sim/computer.h"

#include <vector>

namespace skerry::sim {

class Fleet;

/// What weather does, and how often: mean times between events; zero: never.
struct WeatherOptions {
    Duration cuts{}, cut_for = 5min;
    Duration one_way{}; ///< cuts in one direction only
    Duration kills{}, dead_for = 20s;
    Duration reboots{}, off_for = 60s;
    Duration disks{}; ///< a disk that refuses a write, before or behind it
    Duration exits{}; ///< an instance ends by itself
    Duration sickness{}, sick_for = 60s;
    Duration bad_drivers{}, bad_for = 3min; ///< drivers that fail, half-fail, stall and forget
    Duration stops{}, stopped_for = 30s;    ///< of processes (SIGSTOP)
    Duration freezes{}, frozen_for = 5s;    ///< of whole computers
    Duration clock_jumps{};                 ///< of wall clocks
    Duration people{};                      ///< operators do something
    Duration site_people{};                 ///< so do people at a site, in its own cell
    bool core_too = true;                   ///< kills, reboots and disks also at the core
    /// Everything drawn.
    static WeatherOptions draw(env::Chance&);
};

/// Lets everything of the options happen from now on, for so long, at moments drawn from the seed.
void begin_weather(Fleet&, const WeatherOptions&, Duration lasts);

/// By how many seconds a wall clock is off after it was set: to about 1970, to about 2100, by up to an hour, not at all.
std::int64_t wrong_clock(env::Chance&);

} // namespace skerry::sim
