#include "cell/turns.h"

#include "base/check.h"

#include <utility>

namespace skerry::cell {

void Turns::add(std::unique_ptr<Loop> loop) {
    CHECK(!started_, "loops are added before the start");
    seats_.push_back({.loop = std::move(loop)});
}

void Turns::start() {
    started_ = true;
    round_soon();
}

void Turns::wake(std::string_view loop) {
    for (Seat& seat : seats_) {
        if (seat.loop->name() != loop) continue;
        seat.woken = true;
        round_soon();
    }
}

void Turns::wake_all() {
    for (Seat& seat : seats_) seat.woken = true;
    round_soon();
}

void Turns::changed(const store::Change& change) {
    for (Seat& seat : seats_) {
        if (seat.woken || !seat.loop->wakes(change)) continue;
        seat.woken = true;
        round_soon();
    }
}

void Turns::round_soon() {
    if (!started_ || posted_) return;
    posted_ = true;
    timers_.post([this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) round();
    });
}

void Turns::round() {
    // Wakes from here on are for the next round.
    posted_ = false;
    for (std::size_t i = 0; i < seats_.size(); ++i) {
        Seat& seat = seats_[i];
        if (!std::exchange(seat.woken, false)) continue;
        seat.period.reset();
        seat.loop->turn();
        seat.period = timers_.after(seat.loop->period(), [this, i] {
            seats_[i].woken = true;
            round_soon();
        });
    }
}

} // namespace skerry::cell
