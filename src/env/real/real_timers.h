#pragma once

#include "env/env.h"
#include "env/real/loop.h"

#include <memory>

namespace skerry::env {

/// Timers on the loop, measured on the boot-time clock: what came due while the machine was suspended runs when it wakes.
/// Used on the loop's thread. The loop outlives it; its timers may outlive it, and then never run.
class RealTimers final : public Timers {
public:
    explicit RealTimers(Loop&);
    ~RealTimers() override;

    [[nodiscard]] std::unique_ptr<Timer> after(Duration, std::function<void()>) override;
    void post(std::function<void()>) override;

    struct Queue;

private:
    Loop& loop_;
    std::shared_ptr<Queue> queue_;
};

} // namespace skerry::env
