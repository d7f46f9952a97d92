#include "cell/leases/lessor.h"

#include "base/log.h"

#include <algorithm>
#include <utility>

namespace skerry::cell {

namespace {

constexpr std::string_view lease_space = "lease";
/// Under which name children's needs count beside those of loops.
constexpr std::string_view for_children = "children";

} // namespace

Lessor::Lessor(env::Env env, store::Store& store, OwnLease& own) : env_(env), store_(store), own_(own), start_(env.clock.now()) {
    for (const auto& [tag, bytes] : store_.notes(lease_space)) {
        auto note = sync::read_lease_note(bytes);
        if (!note) {
            // Somebody held a lease of some length: the longest there can be is the only one that is safe.
            log(Level::warning, "cell", "the note of the lease of {} is unreadable: it counts as granted for the longest time",
                tag);
            note = sync::LeaseNote{.incarnation = {}, .boot_id = {}, .longest = sync::longest_lease};
        }
        // What was granted by a history that this store does not know lasts no longer either, as far as can be known.
        suppose(note->longest);
        children_[tag].granting = sync::Granting(std::move(*note), start_);
    }
}

void Lessor::suppose(Duration length) { fresh_from_ = std::max(fresh_from_, start_ + length + sync::lease_margin(length)); }

void Lessor::look(const std::string& tag, Duration length, sync::Session& session, std::function<void()> again) {
    if (!session.lease_question() || held_) return;
    Child& child = children_[tag];
    if (child.noting) return;
    if (!why_nothing_.empty()) {
        longest_asked_ = std::max(longest_asked_, std::min(length, sync::longest_lease));
        return session.answer_lease({}, why_nothing_);
    }
    needed(2 * length + 60s);
    auto own = own_.view();
    const sync::LeaseQuestion question = *session.lease_question();
    using What = sync::Granting::Answer::What;
    auto answer = child.granting.answer(question,
                                        {.length = length,
                                         .own_end = own.until,
                                         .why_none = own.trouble,
                                         .child_is_current = session.child_is_current(),
                                         .fresh_from = fresh_from_},
                                        env_.clock.now());
    switch (answer.what) {
    case What::wait:
        break;
    case What::refuse:
        session.answer_lease({}, std::move(answer.reason));
        break;
    case What::grant:
        child.granting.granted(question, answer.length);
        session.answer_lease(answer.length, {});
        break;
    case What::note: {
        child.noting = true;
        store::Transaction transaction;
        transaction.note(lease_space, tag, sync::write_lease_note(answer.note));
        store_.commit(std::move(transaction), [this, weak = std::weak_ptr(alive_), tag, note = answer.note,
                                               again = std::move(again)](Result<store::Number> result) {
            if (weak.expired()) return;
            Child& noted = children_[tag];
            noted.noting = false;
            if (!result) return; // the child asks again
            noted.granting.noted(note);
            again();
        });
    }
    }
}

/// Rule F5: to grant, this cell needs a lease of its own for as long as children ask.
void Lessor::needed(Duration lasts) {
    needed_until_ = env_.clock.now() + lasts;
    if (timer_) return;
    own_.want(for_children, true);
    timer_ = env_.timers.after(lasts, [this] {
        timer_.reset();
        Duration left = needed_until_ - env_.clock.now();
        if (left > Duration{0})
            needed(left);
        else
            own_.want(for_children, false);
    });
}

std::optional<Instant> Lessor::over(const std::string& tag) const {
    auto at = children_.find(tag);
    if (at != children_.end() && at->second.granting.note()) return at->second.granting.over(env_.clock.now());
    // That no note speaks of one is no proof that there is none (rule F4): the note may be lost, or younger than the backup.
    return fresh_from_ > env_.clock.now() ? std::optional(fresh_from_) : std::nullopt;
}

bool Lessor::is_holder(const std::string& tag, IncarnationId incarnation) const {
    auto at = children_.find(tag);
    return at != children_.end() && at->second.granting.note() && at->second.granting.note()->incarnation == incarnation;
}

Duration Lessor::longest() const {
    Duration longest = longest_asked_;
    for (const auto& [tag, child] : children_)
        if (child.granting.note()) longest = std::max(longest, child.granting.note()->longest);
    return longest;
}

std::vector<std::string> Lessor::holders() const {
    std::vector<std::string> tags;
    for (const auto& [tag, child] : children_)
        if (child.granting.over(env_.clock.now())) tags.push_back(tag);
    return tags;
}

} // namespace skerry::cell
