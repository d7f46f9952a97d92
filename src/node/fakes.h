#pragma once

#include "env/env.h"
#include "node/images.h"
#include "node/prober.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace skerry::node {

/// Images from nowhere: a table of digests on this machine and of digests that can be had. Lives outside the cell, as a disk
/// does.
class FakeImages final : public Images {
public:
    explicit FakeImages(env::Timers& timers) : timers_(&timers) {}

    std::set<std::string> here;             ///< complete on this machine
    std::map<std::string, Duration> within; ///< can be had, in this time; others: see `everything_within`
    std::optional<Duration> everything_within = Duration(0);
    bool reachable = true; ///< false: what is not here fails as `unavailable`
    std::uint64_t fetched = 0;

    void ensure(const std::string& digest, std::function<void(Result<void>)> done) override {
        if (here.contains(digest)) return timers_->post([done = std::move(done)] { done({}); });
        auto known = within.find(digest);
        std::optional<Duration> wait = known != within.end() ? std::optional(known->second) : everything_within;
        if (!wait)
            return later(Duration(0),
                         [done = std::move(done), digest] { done(fail(Code::not_found, "nobody up the tree has " + digest)); });
        if (!reachable)
            return later(Duration(0), [done = std::move(done)] { done(fail(Code::unavailable, "the parent is away")); });
        later(*wait, [this, digest, done = std::move(done)] {
            if (here.insert(digest).second) ++fetched;
            done({});
        });
    }
    std::string progress(const std::string&) override { return {}; }
    void keep(const std::set<std::string>& digests) override {
        kept = digests;
        std::erase_if(here, [&](const std::string& digest) { return !digests.contains(digest) && drop_unused; });
    }
    std::set<std::string> kept;
    bool drop_unused = false;

private:
    void later(Duration wait, std::function<void()> call) {
        std::uint64_t number = ++next_;
        waiting_[number] = timers_->after(wait, [this, number, call = std::move(call)] {
            timers_->post([this, number] { waiting_.erase(number); });
            call();
        });
    }

    env::Timers* timers_;
    std::uint64_t next_ = 0;
    std::map<std::uint64_t, std::unique_ptr<env::Timer>> waiting_;
};

/// Answers every check as told, soon.
class FakeProber final : public Prober {
public:
    explicit FakeProber(env::Timers& timers) : timers_(&timers) {}

    /// By address; null or absent: fine.
    std::function<Result<void>(const std::string& address, std::uint16_t port)> outcome;
    std::uint64_t checks = 0;

    void http(const std::string& address, std::uint16_t port, const std::string&, Duration, Answer answer) override {
        tcp(address, port, {}, std::move(answer));
    }
    void tcp(const std::string& address, std::uint16_t port, Duration, Answer answer) override {
        ++checks;
        timers_->post(
            [answer = std::move(answer), result = outcome ? outcome(address, port) : Result<void>()] { answer(result); });
    }

private:
    env::Timers* timers_;
};

} // namespace skerry::node
