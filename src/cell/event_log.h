#pragma once

#include "cell/events.h"
#include "env/env.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace skerry::cell {

/// Events as objects of the store. An event's name follows from what it says, so that a repetition finds the first one, also
/// after a restart.
///
/// Writes are bounded: new events 50 at once and then one per second, each repeated event once in ten seconds with its count
/// brought forward; what is over the bound is dropped, and each said in the log of debugging.
class EventLog final : public Events {
public:
    /// `source` such as "site store-17". The store must outlive this.
    EventLog(env::Env, store::Store&, std::string source);
    ~EventLog() override;

    void record(const store::Object& regarding, Tone, std::string_view reason, std::string_view message) override;
    void record(const store::Key& regarding, Uid, Tone, std::string_view reason, std::string_view message) override;

    static constexpr std::size_t kept = 1'000;
    static constexpr Duration repeat_gap = 10s;
    static constexpr Duration longest = 24h;

private:
    struct Entry {
        std::uint32_t more = 0; ///< repetitions not written yet
        std::unique_ptr<env::Timer> timer;
    };

    bool may_write(Instant now);
    void create(const store::Key&, const store::Key& regarding, Uid, Tone, std::string_view reason, std::string_view message);
    void write_count(const store::Key&);
    void prune(std::size_t room);

    env::Env env_;
    store::Store& store_;
    std::string source_;
    std::size_t room_ = 0; ///< events to come before the next prune
    std::map<store::Key, Entry> repeated_;
    double allowance_;
    Instant allowed_at_;
    /// What had been written by when, about hourly: an Event's age counts from its last writing, at the latest from our start, on
    /// the boot-time clock (rule T1).
    std::deque<std::pair<Instant, store::Number>> written_by_;
    store::Number old_below_ = 0; ///< last written longer ago than `longest`
};

} // namespace skerry::cell
