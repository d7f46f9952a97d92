#pragma once

#include "store/backend.h"

#include <atomic>

namespace skerry::store {

/// One batch on its way to the disk. It is written by whoever comes first: the worker, or a flush that cannot wait for one.
class DiskWrite {
public:
    Backend::Batch batch; ///< unchanged once submitted

    /// Writes it unless somebody has begun to. Any thread.
    void run(Backend& backend) {
        Stage expected = Stage::waiting;
        if (!stage_.compare_exchange_strong(expected, Stage::running)) return;
        result_ = backend.write(batch);
        stage_ = Stage::done;
        stage_.notify_all();
    }
    /// Keeps it from being written if nobody has begun to.
    void cancel() {
        Stage expected = Stage::waiting;
        stage_.compare_exchange_strong(expected, Stage::done);
    }
    /// Waits for whoever has begun.
    void wait() const { stage_.wait(Stage::running); }
    bool done() const { return stage_ == Stage::done; }
    /// Once done.
    const Result<void>& result() const { return result_; }

private:
    enum class Stage : std::uint8_t { waiting, running, done };
    std::atomic<Stage> stage_ = Stage::waiting;
    Result<void> result_;
};

} // namespace skerry::store
