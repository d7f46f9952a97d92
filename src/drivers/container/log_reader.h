#pragma once

#include "base/result.h"
#include "drivers/logs.h"
#include "os/fd.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::drivers::container {

/// The files of one run, newest first: `current`, `current.1`, … below `folder`. They move while we read: see LogFiles.
struct LogSeries {
    std::string folder;
    std::string stem; ///< "current" or "previous"
    int rotated = 2;  ///< how many besides the newest

    std::string path(int age) const { return folder + "/" + stem + (age ? "." + std::to_string(age) : ""); }
};

/// Reads conmon's `k8s-file` format: `time stream P|F text`, where P marks a part that the next line of its stream goes on with.
///
/// Follows the files through rotation (by inode: what was `current` is `current.1` now) and through a restart of the instance.
/// Parts are put together, up to 256 KiB; at the end of what there is, a last part without newline counts as a line. The end is
/// first where it was at `begin`, so that who reads to the end is not led on by a program that writes faster.
class FileLogReader : public LogReader {
public:
    FileLogReader(LogSeries series, LogWindow window);
    /// Finds where the window begins.
    Result<void> begin();
    Result<std::string> next(std::size_t limit) override;
    bool is_over() const override { return left_ == 0; }

private:
    Result<bool> open_age(int age);
    Result<bool> move_on();
    Result<std::int64_t> size() const;
    Result<bool> fill();
    void take_line(std::string_view line);
    void flush_parts();

    struct Part {
        std::string stamp;
        std::string text;
    };

    LogSeries series_;
    LogWindow window_;
    os::Fd file_;
    std::string pending_; ///< the beginning of a line whose end was not read yet
    Part parts_[2];       ///< of standard output and error
    std::deque<std::string> lines_;
    std::int64_t skip_ = 0;             ///< lines before the tail
    std::int64_t left_ = -1;            ///< bytes of the limit, or -1
    std::optional<std::int64_t> ahead_; ///< bytes to the end as it was at `begin`; none once it was reached
    bool counting_ = false;
    std::int64_t counted_ = 0;
};

} // namespace skerry::drivers::container
