#include "cell/wall_clock.h"

#include "base/log.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace skerry::cell {

namespace {

constexpr std::string_view clock_space = "clock", mark_note = "mark";

} // namespace

bool wants_time(const env::CorrectedClock& clock) {
    auto last = clock.confirmed_at();
    return !last || clock.now() - *last >= confirm_every;
}

bool knows_time(const env::Clock& clock, bool is_root) {
    using Level = env::ClockTrust::Level;
    auto level = clock.trust().level;
    return level == Level::confirmed || (level == Level::own && is_root);
}

WallTime judging_time(const env::Clock& clock, bool is_root) {
    return knows_time(clock, is_root) ? clock.wall() : clock.trust().mark;
}

void restore_mark(env::CorrectedClock& clock, const store::Store& store) {
    auto note = store.note(clock_space, mark_note);
    if (!note) return;
    if (auto mark = parse_rfc3339(*note))
        clock.remember(*mark);
    else
        log(Level::warning, "cell", "the store's mark of time past is none: {}", mark.error().message);
}

void confirm_clock(env::CorrectedClock& clock, store::Store& store, WallTime time, Instant at) {
    WallTime before = clock.trust().mark;
    clock.confirm(time, at);
    WallTime mark = clock.trust().mark;
    if (mark.seconds == before.seconds) return;
    store::Transaction transaction;
    transaction.note(clock_space, mark_note, rfc3339(mark));
    store.commit(std::move(transaction), nullptr);
}

std::string words_of_correction(Duration correction) {
    if (correction == Duration{}) return {};
    // What is added to a clock is what it is behind.
    std::string_view way = correction > Duration{} ? "behind" : "ahead";
    Duration off = correction > Duration{} ? correction : -correction;
    constexpr std::array<std::pair<Duration, std::string_view>, 5> units{
        {{24h * 365, "year"}, {24h, "day"}, {1h, "hour"}, {1min, "minute"}, {1s, "second"}}};
    for (auto [unit, name] : units) {
        if (off < unit) continue;
        auto count = off / unit + (off % unit >= unit / 2 ? 1 : 0);
        return fmt::format("{} {}{} {}", count, name, count == 1 ? "" : "s", way);
    }
    return {};
}

void report_clock(const env::Clock& clock, model::Conditions& conditions) {
    using Level = env::ClockTrust::Level;
    env::ClockTrust trust = clock.trust();
    std::string now = rfc3339(clock.wall()), off = words_of_correction(trust.correction);
    switch (trust.level) {
    case Level::confirmed:
        model::set_condition(conditions, "ClockTrusted", "True", off.empty() ? "Agrees" : "Corrected",
                             off.empty() ? "" : "its machine's own clock is " + off + "; times shown are its parent's", now);
        break;
    case Level::own:
        model::set_condition(conditions, "ClockTrusted", "Unknown", "OwnClock",
                             "no parent has confirmed its machine's clock since it started; nothing is decided by it", now);
        break;
    case Level::wrong:
        model::set_condition(
            conditions, "ClockTrusted", "False", "KnownWrong",
            "its machine's clock is before what is known to have passed; its parent tells it the time when in touch", now);
        break;
    }
}

} // namespace skerry::cell
