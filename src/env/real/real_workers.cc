#include "env/real/real_workers.h"

#include "base/check.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace skerry::env {

struct RealWorkers::Pool : std::enable_shared_from_this<Pool> {
    struct Job {
        std::string lane;
        std::function<void()> work;
        std::function<void()> then;
    };

    Loop& loop;
    std::mutex mutex;
    std::condition_variable wake;
    std::condition_variable rested;
    std::size_t running = 0;
    std::deque<Job> ready;
    /// Lanes with a job that runs or is ready; behind it those that wait their turn.
    std::unordered_map<std::string, std::deque<Job>> lanes;
    std::vector<std::thread> threads;
    bool stopping = false;

    explicit Pool(Loop& on) : loop(on) {}

    void submit(Job job) {
        {
            std::scoped_lock lock(mutex);
            if (stopping) return;
            if (!job.lane.empty()) {
                auto [lane, first] = lanes.try_emplace(job.lane);
                if (!first) {
                    lane->second.push_back(std::move(job));
                    return;
                }
            }
            ready.push_back(std::move(job));
        }
        wake.notify_one();
    }

    void serve() {
        std::unique_lock lock(mutex);
        for (;;) {
            wake.wait(lock, [this] { return stopping || !ready.empty(); });
            if (stopping) return;
            Job job = std::move(ready.front());
            ready.pop_front();
            ++running;
            lock.unlock();
            job.work();
            // What the job held is let go here; `then` belongs to the loop's thread and dies there.
            job.work = nullptr;
            loop.post([pool = weak_from_this(), then = std::move(job.then)] {
                if (auto here = pool.lock(); then && here && !here->stopping) then();
            });
            lock.lock();
            if (--running == 0) rested.notify_all();
            if (stopping) return;
            if (job.lane.empty()) continue;
            auto lane = lanes.find(job.lane);
            if (lane->second.empty()) {
                lanes.erase(lane);
                continue;
            }
            ready.push_back(std::move(lane->second.front()));
            lane->second.pop_front();
        }
    }
};

RealWorkers::RealWorkers(Loop& loop, unsigned threads) : pool_(std::make_shared<Pool>(loop)) {
    CHECK(threads > 0);
    for (unsigned i = 0; i < threads; ++i) pool_->threads.emplace_back([pool = pool_.get()] { pool->serve(); });
}

RealWorkers::~RealWorkers() {
    stop(Duration(0));
    for (std::thread& thread : pool_->threads) thread.join();
}

bool RealWorkers::stop(Duration patience) {
    // What the dropped jobs hold dies behind the lock.
    decltype(pool_->ready) ready;
    decltype(pool_->lanes) lanes;
    std::unique_lock lock(pool_->mutex);
    pool_->stopping = true;
    ready.swap(pool_->ready);
    lanes.swap(pool_->lanes);
    pool_->wake.notify_all();
    return pool_->rested.wait_for(lock, patience, [this] { return pool_->running == 0; });
}

void RealWorkers::run(std::string lane, std::function<void()> job, std::function<void()> then) {
    pool_->submit({std::move(lane), std::move(job), std::move(then)});
}

} // namespace skerry::env
