#pragma once

#include "store/backend.h"

#include <atomic>
#include <optional>
#include <string>

namespace skerry::store {

/// One batch on its way to the disk. It is written by whoever comes first: the worker, or a flush that cannot wait for one.
class DiskWrite {
public:
    Backend::Batch batch; ///< unchanged once submitted
    /// Where the scrub goes on reading behind the batch, if it does.
    std::optional<std::string> scrub;
    static constexpr std::size_t scrub_rows = 128, scrub_bytes = 1 << 20;

    bool is_blank() const { return batch.put.empty() && batch.erased.empty() && batch.dropped.empty() && batch.notes.empty(); }

    /// Writes it unless somebody has begun to. Any thread.
    void run(Backend& backend) {
        Stage expected = Stage::waiting;
        if (!stage_.compare_exchange_strong(expected, Stage::running)) return;
        if (!is_blank()) result_ = backend.write(batch);
        if (scrub && result_) rows_ = backend.read(*scrub, scrub_rows, scrub_bytes);
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
    const Result<Backend::Rows>& rows() const { return rows_; }

private:
    enum class Stage : std::uint8_t { waiting, running, done };
    std::atomic<Stage> stage_ = Stage::waiting;
    Result<void> result_;
    Result<Backend::Rows> rows_;
};

} // namespace skerry::store
