#pragma once

#include "env/corrected_clock.h"
#include "env/env.h"
#include "env/real/loop.h"
#include "env/real/real_chance.h"
#include "env/real/real_clock.h"
#include "env/real/real_files.h"
#include "env/real/real_timers.h"
#include "main/lane_workers.h"

#include <functional>
#include <string>

namespace skerry::main {

/// The real seam: one loop, its clocks, timers and workers, and the machine's files.
class World {
public:
    explicit World(std::string state_folder)
        : clock(machine_clock), files(std::move(state_folder)), timers(loop), workers(loop) {}

    env::Loop loop;
    env::RealClock machine_clock;
    env::CorrectedClock clock;
    env::RealChance chance;
    env::RealFiles files;
    env::RealTimers timers;
    LaneWorkers workers;

    env::Env env(env::Dialer& dialer) { return {clock, timers, workers, chance, dialer}; }

    /// Runs the loop until `done` is set by a callback.
    void run_until(const bool& done) {
        while (!done) {
            loop.run();
            if (stopping) return;
        }
    }
    void wake() { loop.stop(); }
    bool stopping = false;
};

} // namespace skerry::main
