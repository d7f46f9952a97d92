#pragma once

#include "base/result.h"
#include "drivers/container/paths.h"
#include "drivers/logs.h"

#include <cstdint>
#include <memory>
#include <string>

namespace skerry::drivers::container {

struct LogLimits {
    std::int64_t bytes = 10 << 20; ///< of one file, before it is rotated
    int files = 3;                 ///< of one run, the newest included
    std::size_t gone = 64;         ///< removed instances whose logs are kept
};

/// What containers print, as conmon wrote it to disk. Works on the files alone, whether or not anything runs.
class ContainerLogs : public Logs {
public:
    explicit ContainerLogs(Paths paths, LogLimits limits = {}) : paths_(std::move(paths)), limits_(limits) {}

    /// `not_found` for an instance that never printed here, or whose log was rotated away.
    Result<std::unique_ptr<LogReader>> open(const std::string& instance, LogWindow window) override;

    /// Rotates what passed its size, telling conmon to reopen (through its `ctl` pipe), and removes the oldest logs of removed
    /// instances. Interrupted between the rename and the telling, conmon writes on into the rotated file, and the next call tells
    /// it.
    void rotate() override;

private:
    void rotate_run(const std::string& name);

    Paths paths_;
    LogLimits limits_;
};

/// Makes room for a new run: `current…` becomes `previous…`.
Result<void> keep_previous_log(const std::string& folder);

} // namespace skerry::drivers::container
