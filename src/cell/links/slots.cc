#include "cell/links/slots.h"

#include <algorithm>

namespace skerry::cell {

void Slots::give(const std::string& tag, Seat& seat, Instant now) {
    if (seat.waits) --waiting_;
    seat.waits = false;
    seat.counts = true;
    ++counted_;
    held_.push_back({now, tag, seat.number});
}

bool Slots::ask(const std::string& tag, Instant now) {
    auto [at, fresh] = seats_.try_emplace(tag);
    Seat& seat = at->second;
    if (!fresh) return !seat.waits;
    seat.number = ++numbers_;
    if (has_room() && waiting_ == 0) {
        give(tag, seat, now);
        return true;
    }
    seat.waits = true;
    ++waiting_;
    line_.emplace_back(tag, seat.number);
    return false;
}

void Slots::release(const std::string& tag) {
    auto at = seats_.find(tag);
    if (at == seats_.end()) return;
    if (at->second.waits) --waiting_;
    if (at->second.counts) --counted_;
    seats_.erase(at);
}

std::vector<std::string> Slots::next(Instant now) {
    auto seat_of = [&](const std::string& tag, std::uint64_t number) -> Seat* {
        auto at = seats_.find(tag);
        return at != seats_.end() && at->second.number == number ? &at->second : nullptr;
    };
    std::vector<std::string> given;
    for (; !line_.empty(); line_.pop_front()) {
        Seat* first = seat_of(line_.front().first, line_.front().second);
        if (!first) continue;
        while (!has_room() && !held_.empty()) {
            Seat* oldest = seat_of(held_.front().tag, held_.front().number);
            if (oldest && now < held_.front().since + limits_.turn) break;
            if (oldest && std::exchange(oldest->counts, false)) --counted_;
            held_.pop_front();
        }
        if (!has_room()) break;
        give(line_.front().first, *first, now);
        given.push_back(line_.front().first);
    }
    // What was released long ago is not kept for its place in the line.
    while (!held_.empty() && !seat_of(held_.front().tag, held_.front().number)) held_.pop_front();
    return given;
}

Duration Slots::come_back(double jitter) const {
    return limits_.turn + Duration(static_cast<Duration::rep>(jitter * 2 * static_cast<double>(limits_.turn.count())));
}

} // namespace skerry::cell
