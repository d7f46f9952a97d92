#include "drivers/container/runtime.h"

#include "base/json.h"
#include "base/log.h"
#include "drivers/container/bundle.h"
#include "oci/runtime/runtime_config.h"
#include "os/files.h"

#include <charconv>
#include <cstdlib>
#include <poll.h>
#include <unistd.h>

namespace skerry::drivers::container {

namespace {

constexpr auto patience = 30s; ///< for one call of the runtime

std::string last_line(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    auto line = text.substr(text.rfind('\n') + 1);
    return std::string(line.substr(0, 600));
}

Result<os::Finished> run_checked(const os::Command& command, std::string_view doing) {
    auto finished = TRY(os::run(command) | during(doing));
    if (finished.good()) return finished;
    auto why = last_line(finished.errors.empty() ? finished.output : finished.errors);
    return fail(Code::internal,
                std::string(doing) + ": " + (why.empty() ? "exit code " + std::to_string(finished.exit_code) : why));
}

Result<os::ProcessId> process_in(const std::string& file) {
    std::string text = TRY(os::read_file(file, 64));
    int pid = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
    if (error != std::errc() || pid <= 1) return fail(Code::corrupt, file + ": \"" + text + "\" is not a process id");
    return os::identify(pid);
}

} // namespace

Result<std::string> find_program(const std::string& name) {
    if (name.find('/') != name.npos) {
        if (::access(name.c_str(), X_OK) == 0) return name;
        return fail_errno(name);
    }
    const char* path = std::getenv("PATH");
    std::string_view folders = path ? path : "";
    std::string all = std::string(folders) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (std::string_view rest = all; !rest.empty();) {
        auto folder = rest.substr(0, rest.find(':'));
        rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
        std::string candidate = std::string(folder) + "/" + name;
        if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    return fail(Code::not_found, name + " is not installed (apt-get install " + name + ")");
}

Result<Runtime> Runtime::find(Options options) {
    if (::geteuid() != 0) return fail(Code::forbidden, "containers need root on this machine; run skerry as root");
    options.conmon = TRY(find_program(options.conmon));
    std::string complaints;
    for (auto& candidate : options.candidates) {
        auto program = find_program(candidate);
        if (!program) {
            complaints += "; " + program.error().message;
            continue;
        }
        Runtime plain(options, *program);
        auto tried = plain.try_out();
        if (tried) return plain;
        complaints += "; " + candidate + ": " + tried.error().message;
        // A hybrid machine's empty unified tree is what crun stumbles over; a mount namespace without it costs one more exec per
        // call.
        std::string wrapper = options.paths.run + "/" + candidate.substr(candidate.rfind('/') + 1) + "-without-unified";
        std::string script = "#!/bin/sh\nexec unshare --mount --propagation slave sh -c 'umount -l /sys/fs/cgroup/unified && "
                             "exec \"$0\" \"$@\"' " +
                             *program + " \"$@\"\n";
        if (!TRY(os::exists("/sys/fs/cgroup/unified"))) continue;
        TRY_VOID(os::write_file_atomically(wrapper, script, 0700));
        Runtime wrapped(options, wrapper);
        if (wrapped.try_out()) return wrapped;
    }
    return fail(Code::unsupported, "no OCI runtime works on this machine" + complaints);
}

os::Command Runtime::command(std::vector<std::string> verb) const {
    os::Command command;
    command.argv = {program_, "--root", options_.paths.runtime_root()};
    command.argv.insert(command.argv.end(), verb.begin(), verb.end());
    command.output_limit = 64 << 10;
    command.deadline = patience;
    return command;
}

/// Runs a shell of this machine, its programs mounted read-only into an empty root, within every wall that instances get.
Result<void> Runtime::try_out() const {
    std::string name = "probe-" + std::to_string(::getpid());
    std::string folder = options_.paths.run + "/" + name, root = folder + "/root";
    TRY_VOID(os::mkdirs(root));
    constexpr int secret = 42;
    auto tried = [&]() -> Result<void> {
        oci::ImageConfig image;
        image.platform = options_.host;
        oci::RuntimeWish wish{.name = name,
                              .command = {"/bin/sh", "-c", "exit " + std::to_string(secret)},
                              .hostname = "probe",
                              .rootfs = root,
                              .cgroup_path = options_.cgroup + "/" + name,
                              .cpu_millis = 1000,
                              .memory_bytes = 64 << 20,
                              .cgroup2 = options_.cgroup2,
                              .open_files = open_files_limit()};
        for (const char* folder : {"/bin", "/lib", "/lib32", "/lib64", "/usr"})
            if (TRY(os::exists(folder))) wish.mounts.push_back({folder, folder, true});
        Json config = TRY(oci::runtime_config(image, wish));
        TRY_VOID(os::write_file_atomically(folder + "/config.json", write_json(config), 0600));
        auto finished = TRY(os::run(command({"run", "--bundle", folder, name})));
        if (finished.exit_code == secret) return {};
        return fail(Code::unsupported, last_line(finished.errors.empty() ? "ended with code " + std::to_string(finished.exit_code)
                                                                         : finished.errors));
    }();
    (void)os::run(command({"delete", "--force", name}));
    TRY_VOID(os::remove_tree(folder));
    return tried;
}

/// conmon's first message: {"data": pid}, or {"data": -1, "message": what the runtime complained of}. conmon keeps its end open,
/// so this reads a line, not to the end.
Result<std::int64_t> Runtime::await_pid(int pipe) const {
    auto deadline = TRY(os::Deadline::after(patience));
    std::string text;
    while (text.find('\n') == text.npos && text.size() < (64 << 10)) {
        TRY_VOID(os::wait_for(pipe, POLLIN, deadline));
        char buffer[4096];
        auto got = ::read(pipe, buffer, sizeof buffer);
        if (got < 0) return fail_errno("read from conmon");
        if (got == 0) break;
        text.append(buffer, static_cast<std::size_t>(got));
    }
    if (text.empty()) return fail(Code::internal, "conmon ended without a word");
    Json message = TRY(parse_json(text.substr(0, text.find('\n'))) | during("conmon's answer"));
    auto* pid = message.at({"data"}).integer();
    if (pid && *pid > 0) return *pid;
    return fail(Code::internal,
                last_line(message.text("message").empty() ? "the runtime gave no reason" : message.text("message")));
}

Result<Runtime::Launched> Runtime::create(const std::string& name, const std::string& log) const {
    const Paths& paths = options_.paths;
    std::string bundle = paths.bundle(name);
    auto [ours, theirs] = TRY(os::pipe());
    constexpr int sync_descriptor = 3;
    os::Command command;
    command.argv = {options_.conmon,
                    "--api-version",
                    "1",
                    "--cid",
                    name,
                    "--cuuid",
                    name,
                    "--name",
                    name,
                    "--runtime",
                    program_,
                    "--runtime-arg",
                    "--root",
                    "--runtime-arg",
                    paths.runtime_root(),
                    "--bundle",
                    bundle,
                    "--container-pidfile",
                    bundle + "/pid",
                    "--conmon-pidfile",
                    bundle + "/monitor.pid",
                    "--exit-dir",
                    paths.exits(),
                    "--persist-dir",
                    bundle + "/persist",
                    "--log-path",
                    "k8s-file:" + log,
                    "--log-size-max",
                    std::to_string(options_.log_backstop),
                    "--full-attach",
                    "--no-sync-log"};
    const char* path = std::getenv("PATH");
    command.environment = {{std::string("PATH=") + (path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"),
                            "_OCI_SYNCPIPE=" + std::to_string(sync_descriptor)}};
    command.working_dir = bundle;
    command.inherit = {{theirs.number(), sync_descriptor}};
    command.deadline = patience;
    TRY_VOID(os::mkdirs(bundle + "/persist", 0700));
    (void)TRY(run_checked(command, "conmon"));
    theirs.reset();
    auto pid = TRY(await_pid(ours.number()));
    Launched launched;
    launched.process = TRY(os::identify(static_cast<pid_t>(pid)) | during("container process"));
    launched.monitor = TRY(process_in(bundle + "/monitor.pid") | during("monitor"));
    return launched;
}

Result<void> Runtime::start(const std::string& name) const {
    (void)TRY(run_checked(command({"start", name}), "start"));
    return {};
}

Result<void> Runtime::remove(const std::string& name) const {
    if (!TRY(os::exists(options_.paths.runtime_root() + "/" + name))) return {};
    (void)TRY(run_checked(command({"delete", "--force", name}), "remove from the runtime"));
    return {};
}

Result<std::vector<std::string>> Runtime::list() const { return os::list(options_.paths.runtime_root()); }

Result<os::Finished> Runtime::exec(const std::string& name, const std::string& process_file, const std::string& pid_file,
                                   Duration deadline) const {
    os::Command exec = command({"exec", "--process", process_file, "--pid-file", pid_file, name});
    exec.output_limit = 4 << 10;
    exec.deadline = deadline;
    return os::run(exec);
}

} // namespace skerry::drivers::container
