#pragma once

#include "base/result.h"
#include "env/env.h"

#include <functional>
#include <memory>

namespace skerry::api {

/// Leave to be told something for longer than a moment (a watch, a log that is followed). It is asked for again twice a minute,
/// since tokens end and are revoked, and so are keys.
class Permit {
public:
    using Check = std::function<Result<void>()>;
    /// `end` is called once, with what `check` said, and may destroy this.
    Permit(env::Timers&, Check check, std::function<void(const Error&)> end);

private:
    void arm();

    env::Timers& timers_;
    Check check_;
    std::function<void(const Error&)> end_;
    std::unique_ptr<env::Timer> timer_;
};

} // namespace skerry::api
