#pragma once

#include "cell/events.h"
#include "env/env.h"

#include <map>
#include <memory>
#include <string>

namespace skerry::cell {

/// Events as objects of the store. An event's name follows from what it says, so that a repetition finds the first one, also
/// after a restart.
///
/// Writes are bounded: new events 50 at once and then one per second, each repeated event once in ten seconds with its count
/// brought forward; what is over the bound is dropped and counted in the log.
class EventLog final : public Events {
public:
    /// `source` such as "site store-17". The store must outlive this.
    EventLog(env::Env, store::Store&, std::string source);
    ~EventLog() override;

    void record(const store::Object& regarding, Tone, std::string_view reason, std::string_view message) override;
    void record(const store::Key& regarding, Uid, Tone, std::string_view reason, std::string_view message) override;

    static constexpr std::size_t kept = 1'000;
    static constexpr Duration repeat_gap = 10s;
    static constexpr std::int64_t longest_seconds = 24 * 3600;

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
    std::map<store::Key, Entry> repeated_;
    double allowance_;
    Instant allowed_at_;
};

} // namespace skerry::cell
