#include "sync/session.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

/// The lease lane: requests ride on beats, grants answer them (rules F1 to F5).
namespace skerry::sync {

namespace {

/// Requests without an answer that are remembered.
constexpr std::size_t most_asked = 8;

} // namespace

void Session::want_lease(bool wanted) {
    if (std::exchange(wants_lease_, wanted) != wanted) lease_asked_at_ = {};
}

/// When the next beat has to ask: once with each beat until there is a lease, then when a quarter of it has passed.
Instant Session::lease_due() const {
    if (options_.side == Side::parent || phase_ != Phase::up || !wants_lease_) return Instant::never();
    Instant due = lease_asked_at_ == Instant{} ? Instant{} : lease_asked_at_ + beat_;
    return lease_refused_.empty() ? std::max(due, lease_.asked + lease_.length / 4) : due;
}

bool Session::beat_is_due(Instant now) const { return now >= last_sent_ + beat_ || now >= lease_due(); }

std::optional<LeaseRequest> Session::lease_request(Instant now) {
    Instant due = lease_due();
    // Rather with this beat than with one of its own.
    if (due == Instant::never() || now + beat_ <= due) return {};
    if (++lease_number_ == 0) ++lease_number_;
    lease_asked_at_ = now;
    lease_asked_.emplace_back(lease_number_, now);
    if (lease_asked_.size() > most_asked) lease_asked_.pop_front();
    LeaseRequest request{.number = lease_number_, .earlier = {}, .held = now < std::max(lease_.until, held_until_)};
    if (lease_.length == Duration{0})
        request.earlier.assign(options_.earlier.begin(),
                               options_.earlier.begin() + static_cast<long>(std::min(options_.earlier.size(), most_earlier)));
    return request;
}

void Session::take(Grant&& grant) {
    if (options_.side == Side::parent) return fail_with("bad frame: a grant from a child");
    auto asked = std::ranges::find(lease_asked_, grant.number, &std::pair<std::uint32_t, Instant>::first);
    if (asked == lease_asked_.end()) return; // superseded by a later one
    Instant sent = asked->second;
    lease_asked_.erase(lease_asked_.begin(), std::next(asked));
    if (grant.length_ms == 0) {
        lease_refused_ = grant.reason.empty() ? "the parent gives no reason" : std::move(grant.reason);
        return;
    }
    if (grant.holder != lease_holder(options_.incarnation, options_.boot_id))
        return fail_with("bad frame: a grant for another run of this cell");
    lease_refused_.clear();
    lease_.length = std::min<Duration>(std::chrono::milliseconds(grant.length_ms), longest_lease);
    lease_.asked = sent;
    // Rule F1: from when the beat was sent, whatever the answer took.
    lease_.until = std::max(lease_.until, sent + lease_.length);
}

void Session::answer_lease(Duration length, std::string reason) {
    if (!question_) return;
    Grant grant{.number = question_->request.number,
                .length_ms = static_cast<std::uint32_t>(std::chrono::floor<std::chrono::milliseconds>(length).count()),
                .holder = lease_holder(question_->incarnation, question_->boot_id),
                .reason = std::move(reason)};
    question_.reset();
    if (phase_ == Phase::up && !over_) control_.emplace_front(Flow::lease, encode(grant));
}

bool Session::child_is_current() const {
    return phase_ == Phase::up && sending_[static_cast<std::size_t>(Lane::desired)].outbound.clean();
}

} // namespace skerry::sync
