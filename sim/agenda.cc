#include "sim/agenda.h"

#include <algorithm>
#include <utility>

namespace skerry::sim {

std::string_view name(What what) {
    constexpr std::string_view names[] = {"timer", "post",    "job",     "landing", "message", "wire", "dial",
                                          "image", "process", "weather", "operate", "check",   "leash"};
    return names[static_cast<std::size_t>(what)];
}

class Agenda::Token final : public env::Timer {
public:
    Token(Agenda& agenda, std::uint32_t slot, std::uint32_t use) : agenda_(agenda), slot_(slot), use_(use) {}
    ~Token() override {
        Event& event = agenda_.events_[slot_];
        if (!event.live || event.use != use_) return;
        if (agenda_.keeps_cancelled) ++agenda_.waiting_[event.cell];
        agenda_.drop(slot_);
    }

private:
    Agenda& agenda_;
    std::uint32_t slot_, use_;
};

std::uint32_t Agenda::put(Duration when, What what, Cell cell, Bound bound, Call call, std::uint64_t detail) {
    std::uint32_t slot;
    if (spare_.empty()) {
        slot = static_cast<std::uint32_t>(events_.size());
        events_.emplace_back();
        bound_.push_back(false);
    } else {
        slot = spare_.back();
        spare_.pop_back();
    }
    Event& event = events_[slot];
    event.call = std::move(call);
    event.cell = cell;
    event.what = what;
    event.live = true;
    event.detail = detail;
    bound_[slot] = bound == Bound::life;
    if (waiting_.size() <= cell) waiting_.resize(cell + 1);
    ++waiting_[cell];
    heap_.push_back({std::max(when, now_), ++order_, slot, event.use});
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
    return slot;
}

std::unique_ptr<env::Timer> Agenda::cancellable(Duration when, What what, Cell cell, Bound bound, Call call) {
    std::uint32_t slot = put(when, what, cell, bound, std::move(call), 0);
    return std::make_unique<Token>(*this, slot, events_[slot].use);
}

void Agenda::drop(std::uint32_t slot) {
    Event& event = events_[slot];
    Call last = std::exchange(event.call, nullptr); // destroyed when the slot is free already: it may own tokens
    event.live = false;
    ++event.use;
    --waiting_[event.cell];
    spare_.push_back(slot);
}

void Agenda::end_life(Cell cell) {
    held_.erase(cell);
    for (std::uint32_t slot = 0; slot < events_.size(); ++slot)
        if (events_[slot].live && bound_[slot] && events_[slot].cell == cell) drop(slot);
}

void Agenda::pause(Cell cell) { held_.try_emplace(cell); }

void Agenda::resume(Cell cell) {
    auto held = held_.extract(cell);
    if (held.empty()) return;
    for (Due due : held.mapped()) {
        if (!is_live(due)) continue;
        heap_.push_back({std::max(due.when, now_), ++order_, due.slot, due.use});
        std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
    }
}

void Agenda::delay(Cell cell, Duration by) {
    auto shift = [&](Due& due) {
        if (is_live(due) && bound_[due.slot] && events_[due.slot].cell == cell) due.when += by;
    };
    for (Due& due : heap_) shift(due);
    if (auto held = held_.find(cell); held != held_.end())
        for (Due& due : held->second) shift(due);
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
}

bool Agenda::step(Duration limit) {
    while (!heap_.empty()) {
        Due due = heap_.front();
        bool live = is_live(due);
        if (live && due.when > limit) return false;
        std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
        heap_.pop_back();
        if (!live) continue;
        Event& event = events_[due.slot];
        if (!held_.empty() && bound_[due.slot]) {
            if (auto held = held_.find(event.cell); held != held_.end()) {
                held->second.push_back(due);
                continue;
            }
        }
        now_ = due.when;
        Past past{now_, event.what, event.cell, event.detail};
        for (std::uint64_t part : {static_cast<std::uint64_t>(past.when.count()),
                                   std::uint64_t{past.cell} << 8 | static_cast<std::uint64_t>(past.what), past.detail}) {
            hash_ = (hash_ ^ part) * 0x9e3779b97f4a7c15ULL;
            hash_ ^= hash_ >> 29;
        }
        past_[delivered_++ % remembered] = past;
        Call call = std::move(event.call);
        drop(due.slot);
        as(past.cell, [&] { call(); });
        return true;
    }
    return false;
}

std::vector<Agenda::Past> Agenda::past() const {
    std::vector<Past> list;
    for (std::uint64_t n = delivered_ > remembered ? delivered_ - remembered : 0; n < delivered_; ++n)
        list.push_back(past_[n % remembered]);
    return list;
}

} // namespace skerry::sim
