#pragma once

#include "env/real/real_workers.h"

#include <chrono>
#include <string>
#include <utility>

namespace skerry::main {

/// The workers of one process: a thread that the store has to itself, one for word to the leash, and some that all others share.
///
/// That a lease was renewed must not wait until its end behind what instances do (rule F3).
///
/// What instances do on workers may take long. Were that to hold back the store's writes, nobody could write any more, not even to
/// delete the app. A node leaves some of the others free of it (NodeLoop::is_crowded).
class LaneWorkers final : public env::Workers {
public:
    explicit LaneWorkers(env::Loop& loop) : store_(loop, 1), leash_(loop, 1), shared_(loop, 10) {}

    void run(std::string lane, std::function<void()> job, std::function<void()> then) override {
        auto& pool = lane == "store" ? store_ : lane == "leash" ? leash_ : shared_;
        pool.run(std::move(lane), std::move(job), std::move(then));
    }

    /// As RealWorkers::stop, with one patience for all.
    bool stop(Duration patience) {
        auto begun = std::chrono::steady_clock::now();
        bool rests = true;
        for (auto* pool : {&store_, &leash_, &shared_}) {
            auto left = patience - (std::chrono::steady_clock::now() - begun);
            rests = pool->stop(std::max<Duration>(left, Duration(0))) && rests;
        }
        return rests;
    }

private:
    env::RealWorkers store_, leash_, shared_;
};

} // namespace skerry::main
