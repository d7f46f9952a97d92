#include "env/real/real_timers.h"

#include "base/check.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <ctime>
#include <map>
#include <utility>

namespace skerry::env {

namespace {

Instant boot_time() {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return {std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec)};
}

} // namespace

/// All timers behind one timerfd, set to the earliest.
struct RealTimers::Queue {
    /// Equal times run in the order of their making.
    using Key = std::pair<Instant, std::uint64_t>;

    int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    std::map<Key, std::function<void()>> waiting;
    std::uint64_t made = 0;
    Instant set_to = Instant::never();
    std::unique_ptr<Loop::Token> token;

    Queue() { CHECK(fd >= 0, "timerfd_create"); }
    ~Queue() { close(fd); }

    void set() {
        Instant earliest = waiting.empty() ? Instant::never() : waiting.begin()->first.first;
        if (earliest == set_to) return;
        set_to = earliest;
        itimerspec spec{};
        if (earliest != Instant::never()) {
            auto nanos = std::max<std::int64_t>(earliest.since_boot.count(), 1);
            spec.it_value.tv_sec = nanos / 1'000'000'000;
            spec.it_value.tv_nsec = nanos % 1'000'000'000;
        }
        CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
    }

    void ring() {
        std::uint64_t times = 0;
        (void)!read(fd, &times, sizeof times);
        set_to = Instant::never();
        Instant now = boot_time();
        // What a callback adds has a later number; a timer of zero made here waits for the next ring, so that the loop breathes.
        std::uint64_t last = made;
        while (!waiting.empty() && waiting.begin()->first.first <= now && waiting.begin()->first.second <= last) {
            auto call = std::move(waiting.begin()->second);
            waiting.erase(waiting.begin());
            call();
        }
        set();
    }
};

namespace {

class QueuedTimer final : public Timer {
public:
    QueuedTimer(std::weak_ptr<RealTimers::Queue> queue, RealTimers::Queue::Key key) : queue_(std::move(queue)), key_(key) {}
    ~QueuedTimer() override {
        auto queue = queue_.lock();
        // The timerfd is left as it is: one idle ring costs less than a system call per cancelled timer.
        if (queue) queue->waiting.erase(key_);
    }

private:
    std::weak_ptr<RealTimers::Queue> queue_;
    RealTimers::Queue::Key key_;
};

} // namespace

RealTimers::RealTimers(Loop& loop) : loop_(loop), queue_(std::make_shared<Queue>()) {
    queue_->token = loop.on_readable(queue_->fd, [weak = std::weak_ptr(queue_)] {
        if (auto queue = weak.lock()) queue->ring();
    });
}

RealTimers::~RealTimers() { queue_->token.reset(); }

std::unique_ptr<Timer> RealTimers::after(Duration delay, std::function<void()> call) {
    Instant now = boot_time();
    Instant due = delay > Instant::never() - now ? Instant::never() - Duration(1) : now + std::max(delay, Duration(0));
    Queue::Key key{due, ++queue_->made};
    queue_->waiting.emplace(key, std::move(call));
    queue_->set();
    return std::make_unique<QueuedTimer>(queue_, key);
}

void RealTimers::post(std::function<void()> call) { loop_.post(std::move(call)); }

} // namespace skerry::env
