#pragma once

#include "env/env.h"
#include "env/real/loop.h"

#include <memory>

namespace skerry::env {

/// A fixed number of threads. Its queue has no bound of its own: whoever submits keeps at most a few jobs of each object under
/// way.
///
/// Destruction waits for the jobs that run and drops those that wait; no `then` runs after it. Whatever jobs touch must still be
/// there then, so its owner calls `stop` before taking anything down.
class RealWorkers final : public Workers {
public:
    RealWorkers(Loop&, unsigned threads);
    ~RealWorkers() override;

    void run(std::string lane, std::function<void()> job, std::function<void()> then) override;

    /// Takes no more jobs, drops those that wait, and waits up to `patience` for those that run. True: none runs any more, and no
    /// `then` will. May be repeated.
    bool stop(Duration patience);

    struct Pool;

private:
    std::shared_ptr<Pool> pool_;
};

} // namespace skerry::env
