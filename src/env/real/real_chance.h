#pragma once

#include "env/env.h"

#include <array>
#include <cstdint>
#include <mutex>

namespace skerry::env {

/// The kernel's random numbers (getrandom), fit for secrets. Thread-safe.
class RealChance final : public Chance {
public:
    std::uint64_t bits() override;

private:
    std::mutex mutex_;
    std::array<std::uint64_t, 32> stock_{};
    std::size_t left_ = 0;
};

} // namespace skerry::env
