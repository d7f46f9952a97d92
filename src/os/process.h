#pragma once

#include "base/result.h"
#include "base/time.h"
#include "os/fd.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace skerry::os {

/// A program to run. No shell is involved: argv is passed as it is, and argv[0] is looked up in PATH where it has no slash.
struct Command {
    std::vector<std::string> argv;
    std::string input;                                   ///< bytes of its standard input
    std::optional<std::vector<std::string>> environment; ///< `NAME=value` each; none: ours
    std::string working_dir;                             ///< empty: ours
    /// Descriptors it inherits: {our number, its number}. Everything else but 0, 1 and 2 is closed in it. Its numbers are
    /// above 2.
    std::vector<std::pair<int, int>> inherit;
    std::size_t output_limit = 1 << 20; ///< of each of output and errors; the rest is read and dropped
    Duration deadline = 30s;            ///< then it is killed
};

/// How a program ended.
struct Finished {
    int exit_code = 0; ///< 128 + signal where a signal ended it
    int signal = 0;
    std::string output;
    std::string errors;
    bool cut = false; ///< output or errors passed the limit
    bool good() const { return exit_code == 0; }
};

/// Runs to the end. Returns as soon as the program itself ended, even if descendants of it hold its output open. `timeout` when
/// the deadline passed and it was killed; `not_found` when there is no such program.
Result<Finished> run(const Command&);
/// The output of a run that must exit with 0; otherwise an error with the last line it wrote to standard error.
Result<std::string> run_well(const Command&);

/// Keeps a process apart from a later one with the same number. Within one boot; store the boot id beside it.
struct ProcessId {
    pid_t pid = 0;
    std::uint64_t start = 0; ///< clock ticks since boot when it began (field 22 of /proc/PID/stat)
    auto operator<=>(const ProcessId&) const = default;
};

/// Starts a program as a child of init, in a session of its own, with its standard streams on /dev/null: it outlives us, and
/// nobody here must reap it. `input`, `output_limit` and `deadline` do not apply.
Result<ProcessId> spawn_detached(const Command&);

/// `not_found` where no such process is.
Result<ProcessId> identify(pid_t);
/// A zombie is not running. An error says nothing of the process (descriptors or memory ran out here).
Result<bool> is_running(ProcessId);
/// A descriptor of exactly this process, which poll(2) shows readable once it ended. `not_found` when it is gone.
Result<Fd> pidfd(ProcessId);
/// Sends a signal to exactly this process. One that is gone is fine.
Result<void> kill(ProcessId, int signal);
/// Waits until the process ended, or `timeout`. It need not be a child of ours.
Result<void> wait_until_gone(ProcessId, Duration);

struct Relatives {
    pid_t pid = 0;
    pid_t parent = 0;
    char state = '?'; ///< as in /proc/PID/stat: R, S, D, Z…
    std::uint64_t start = 0;
    std::string name;
};
/// The line of /proc/PID/stat; the name may hold spaces and brackets.
Result<Relatives> parse_stat(std::string_view line);
Result<Relatives> relatives(pid_t);
/// All processes whose parent is `pid`.
Result<std::vector<Relatives>> children(pid_t);

} // namespace skerry::os
