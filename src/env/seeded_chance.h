#pragma once

#include "env/env.h"

#include <cstdint>

namespace skerry::env {

/// All randomness of a run from one seed (SplitMix64, Steele et al. 2014). Predictable: for simulations and tests, never for
/// secrets.
class SeededChance final : public Chance {
public:
    explicit SeededChance(std::uint64_t seed) : state_(seed) {}

    std::uint64_t bits() override {
        std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15ULL;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
        return mixed ^ (mixed >> 31);
    }

private:
    std::uint64_t state_;
};

} // namespace skerry::env
