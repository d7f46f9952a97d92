#pragma once

#include "env/env.h"
#include "env/real/loop.h"
#include "env/real/real_chance.h"
#include "env/real/real_clock.h"
#include "env/real/real_files.h"
#include "env/real/real_timers.h"
#include "env/real/real_workers.h"

#include <functional>
#include <string>

namespace skerry::main {

/// Threads of its own for the store and for the depot, so that a commit never waits behind a container; a few for the rest, of
/// which a node leaves some free of what takes long (node/node_loop.h).
class LaneWorkers final : public env::Workers {
public:
    explicit LaneWorkers(env::Loop& loop) : store_(loop, 1), depot_(loop, 1), rest_(loop, 8) {}
    void run(std::string lane, std::function<void()> job, std::function<void()> then) override {
        env::RealWorkers& workers = lane == "store" ? store_ : lane == "depot" ? depot_ : rest_;
        workers.run(std::move(lane), std::move(job), std::move(then));
    }

private:
    env::RealWorkers store_, depot_, rest_;
};

/// The real seam: one loop, its clocks, timers and workers, and the machine's files.
class World {
public:
    explicit World(std::string state_folder) : files(std::move(state_folder)), timers(loop), workers(loop) {}

    env::Loop loop;
    env::RealClock clock;
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
