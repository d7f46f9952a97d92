#pragma once

#include "cell/loop.h"
#include "env/env.h"

#include <memory>
#include <string_view>
#include <vector>

namespace skerry::cell {

/// Gives the loops of a cell their turns: one after the other, never one inside another, many wakes before a turn as one. Each
/// also turns when its period has passed since its last turn.
class Turns {
public:
    explicit Turns(env::Timers& timers) : timers_(timers) {}

    void add(std::unique_ptr<Loop>);
    void start();
    void wake(std::string_view loop);
    void wake_all();
    void changed(const store::Change&);

private:
    struct Seat {
        std::unique_ptr<Loop> loop;
        bool woken = true;
        std::unique_ptr<env::Timer> period;
    };

    void round_soon();
    void round();

    env::Timers& timers_;
    std::vector<Seat> seats_;
    bool started_ = false, posted_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

} // namespace skerry::cell
