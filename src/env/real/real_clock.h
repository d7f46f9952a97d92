#pragma once

#include "env/env.h"

#include <string>

namespace skerry::env {

/// The machine's clocks.
///
/// For tests, which cannot set the wall clock of one process: SKERRY_TEST_CLOCK_ERROR, in seconds, is added to it.
class RealClock final : public Clock {
public:
    RealClock();

    Instant now() const override;
    WallTime wall() const override;
    std::string boot_id() const override { return boot_id_; }

private:
    std::string boot_id_;
    std::int64_t error_ = 0;
};

} // namespace skerry::env
