#include "os/process.h"

#include "os/files.h"
#include "os/pidfd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace skerry::os {
namespace {

Result<std::string> find_program(const std::string& name) {
    if (name.empty()) return fail(Code::invalid, "run: argv is empty");
    if (name.find('/') != std::string::npos) return name;
    const char* from_environment = ::getenv("PATH");
    // The folders of system programs are searched too: a service's PATH often lacks them.
    std::string path =
        std::string(from_environment ? from_environment : "") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    std::string_view rest = path;
    while (!rest.empty()) {
        auto colon = rest.find(':');
        std::string folder(rest.substr(0, colon));
        rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
        if (folder.empty()) continue;
        std::string candidate = folder + "/" + name;
        struct stat found {};
        if (::stat(candidate.c_str(), &found) == 0 && S_ISREG(found.st_mode) && ::access(candidate.c_str(), X_OK) == 0)
            return candidate;
    }
    return fail(Code::not_found, "run " + name + ": no such program on this machine");
}

/// All that the child needs, ready before the fork: between fork and exec it may call only what is safe in a signal handler.
struct Launch {
    std::string program;
    std::vector<char*> argv;
    std::vector<char*> environment;
    std::string working_dir;
    std::vector<std::pair<int, int>> descriptors; ///< {ours, its}
    int report = -1;                              ///< receives errno where exec fails; closed by exec
    int go = -1;                                  ///< read before exec, where not -1
    int lowest_spare = 3;

    static Result<Launch> of(const Command& command) {
        Launch launch;
        if (command.argv.empty()) return fail(Code::invalid, "run: argv is empty");
        launch.program = TRY(find_program(command.argv.front()));
        for (const auto& word : command.argv) launch.argv.push_back(const_cast<char*>(word.c_str()));
        launch.argv.push_back(nullptr);
        if (command.environment) {
            for (const auto& entry : *command.environment) launch.environment.push_back(const_cast<char*>(entry.c_str()));
        } else {
            for (char** entry = environ; entry && *entry; ++entry) launch.environment.push_back(*entry);
        }
        launch.environment.push_back(nullptr);
        launch.working_dir = command.working_dir;
        return launch;
    }

    void give(int ours, int its) {
        descriptors.emplace_back(ours, its);
        lowest_spare = std::max(lowest_spare, its + 1);
    }

    [[noreturn]] void report_errno() const {
        int error = errno;
        [[maybe_unused]] ssize_t n = ::write(report, &error, sizeof error);
        ::_exit(127);
    }

    [[noreturn]] void execute() {
        for (int signal = 1; signal < 32; ++signal) ::signal(signal, SIG_DFL);
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        // First out of the way of the numbers they are to get, then to those numbers.
        report = ::fcntl(report, F_DUPFD_CLOEXEC, lowest_spare);
        if (report < 0) ::_exit(127);
        if (go >= 0 && (go = ::fcntl(go, F_DUPFD_CLOEXEC, lowest_spare)) < 0) report_errno();
        for (auto& [ours, its] : descriptors) {
            ours = ::fcntl(ours, F_DUPFD_CLOEXEC, lowest_spare);
            if (ours < 0) report_errno();
        }
        ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        for (const auto& [ours, its] : descriptors)
            if (::dup2(ours, its) < 0) report_errno();
        if (!working_dir.empty() && ::chdir(working_dir.c_str()) < 0) report_errno();
        if (go >= 0) {
            char byte = 0;
            if (::read(go, &byte, 1) != 1) ::_exit(127);
        }
        ::execve(program.c_str(), argv.data(), environment.data());
        report_errno();
    }
};

Result<Fd> null_device() { return open("/dev/null", O_RDWR); }

/// A file in memory that holds the bytes, read from its start. Unlike a pipe nobody has to keep filling it.
Result<Fd> in_memory(std::string_view bytes) {
    Fd fd(::memfd_create("input", MFD_CLOEXEC));
    if (!fd) return fail_errno("memfd_create");
    while (!bytes.empty()) {
        ssize_t n = ::write(fd.number(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno("write input");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::lseek(fd.number(), 0, SEEK_SET) < 0) return fail_errno("seek input");
    return fd;
}

Result<void> unblock(const Fd& fd) {
    if (::fcntl(fd.number(), F_SETFL, O_NONBLOCK) < 0) return fail_errno("fcntl");
    return {};
}

/// Reads what is there. False once the writer has gone.
bool drain(const Fd& fd, std::string& into, std::size_t limit, bool& cut) {
    char buffer[16384];
    for (;;) {
        ssize_t n = ::read(fd.number(), buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        if (n == 0) return false;
        std::size_t room = limit - std::min(limit, into.size());
        std::size_t taken = std::min(room, static_cast<std::size_t>(n));
        into.append(buffer, taken);
        cut = cut || taken < static_cast<std::size_t>(n);
    }
}

Result<siginfo_t> reap(const Fd& process) {
    siginfo_t status{};
    while (::waitid(P_PIDFD, static_cast<id_t>(process.number()), &status, WEXITED) < 0)
        if (errno != EINTR) return fail_errno("waitid");
    return status;
}

std::string last_line(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    auto newline = text.rfind('\n');
    if (newline != std::string_view::npos) text.remove_prefix(newline + 1);
    return std::string(text.substr(0, 500));
}

} // namespace

Result<Finished> run(const Command& command) {
    Launch launch = TRY(Launch::of(command));
    const std::string& title = command.argv.front();
    Fd input = command.input.empty() ? TRY(null_device()) : TRY(in_memory(command.input));
    auto [output_read, output_write] = TRY(pipe());
    auto [errors_read, errors_write] = TRY(pipe());
    auto [report_read, report_write] = TRY(pipe());
    Deadline deadline = TRY(Deadline::after(command.deadline));
    launch.give(input.number(), 0);
    launch.give(output_write.number(), 1);
    launch.give(errors_write.number(), 2);
    for (auto [ours, its] : command.inherit) launch.give(ours, its);
    launch.report = report_write.number();

    pid_t pid = ::fork();
    if (pid < 0) return fail_errno("run " + title);
    if (pid == 0) {
        // A group of its own: Ctrl-C at our terminal is not meant for it, and a kill at the deadline takes its children along.
        ::setpgid(0, 0);
        launch.execute();
    }
    ::setpgid(pid, pid);
    output_write.reset();
    errors_write.reset();
    report_write.reset();
    input.reset();
    Fd process(::pidfd_open(pid, 0));
    if (!process) {
        int error = errno;
        ::kill(-pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return fail_errno("run " + title + ": pidfd_open", error);
    }
    int failed = 0;
    ssize_t reported = 0;
    while ((reported = ::read(report_read.number(), &failed, sizeof failed)) < 0 && errno == EINTR) {
    }
    if (reported == sizeof failed) {
        TRY(reap(process));
        return fail_errno("run " + launch.program, failed);
    }

    Finished finished;
    bool late = false;
    TRY_VOID(unblock(output_read));
    TRY_VOID(unblock(errors_read));
    for (;;) {
        std::array<pollfd, 4> entries{{{process.number(), POLLIN, 0},
                                       {late ? -1 : deadline.number(), POLLIN, 0},
                                       {output_read.number(), POLLIN, 0},
                                       {errors_read.number(), POLLIN, 0}}};
        if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return fail_errno("poll");
        if (output_read && !drain(output_read, finished.output, command.output_limit, finished.cut)) output_read.reset();
        if (errors_read && !drain(errors_read, finished.errors, command.output_limit, finished.cut)) errors_read.reset();
        if (entries[0].revents != 0) break;
        if (entries[1].revents != 0) {
            late = true;
            ::kill(-pid, SIGKILL);
        }
    }
    if (output_read) drain(output_read, finished.output, command.output_limit, finished.cut);
    if (errors_read) drain(errors_read, finished.errors, command.output_limit, finished.cut);
    siginfo_t status = TRY(reap(process));
    if (late) return fail(Code::timeout, "run " + title + ": still running after " + skerry::text(command.deadline) + ", killed");
    finished.signal = status.si_code == CLD_EXITED ? 0 : status.si_status;
    finished.exit_code = finished.signal ? 128 + finished.signal : status.si_status;
    return finished;
}

Result<std::string> run_well(const Command& command) {
    Finished finished = TRY(run(command));
    if (finished.good()) return std::move(finished.output);
    std::string why = finished.signal ? "ended by signal " + std::to_string(finished.signal)
                                      : "exit code " + std::to_string(finished.exit_code);
    std::string said = last_line(finished.errors.empty() ? finished.output : finished.errors);
    return fail(Code::internal, command.argv.front() + ": " + why + (said.empty() ? "" : ": " + said));
}

Result<ProcessId> spawn_detached(const Command& command) {
    Launch launch = TRY(Launch::of(command));
    const std::string& title = command.argv.front();
    Fd null = TRY(null_device());
    auto [report_read, report_write] = TRY(pipe());
    auto [go_read, go_write] = TRY(pipe());
    auto [name_read, name_write] = TRY(pipe());
    for (int stream : {0, 1, 2}) launch.give(null.number(), stream);
    for (auto [ours, its] : command.inherit) launch.give(ours, its);
    launch.report = report_write.number();
    launch.go = go_read.number();

    pid_t pid = ::fork();
    if (pid < 0) return fail_errno("start " + title);
    if (pid == 0) {
        ::setsid();
        pid_t child = ::_Fork();
        if (child < 0) launch.report_errno();
        if (child > 0) ::_exit(0);
        pid_t self = ::getpid();
        [[maybe_unused]] ssize_t n = ::write(name_write.number(), &self, sizeof self);
        // Its own copy of this end would keep it waiting for ever if we died now.
        ::close(go_write.number());
        launch.execute();
    }
    report_write.reset();
    name_write.reset();
    go_read.reset();
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_t grandchild = 0;
    ssize_t n = 0;
    while ((n = ::read(name_read.number(), &grandchild, sizeof grandchild)) < 0 && errno == EINTR) {
    }
    if (n != sizeof grandchild) return fail(Code::internal, "start " + title + ": the new process ended before it began");
    // It waits for a byte, so its start time is read while it surely exists.
    ProcessId id = TRY(identify(grandchild));
    char byte = 1;
    while ((n = ::write(go_write.number(), &byte, 1)) < 0 && errno == EINTR) {
    }
    int failed = 0;
    while ((n = ::read(report_read.number(), &failed, sizeof failed)) < 0 && errno == EINTR) {
    }
    if (n == sizeof failed) return fail_errno("start " + launch.program, failed);
    return id;
}

Result<Relatives> parse_stat(std::string_view line) {
    auto bad = [] { return fail(Code::invalid, "/proc/PID/stat: not the expected fields"); };
    auto open = line.find('(');
    auto close = line.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open || close + 2 >= line.size())
        return bad();
    Relatives found;
    found.name = line.substr(open + 1, close - open - 1);
    if (std::from_chars(line.data(), line.data() + open, found.pid).ec != std::errc{}) return bad();
    std::string_view rest = line.substr(close + 2);
    // Fields are numbered from 1 as in proc(5); the state is the third.
    for (int field = 3; !rest.empty(); ++field) {
        auto space = rest.find(' ');
        std::string_view word = rest.substr(0, space);
        const char* end = word.data() + word.size();
        if (field == 3 && !word.empty()) found.state = word.front();
        if (field == 4 && std::from_chars(word.data(), end, found.parent).ec != std::errc{}) return bad();
        if (field == 22) {
            if (std::from_chars(word.data(), end, found.start).ec != std::errc{}) return bad();
            return found;
        }
        if (space == std::string_view::npos) break;
        rest.remove_prefix(space + 1);
    }
    return bad();
}

Result<Relatives> relatives(pid_t pid) {
    auto line = read_file("/proc/" + std::to_string(pid) + "/stat", 8192);
    if (!line && line.error().code == Code::not_found)
        return fail(Code::not_found, "process " + std::to_string(pid) + ": there is none");
    return parse_stat(TRY(std::move(line)));
}

Result<std::vector<Relatives>> children(pid_t pid) {
    std::vector<Relatives> found;
    for (const auto& name : TRY(list("/proc"))) {
        pid_t candidate = 0;
        auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), candidate);
        if (error != std::errc{} || end != name.data() + name.size()) continue;
        auto one = relatives(candidate);
        if (one && one->parent == pid) found.push_back(std::move(*one));
    }
    return found;
}

Result<ProcessId> identify(pid_t pid) {
    Relatives found = TRY(relatives(pid));
    return ProcessId{pid, found.start};
}

Result<bool> is_running(ProcessId id) {
    if (id.pid <= 0) return false;
    auto found = relatives(id.pid);
    if (!found && found.error().code == Code::not_found) return false;
    if (!found) return std::unexpected(found.error());
    return found->start == id.start && found->state != 'Z' && found->state != 'X';
}

Result<Fd> pidfd(ProcessId id) {
    auto gone = [&] { return fail(Code::not_found, "process " + std::to_string(id.pid) + ": it has ended"); };
    if (id.pid <= 0) return gone();
    Fd fd(::pidfd_open(id.pid, 0));
    if (!fd) {
        if (errno == ESRCH) return gone();
        return fail_errno("pidfd_open " + std::to_string(id.pid));
    }
    // Opened first, compared after: the number cannot have passed to another process in between.
    auto found = relatives(id.pid);
    if (!found && found.error().code != Code::not_found) return std::unexpected(found.error());
    if (!found || found->start != id.start) return gone();
    return fd;
}

Result<void> kill(ProcessId id, int signal) {
    auto fd = pidfd(id);
    if (!fd && fd.error().code == Code::not_found) return {};
    if (!fd) return std::unexpected(fd.error());
    if (::pidfd_send_signal(fd->number(), signal, nullptr, 0) < 0 && errno != ESRCH)
        return fail_errno("kill " + std::to_string(id.pid));
    return {};
}

Result<void> wait_until_gone(ProcessId id, Duration patience) {
    auto fd = pidfd(id);
    if (!fd && fd.error().code == Code::not_found) return {};
    if (!fd) return std::unexpected(fd.error());
    return wait_for(fd->number(), POLLIN, TRY(Deadline::after(patience))) | during("wait for process " + std::to_string(id.pid));
}

} // namespace skerry::os
