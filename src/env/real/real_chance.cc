#include "env/real/real_chance.h"

#include "base/check.h"

#include <sys/random.h>

#include <utility>

namespace skerry::env {

std::uint64_t RealChance::bits() {
    std::scoped_lock lock(mutex_);
    if (left_ == 0) {
        // Up to 256 bytes arrive whole and without interruption (getrandom(2)).
        CHECK(getrandom(stock_.data(), sizeof stock_, 0) == static_cast<ssize_t>(sizeof stock_));
        left_ = stock_.size();
    }
    // Drawn numbers may become secrets: none stays behind.
    return std::exchange(stock_[--left_], 0);
}

} // namespace skerry::env
