#pragma once

#include "env/real/real_workers.h"

#include <chrono>
#include <string>
#include <utility>

namespace skerry::main {

/// The workers of one process: a thread that the store has to itself, and some that all others share.
///
/// What instances do on workers may take long. Were that to hold back the store's writes, nobody could write any more, not even to
/// delete the app. A node leaves some of the others free of it (NodeLoop::is_crowded).
class LaneWorkers final : public env::Workers {
public:
    explicit LaneWorkers(env::Loop& loop) : store_(loop, 1), shared_(loop, 10) {}

    void run(std::string lane, std::function<void()> job, std::function<void()> then) override {
        auto& pool = lane == "store" ? store_ : shared_;
        pool.run(std::move(lane), std::move(job), std::move(then));
    }

    /// As RealWorkers::stop, with one patience for all.
    bool stop(Duration patience) {
        auto begun = std::chrono::steady_clock::now();
        bool rests = store_.stop(patience);
        auto left = patience - (std::chrono::steady_clock::now() - begun);
        return shared_.stop(std::max<Duration>(left, Duration(0))) && rests;
    }

private:
    env::RealWorkers store_, shared_;
};

} // namespace skerry::main
