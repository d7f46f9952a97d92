#pragma once

#include "base/result.h"
#include "drivers/logs.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace skerry::api {

/// A log on its way to a client. Dropping it stops the reading.
class LogFlow {
public:
    virtual ~LogFlow() = default;
    /// The client fell behind, or caught up again.
    virtual void pause(bool) = 0;
};

/// Reads the log of any instance at any site of this cell's tree, through links where needed.
class LogSource {
public:
    virtual ~LogSource() = default;
    struct Sink {
        std::function<void(std::string bytes)> bytes;
        /// Once, last: the log's end, or why there is no more.
        std::function<void(Result<void>)> end;
    };
    struct Wanted {
        std::string site, node, instance; ///< `instance` as "project/name"
        std::string uid;
        drivers::LogWindow window;
        bool follow = false;
    };
    virtual std::unique_ptr<LogFlow> open(Wanted, Sink) = 0;
};

} // namespace skerry::api
