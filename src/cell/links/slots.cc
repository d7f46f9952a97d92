#include "cell/links/slots.h"

#include <utility>

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
    expire(now);
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
    std::vector<std::string> given;
    expire(now);
    for (; !line_.empty(); line_.pop_front()) {
        Seat* first = seat_of(line_.front().first, line_.front().second);
        if (!first) continue;
        if (!has_room()) break;
        give(line_.front().first, *first, now);
        given.push_back(line_.front().first);
    }
    return given;
}

Slots::Seat* Slots::seat_of(const std::string& tag, std::uint64_t number) {
    auto at = seats_.find(tag);
    return at != seats_.end() && at->second.number == number ? &at->second : nullptr;
}

void Slots::expire(Instant now) {
    for (; !held_.empty() && now >= held_.front().since + limits_.turn; held_.pop_front())
        if (Seat* seat = seat_of(held_.front().tag, held_.front().number); seat && std::exchange(seat->counts, false)) --counted_;
}

Duration Slots::come_back(double jitter) const {
    return limits_.turn + Duration(static_cast<Duration::rep>(jitter * 2 * static_cast<double>(limits_.turn.count())));
}

} // namespace skerry::cell
