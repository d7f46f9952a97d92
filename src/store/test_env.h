#pragma once

#include "env/env.h"
#include "env/seeded_chance.h"

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>

namespace skerry::store {

/// An Env for the tests of this folder: nothing happens until it is told to, one thing at a time, so that a test can stop between
/// a batch's submission, its writing and its landing.
class TestEnv final : public env::Clock, public env::Timers, public env::Workers, public env::Dialer {
public:
    explicit TestEnv(std::uint64_t seed) : chance(seed) {}

    env::SeededChance chance;
    Instant time{1s};
    std::deque<std::function<void()>> posted;
    struct Job {
        std::function<void()> job, then;
        bool ran = false;
    };
    std::deque<Job> jobs;

    env::Env env() { return {*this, *this, *this, chance, *this}; }

    void run_posted() {
        while (!posted.empty()) {
            auto call = std::move(posted.front());
            posted.pop_front();
            call();
        }
    }
    /// The oldest job writes; its landing waits.
    bool run_job() {
        for (Job& job : jobs) {
            if (job.ran) continue;
            job.job();
            return job.ran = true;
        }
        return false;
    }
    bool land_job() {
        if (jobs.empty() || !jobs.front().ran) return false;
        auto then = std::move(jobs.front().then);
        jobs.pop_front();
        then();
        return true;
    }
    /// Everything that can happen without time passing.
    void settle() {
        do run_posted();
        while (run_job() || land_job() || !posted.empty());
    }
    void pass(Duration duration) {
        time = time + duration;
        for (bool rang = true; rang;) {
            rang = false;
            for (auto& [when, call] : timers_) {
                if (when > time || !*call) continue;
                auto ring = std::move(*call);
                *call = nullptr;
                ring();
                rang = true;
                break;
            }
        }
        settle();
    }
    /// The process dies: nothing that waits happens any more.
    void crash() {
        posted.clear();
        jobs.clear();
        timers_.clear();
    }

    Instant now() const override { return time; }
    WallTime wall() const override { return {}; }
    std::string boot_id() const override { return "test"; }
    std::unique_ptr<env::Timer> after(Duration duration, std::function<void()> call) override {
        class Token final : public env::Timer {
        public:
            explicit Token(std::shared_ptr<std::function<void()>> call) : call_(std::move(call)) {}
            ~Token() override { *call_ = nullptr; }

        private:
            std::shared_ptr<std::function<void()>> call_;
        };
        auto shared = std::make_shared<std::function<void()>>(std::move(call));
        timers_.emplace(time + duration, shared);
        return std::make_unique<Token>(shared);
    }
    void post(std::function<void()> call) override { posted.push_back(std::move(call)); }
    void run(std::string, std::function<void()> job, std::function<void()> then) override {
        jobs.push_back({std::move(job), std::move(then)});
    }
    std::unique_ptr<env::Timer> dial(const std::string&, env::Channel,
                                     std::function<void(Result<std::unique_ptr<env::Wire>>)>) override {
        return nullptr;
    }

private:
    std::multimap<Instant, std::shared_ptr<std::function<void()>>> timers_;
};

} // namespace skerry::store
