#include "sync/meter.h"

#include "base/number.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace skerry::sync {

namespace {

constexpr Duration day_length = 24h;
/// A wall clock may be set: no look at it holds for longer.
constexpr Duration longest_look = 60s;
constexpr std::uint64_t least_step = 4 << 10, most_step = 1 << 20;

std::int64_t day_of(WallTime wall) { return wall.seconds / 86'400 - (wall.seconds % 86'400 < 0 ? 1 : 0); }

std::uint64_t left(std::uint64_t whole, std::uint64_t taken) { return whole > taken ? whole - taken : 0; }

/// The next number of a note; numbers are apart by spaces.
template<class N>
bool take_number(std::string_view& text, N& into) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    auto parsed = parse_number<N>(word);
    if (parsed) into = *parsed;
    return parsed.has_value();
}

} // namespace

std::string_view word(Flow flow) {
    constexpr std::string_view words[flows] = {"lease", "security", "desired", "status", "tunnel", "bulk"};
    return words[static_cast<std::size_t>(flow)];
}

Meter::Meter(Terms terms, Now now) : terms_(std::move(terms)), began_(now.at) {
    if (now.wall) day_ = day_of(*now.wall);
    look_at_windows(now);
}

Meter::Meter(Terms terms, Now now, const std::string& note) : terms_(std::move(terms)), began_(now.at) {
    std::string_view text = note;
    std::int64_t day = 0;
    std::uint64_t unseen = 0;
    Uses uses;
    bool good = take_number(text, day) && take_number(text, unseen);
    for (Use& use : uses.of) good = good && take_number(text, use.sent) && take_number(text, use.received);
    if (good) {
        today_ = uses;
        unseen_ = unseen;
        if (day >= 0) day_ = day;
    } else {
        unseen_ = terms_.budget.value_or(0);
        if (now.wall) day_ = day_of(*now.wall);
    }
    covered_ = noted_part();
    look(now);
}

std::string Meter::write(std::uint64_t ahead) const {
    std::string text = std::to_string(day_.value_or(-1)) + " " + std::to_string(unseen_ + ahead);
    for (const Use& use : today_.of) text += " " + std::to_string(use.sent) + " " + std::to_string(use.received);
    return text;
}

void Meter::set_terms(Terms terms, Now now) {
    terms_ = std::move(terms);
    look(now);
}

void Meter::begin_day(std::optional<std::int64_t> day, Now now, Uses counted) {
    day_ = day;
    today_ = counted;
    unsettled_ = {};
    unseen_ = 0;
    covered_ = 0;
    began_ = now.at;
}

void Meter::look(Now now) {
    if (std::exchange(lost_, false)) covered_ = 0;
    if (!now.wall) {
        if (now.at >= began_ + day_length) begin_day({}, now, {});
    } else if (std::int64_t day = day_of(*now.wall); day_ != day) {
        // What this run counted before it knew the day was counted in it.
        bool unknown = unsettled_ != Uses{} || !day_;
        bool is_later = day_ && day > *day_ && (!midnight_ || now.at >= *midnight_ + day_length - 1h);
        if (!day_) {
            day_ = day;
        } else if (is_later) {
            if (!unknown) midnight_ = now.at;
            begin_day(day, now, unknown ? unsettled_ : Uses{});
        } else {
            day_ = day;
        }
        unsettled_ = {};
    } else {
        unsettled_ = {};
    }
    look_at_windows(now);
}

void Meter::look_at_windows(Now now) {
    next_look_ = now.at + longest_look;
    open_ = true;
    opens_.reset();
    if (now.wall) {
        auto until = [&](WallTime moment) {
            next_look_ = std::min(next_look_, now.at + std::max<Duration>(moment - *now.wall, 1ms));
        };
        until(WallTime{(day_of(*now.wall) + 1) * 86'400, 0});
        // Which window it is in time only a clock that is trusted can say; the other end has one.
        if (!terms_.windows.empty()) open_ = false;
        for (const Window& window : terms_.windows) {
            auto began = window.start.last(*now.wall);
            if (began && *now.wall < *began + window.lasts) {
                open_ = true;
                until(*began + window.lasts);
            }
            auto next = window.start.next(*now.wall);
            if (next) until(*next);
            if (next && (!opens_ || *next < *opens_)) opens_ = next;
        }
        if (open_) opens_.reset();
    } else {
        next_look_ = std::min(next_look_, began_ + day_length);
    }
}

void Meter::count(Flow flow, Use use, Now now) {
    look(now);
    Use& to = today_[flow];
    to.sent += use.sent, to.received += use.received;
    if (!now.wall) {
        Use& unsettled = unsettled_[flow];
        unsettled.sent += use.sent, unsettled.received += use.received;
    }
}

std::uint64_t Meter::noted_part() const { return unseen_ + today_.all() - today_[Flow::lease].both(); }

std::uint64_t Meter::spent() const { return noted_part() + std::max(today_[Flow::lease].both(), terms_.beats); }

std::optional<std::uint64_t> Meter::status_room() const {
    if (!terms_.budget) return {};
    return left(*terms_.budget, spent());
}

std::optional<std::uint64_t> Meter::bulk_room() const {
    if (!open_) return 0;
    if (!terms_.budget) return {};
    std::uint64_t for_status = left(*terms_.budget / 8, today_[Flow::status].both());
    return left(*terms_.budget, spent() + for_status);
}

Meter::Hold Meter::hold() const {
    if (terms_.budget && *status_room() == 0) {
        std::uint64_t held = today_[Flow::status].both() + today_[Flow::bulk].both() + unseen_;
        return spent() - held >= *terms_.budget ? Hold::beyond : Hold::budget;
    }
    if (!open_) return Hold::window;
    if (terms_.budget && *bulk_room() < least_bulk) return Hold::bulk;
    return Hold::none;
}

std::uint64_t Meter::step() const { return terms_.budget ? std::clamp(*terms_.budget / 64, least_step, most_step) : most_step; }

std::optional<std::string> Meter::note_due() {
    std::uint64_t counted = noted_part();
    // Without a budget nothing is kept, so what a crash forgets may be forgotten: no note for a few bytes.
    std::uint64_t due = terms_.budget ? counted + step() / 2 : left(counted, step());
    if (counted == 0 || due <= covered_) return {};
    std::uint64_t ahead = terms_.budget ? step() : 0;
    covered_ = counted + ahead;
    return write(ahead);
}

} // namespace skerry::sync
