#include "sync/lease.h"

#include "base/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

namespace skerry::sync {

std::uint64_t lease_holder(IncarnationId incarnation, const std::string& boot_id) {
    return keyed_digest(0x6c65617365, incarnation.bytes() + boot_id).low;
}

/// `incarnation boot milliseconds`, the boot in the middle since it is anybody's text.
std::string write_lease_note(const LeaseNote& note) {
    auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(note.longest).count();
    return note.incarnation.text() + std::to_string(milliseconds) + " " + note.boot_id;
}

std::optional<LeaseNote> read_lease_note(const std::string& bytes) {
    if (bytes.size() < 32) return {};
    auto id = Id::parse(std::string_view(bytes).substr(0, 32));
    std::int64_t milliseconds = 0;
    auto [end, error] = std::from_chars(bytes.data() + 32, bytes.data() + bytes.size(), milliseconds);
    if (!id || error != std::errc{} || milliseconds < 0 || end == bytes.data() + bytes.size() || *end != ' ') return {};
    return LeaseNote{
        .incarnation = IncarnationId(*id),
        .boot_id = std::string(end + 1, bytes.data() + bytes.size()),
        .longest = std::min<Duration>(std::chrono::milliseconds(std::min<std::int64_t>(milliseconds, 1LL << 40)), longest_lease)};
}

/// The asking process is the holder, or comes after it on the same boot of the same machine, with the same store.
bool Granting::continues(const LeaseQuestion& question) const {
    if (!note_) return true;
    if (note_->boot_id != question.boot_id) return false;
    const auto& earlier = question.request.earlier;
    return note_->incarnation == question.incarnation || std::ranges::find(earlier, note_->incarnation) != earlier.end();
}

Granting::Answer Granting::answer(const LeaseQuestion& question, const Terms& terms, Instant now) const {
    using What = Answer::What;
    auto refuse = [](std::string reason) { return Answer{.what = What::refuse, .reason = std::move(reason)}; };
    bool is_continued = continues(question);
    if (!is_continued && now < over_)
        return refuse(fmt::format("an earlier run or a copy of this cell may still hold the lease; that is over in {} (rule F1)",
                                  text(std::chrono::ceil<std::chrono::seconds>(over_ - now))));
    if (!question.request.held && now < terms.fresh_from)
        return refuse(
            fmt::format("the parent has started lately, and what was granted before may still run elsewhere; that is over in "
                        "{} (rule F4)",
                        text(std::chrono::ceil<std::chrono::seconds>(terms.fresh_from - now))));
    // What was replaced while the child had no lease must be known there before it has one again.
    bool unbroken = is_continued && now < end_;
    if (!unbroken && !terms.child_is_current) return {.what = What::wait};
    Duration length = std::clamp(terms.length, least_lease, longest_lease);
    if (terms.own_end != Instant::never()) {
        Duration left = terms.own_end - now;
        // Clocks that run apart must not carry the child's lease beyond ours.
        left -= left / 100;
        if (left < least_lease)
            return refuse(terms.why_none.empty() ? "the parent's own lease ends, and nothing is granted beyond it (rule F5)"
                                                 : "the parent holds no lease itself (rule F5): " + terms.why_none);
        length = std::min(length, left);
    }
    length = std::chrono::floor<std::chrono::milliseconds>(length);
    LeaseNote note{.incarnation = question.incarnation, .boot_id = question.boot_id, .longest = std::max(length, terms.length)};
    note.longest = std::chrono::ceil<std::chrono::milliseconds>(std::clamp(note.longest, least_lease, longest_lease));
    // What was granted for longer, and may still run, counts after a restart of ours.
    for (const Given& each : given_)
        if (now < each.over) note.longest = std::max(note.longest, each.length);
    if (note_ != note) return {.what = What::note, .note = std::move(note)};
    return {.what = What::grant, .length = length};
}

void Granting::granted(const LeaseQuestion& question, Duration length) {
    end_ = std::max(end_, question.arrived + length);
    Instant over = question.arrived + length + lease_margin(length);
    over_ = std::max(over_, over);
    std::erase_if(
        given_, [&](const Given& each) { return each.over <= question.arrived || (each.length <= length && each.over <= over); });
    given_.push_back({length, over});
    if (given_.size() <= most_given) return;
    // Too many to tell apart: the last two as one that is as long as either.
    Given last = given_.back();
    given_.pop_back();
    given_.back() = {std::max(given_.back().length, last.length), std::max(given_.back().over, last.over)};
}

std::optional<Instant> Granting::over(Instant now) const {
    if (now >= over_) return {};
    return over_;
}

} // namespace skerry::sync
