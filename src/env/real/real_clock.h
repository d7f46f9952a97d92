#pragma once

#include "env/env.h"

#include <string>

namespace skerry::env {

/// The machine's clocks.
class RealClock final : public Clock {
public:
    RealClock();

    Instant now() const override;
    WallTime wall() const override;
    std::string boot_id() const override { return boot_id_; }

private:
    std::string boot_id_;
};

} // namespace skerry::env
