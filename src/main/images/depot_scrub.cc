#include "main/images/depot_scrub.h"

#include "base/log.h"

#include <algorithm>
#include <charconv>

namespace skerry::main {

namespace {

constexpr std::string_view scrub_space = "scrub", round_key = "round";
constexpr auto lane = "scrub";
constexpr std::size_t scrub_piece = 1 << 20;
constexpr Duration breath = 1s;
constexpr std::uint64_t note_every = 1 << 30;
constexpr Duration between_rounds = 7 * 24h;
constexpr Duration first_wait = 1h;
/// A machine that has just started has better things to do.
constexpr Duration start_wait = 10min;

} // namespace

DepotScrub::DepotScrub(env::Env env, store::Store& store, depot::Depot& depot, std::function<void(const depot::Digest&)> damaged)
    : env_(env), store_(store), depot_(depot), damaged_(std::move(damaged)) {
    wait(first_pause(), &DepotScrub::begin);
}

/// Reads the note.
Duration DepotScrub::first_pause() {
    auto note = store_.note(scrub_space, round_key);
    if (!note) return first_wait;
    (void)std::from_chars(note->data(), note->data() + note->size(), ended_);
    if (auto next = depot::Digest::parse(std::string_view(*note).substr(note->find(' ') + 1))) {
        resume_ = *next;
        return start_wait;
    }
    // A clock that was set back or forth meanwhile costs at most one round too many, or one late by a period.
    Duration passed = std::chrono::seconds(std::clamp<std::int64_t>(env_.clock.wall().seconds - ended_, 0, 7 * 86'400));
    return std::max<Duration>(start_wait, between_rounds - passed);
}

void DepotScrub::wait(Duration delay, void (DepotScrub::*then)()) {
    timer_ = env_.timers.after(delay, [this, then] { (this->*then)(); });
}

void DepotScrub::begin() {
    auto found = std::make_shared<Result<std::vector<depot::Depot::Entry>>>();
    env_.workers.run(
        lane, [this, found] { *found = depot_.list(); },
        [this, found] {
            if (!*found) {
                log(Level::warning, "depot", "reading the depot again: {}", found->error().message);
                return wait(first_wait, &DepotScrub::begin);
            }
            left_.clear();
            for (auto& entry : **found)
                if (!resume_ || entry.digest >= *resume_) left_.push_back(entry.digest);
            std::sort(left_.rbegin(), left_.rend());
            step();
        });
}

void DepotScrub::step() {
    struct Outcome {
        Result<std::optional<bool>> verdict;
        std::shared_ptr<depot::Scrub> blob;
    };
    if (left_.empty()) return end();
    auto outcome = std::make_shared<Outcome>();
    env_.workers.run(
        lane,
        [this, outcome, digest = left_.back(), blob = std::move(blob_)]() mutable {
            if (!blob) {
                auto begun = depot_.begin_scrub(digest);
                if (!begun) {
                    outcome->verdict = std::unexpected(begun.error());
                    return;
                }
                blob = std::move(*begun);
            }
            outcome->verdict = blob->step(scrub_piece);
            outcome->blob = std::move(blob);
        },
        [this, outcome] {
            since_note_ += scrub_piece;
            bool unfinished = outcome->verdict && !*outcome->verdict;
            if (unfinished) {
                blob_ = std::move(outcome->blob);
                return wait(breath, &DepotScrub::step);
            }
            auto digest = left_.back();
            left_.pop_back();
            if (!outcome->verdict && outcome->verdict.error().code != Code::not_found)
                log(Level::warning, "depot", "reading {} again: {}", digest.text(), outcome->verdict.error().message);
            if (outcome->verdict && !**outcome->verdict) damaged_(digest);
            if (since_note_ >= note_every && !left_.empty()) remember(left_.back());
            wait(breath, &DepotScrub::step);
        });
}

void DepotScrub::end() {
    resume_.reset();
    ended_ = env_.clock.wall().seconds;
    remember({});
    wait(between_rounds, &DepotScrub::begin);
}

void DepotScrub::remember(std::optional<depot::Digest> next) {
    since_note_ = 0;
    store::Transaction transaction;
    transaction.note(std::string(scrub_space), std::string(round_key),
                     std::to_string(ended_) + " " + (next ? next->text() : "-"));
    store_.commit(std::move(transaction), nullptr);
}

} // namespace skerry::main
