#include "api/permit.h"

#include <utility>

namespace skerry::api {

namespace {
constexpr Duration asked_every = 30s;
}

Permit::Permit(env::Timers& timers, Check check, std::function<void(const Error&)> end)
    : timers_(timers), check_(std::move(check)), end_(std::move(end)) {
    arm();
}

void Permit::arm() {
    timer_ = timers_.after(asked_every, [this] {
        if (auto still = check_(); !still) {
            auto end = std::move(end_);
            return end(still.error());
        }
        arm();
    });
}

} // namespace skerry::api
