#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>

namespace skerry::drivers {

struct LogWindow {
    std::int64_t tail = -1;  ///< last n lines; -1: all that is kept
    bool timestamps = false; ///< each line begins with its RFC 3339 time
    bool previous = false;   ///< the run before the current one
    std::int64_t limit_bytes = -1;
};

/// Reads one instance's log. Calls block briefly (files); made on workers.
class LogReader {
public:
    virtual ~LogReader() = default;
    /// The next bytes, whole lines, at most `limit`. Empty: nothing more for now (ask again later to follow).
    virtual Result<std::string> next(std::size_t limit) = 0;
    /// Nothing comes any more, however long one follows: the window's bytes are used up. Not while `next` runs.
    virtual bool is_over() const { return false; }
};

/// Where a driver keeps what its instances print. Lines stay readable after the instance was removed, until rotation takes them.
class Logs {
public:
    virtual ~Logs() = default;
    virtual Result<std::unique_ptr<LogReader>> open(const std::string& instance, LogWindow) = 0;
    /// Cuts logs that passed their size; called now and then.
    virtual void rotate() = 0;
};

} // namespace skerry::drivers
