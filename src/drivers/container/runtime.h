#pragma once

#include "base/result.h"
#include "base/time.h"
#include "drivers/container/paths.h"
#include "oci/platform.h"
#include "os/process.h"

#include <cstdint>
#include <string>
#include <vector>

namespace skerry::drivers::container {

/// An OCI runtime that works on this machine, under conmon.
///
/// conmon stays between a container and us: it holds its output, writes it to the log, waits for its end and writes the exit code
/// to a file. It is a session of its own and a child of init, so it outlives us.
class Runtime {
public:
    struct Options {
        Paths paths;
        std::vector<std::string> candidates{"runc", "crun"};
        std::string conmon = "conmon";
        std::string cgroup = "/skerry";       ///< containers are in <cgroup>/<name>, monitors in <cgroup>/monitors
        std::int64_t log_backstop = 64 << 20; ///< conmon truncates a log here, should nobody rotate it
        oci::Platform host;
        bool cgroup2 = false;
    };

    /// Finds the first candidate that really runs a container here: cgroup set-ups differ more than any rule could say (crun
    /// refuses some hybrid ones, where it still works from a mount namespace without the unified tree: tried, too). The error
    /// tells each one's complaint.
    static Result<Runtime> find(Options options);

    const std::string& program() const { return program_; }

    struct Launched {
        os::ProcessId process;
        os::ProcessId monitor;
    };
    /// Makes the container of this bundle, its program not yet running, with a monitor.
    Result<Launched> create(const std::string& name, const std::string& log) const;
    /// Lets its program run.
    Result<void> start(const std::string& name) const;
    /// Kills what is left and forgets the container. None is fine.
    Result<void> remove(const std::string& name) const;
    /// Containers that the runtime knows, dead or alive.
    Result<std::vector<std::string>> list() const;

    /// Runs a command in the container; its pid, as we see it, goes to `pid_file`. `timeout` leaves the command running.
    Result<os::Finished> exec(const std::string& name, const std::string& process_file, const std::string& pid_file,
                              Duration deadline) const;

private:
    Runtime(Options options, std::string program) : options_(std::move(options)), program_(std::move(program)) {}
    os::Command command(std::vector<std::string> verb) const;
    Result<void> try_out() const;
    Result<std::int64_t> await_pid(int pipe) const;

    Options options_;
    std::string program_; ///< path
};

/// The first of `name` in PATH, or `name` itself where it has a slash. `not_found` names the Debian package.
Result<std::string> find_program(const std::string& name);

} // namespace skerry::drivers::container
