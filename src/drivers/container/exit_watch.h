#pragma once

#include "base/result.h"
#include "os/fd.h"

#include <functional>
#include <string>

namespace skerry::drivers::container {

/// Tells which instances' exit files were written, without a thread: a descriptor that becomes readable, and `drain`.
class ExitWatch {
public:
    static Result<ExitWatch> on(const std::string& folder);
    int number() const { return inotify_.number(); }
    /// Calls `ended` for each; an empty name means that some were missed and all should be looked at. A folder that somebody removed
    /// is made again.
    void drain(const std::function<void(const std::string&)>& ended);

private:
    ExitWatch(os::Fd inotify, std::string folder) : inotify_(std::move(inotify)), folder_(std::move(folder)) {}
    Result<void> begin();
    os::Fd inotify_;
    std::string folder_;
};

} // namespace skerry::drivers::container
