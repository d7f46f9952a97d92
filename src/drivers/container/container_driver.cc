#include "drivers/container/container_driver.h"

#include "base/log.h"
#include "drivers/container/container_logs.h"
#include "drivers/container/exec.h"
#include "oci/runtime/signals.h"
#include "os/files.h"
#include "os/mount.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace skerry::drivers::container {

namespace {

/// There is none, or none that could be read tomorrow; as opposed to what fails for want of descriptors or memory.
bool is_absent(const Error& error) {
    return error.code == Code::not_found || error.code == Code::invalid || error.code == Code::corrupt;
}

constexpr auto kill_patience = 10s;
constexpr auto freeze_patience = 10s;
/// conmon writes the exit file within milliseconds of the end; this is for a machine that is very busy.
constexpr auto exit_file_patience = 3s;

std::optional<WallTime> changed_at(const std::string& path) {
    struct stat found {};
    if (::stat(path.c_str(), &found) < 0) return std::nullopt;
    return WallTime{found.st_mtim.tv_sec, static_cast<std::int32_t>(found.st_mtim.tv_nsec)};
}

Result<bool> swap_is_accounted(const os::Cgroups& cgroups) {
    if (cgroups.layout() == os::Cgroups::Layout::v2) return true;
    if (!cgroups.has("memory")) return false;
    return os::exists(TRY(cgroups.folder("/", "memory")) + "/memory.memsw.limit_in_bytes");
}

/// runc makes its groups in hierarchies without controllers (name=systemd), too; whoever loses runc's state has to remove them.
Result<void> remove_named_groups(const std::string& group) {
    for (auto& mount : TRY(os::mounts()))
        if (mount.filesystem == "cgroup" && mount.super_options.contains("name=")) TRY_VOID(os::rmdir(mount.target + group));
    return {};
}

} // namespace

Result<std::unique_ptr<ContainerDriver>> ContainerDriver::open(Options options, Blobs& blobs) {
    Paths paths{options.state, options.run};
    TRY_VOID(paths.ensure() | during("container driver"));
    auto cgroups = TRY(os::Cgroups::detect());
    auto exits = TRY(ExitWatch::on(paths.exits()));
    std::string boot = options.boot_id;
    if (boot.empty()) {
        boot = TRY(os::read_file("/proc/sys/kernel/random/boot_id", 128));
        while (!boot.empty() && boot.back() == '\n') boot.pop_back();
    }
    utsname machine{};
    if (::uname(&machine) < 0) return fail_errno("uname");
    return std::unique_ptr<ContainerDriver>(new ContainerDriver(std::move(options), blobs, std::move(cgroups), std::move(exits),
                                                                std::move(boot), oci::host_platform(machine.machine)));
}

ContainerDriver::ContainerDriver(Options options, Blobs& blobs, os::Cgroups cgroups, ExitWatch exits, std::string boot,
                                 oci::Platform host)
    : options_(std::move(options)), paths_{options_.state, options_.run}, cgroups_(std::move(cgroups)), exits_(std::move(exits)),
      boot_(std::move(boot)), host_(std::move(host)), images_(paths_, blobs, options_.program, host_) {
    surroundings_.cgroup = options_.cgroup;
    surroundings_.cgroup2 = cgroups_.layout() == os::Cgroups::Layout::v2;
    surroundings_.open_files = open_files_limit();
    surroundings_.limit_swap = swap_is_accounted(cgroups_).value_or(false);
}

Result<void> ContainerDriver::probe() {
    runtime_ = TRY(Runtime::find({.paths = paths_,
                                  .candidates = options_.runtimes,
                                  .conmon = options_.conmon,
                                  .cgroup = options_.cgroup,
                                  .log_backstop = options_.log_backstop,
                                  .host = host_,
                                  .cgroup2 = surroundings_.cgroup2}));
    return {};
}

Result<const Runtime*> ContainerDriver::runtime() const {
    if (!runtime_) return fail(Code::unavailable, "no OCI runtime was found yet; the driver's probe has to succeed first");
    return &*runtime_;
}

Result<Record> ContainerDriver::stored(const std::string& name) const {
    return parse_record(TRY(os::read_file(paths_.record(name), 64 << 10)));
}

/// The mark says so; or, where power or somebody took only that, the process itself does: until its start it is still the runtime.
Result<bool> ContainerDriver::was_started(const Record& record) const {
    if (TRY(os::exists(paths_.started(record.name)))) return true;
    if (!TRY(os::is_running(record.process))) return false;
    auto process = os::relatives(record.process.pid);
    if (!process) return false;
    return !process->name.starts_with("runc") && !process->name.starts_with("crun");
}

Result<std::vector<Found>> ContainerDriver::adopt(std::span<const Handle> remembered) {
    if (auto cleaned = images_.clean(); !cleaned)
        log(Level::warning, "container", "leftovers of images: {}", cleaned.error().message);
    std::vector<Found> all;
    std::set<std::string> seen;
    auto add = [&](const Record& record, Look look) {
        seen.insert(record.name);
        all.push_back({record.name, write_record(record), std::move(look)});
    };
    for (auto& name : TRY(os::list(paths_.instances()))) {
        auto record = check_name(name) ? stored(name) : fail(Code::invalid, "no name of ours");
        // What cannot be read for now may run: it is asked again later, not cleared.
        if (!record && !is_absent(record.error())) return std::unexpected(record.error());
        bool here = record && is_this_boot(*record) && TRY(was_started(*record));
        if (here) {
            if (!TRY(os::exists(paths_.started(name)))) TRY_VOID(mark_started(name));
            add(*record, TRY(look_at(*record)));
            continue;
        }
        // Of a start that was not finished, or of an earlier boot: whatever is left of it goes.
        if (auto cleared = clear(name); !cleared)
            log(Level::warning, "container", "{}: left over, and not to be removed: {}", name, cleared.error().message);
        if (record && !is_this_boot(*record)) add(*record, Look{.phase = Phase::lost});
    }
    for (auto& name : TRY(os::list(paths_.bundles())))
        if (!seen.contains(name))
            if (auto cleared = clear(name); !cleared)
                log(Level::warning, "container", "{}: left over, and not to be removed: {}", name, cleared.error().message);
    for (auto& handle : remembered) {
        auto record = parse_record(handle);
        if (record && !seen.contains(record->name)) add(*record, Look{.phase = Phase::lost});
    }
    return all;
}

Result<Handle> ContainerDriver::start(const InstanceSpec& spec) {
    TRY_VOID(check_name(spec.name));
    auto record = stored(spec.name);
    if (!record && !is_absent(record.error())) return std::unexpected(record.error());
    if (record && is_this_boot(*record) && TRY(was_started(*record))) {
        Look now = TRY(look_at(*record));
        if (now.phase == Phase::running || now.phase == Phase::suspended) return write_record(*record);
    }
    TRY_VOID(clear(spec.name));
    auto started = start_afresh(spec);
    if (!started)
        if (auto cleared = clear(spec.name); !cleared)
            log(Level::warning, "container", "{}: {}", spec.name, cleared.error().message);
    return started;
}

Result<Handle> ContainerDriver::start_afresh(const InstanceSpec& spec) {
    const Runtime* runtime = TRY(this->runtime());
    TRY_VOID(paths_.ensure()); // whoever cleans up /run may do so under us
    PreparedImage image = TRY(images_.prepare(spec.image, spec.name) | during("image " + spec.image));
    TRY_VOID(mount_root(spec.name, image));
    Record record;
    record.name = spec.name;
    record.boot = boot_;
    record.image = spec.image;
    record.stop_signal = TRY(oci::parse_signal(image.config.stop_signal) | during("the image's stop signal"));
    (void)TRY(write_bundle(spec, image));
    TRY_VOID(keep_previous_log(paths_.log_folder(spec.name)));
    auto launched = TRY(runtime->create(spec.name, paths_.log_folder(spec.name) + "/current"));
    record.process = launched.process;
    record.monitor = launched.monitor;
    // Out of our own group, so that nothing which ends our group ends the monitors with it.
    TRY_VOID(cgroups_.create(group("monitors")));
    TRY_VOID(cgroups_.enter(group("monitors"), record.monitor.pid));
    Handle handle = write_record(record);
    TRY_VOID(os::write_file_atomically(paths_.record(spec.name), handle, 0600));
    TRY_VOID(runtime->start(spec.name));
    TRY_VOID(mark_started(spec.name));
    return handle;
}

Result<void> ContainerDriver::mark_started(const std::string& name) const {
    (void)TRY(os::open(paths_.started(name), O_CREAT | O_WRONLY, 0600));
    return {};
}

Result<void> ContainerDriver::mount_root(const std::string& name, const PreparedImage& image) {
    os::Overlay overlay;
    for (auto layer = image.layers.rbegin(); layer != image.layers.rend(); ++layer)
        overlay.lower.push_back(images_.layer_folder(*layer));
    std::string folder = paths_.instance(name);
    if (overlay.lower.empty()) overlay.lower.push_back(folder + "/empty");
    overlay.upper = folder + "/upper";
    overlay.work = folder + "/work";
    for (auto& made : {overlay.upper, overlay.work, paths_.root(name), folder + "/empty"}) TRY_VOID(os::mkdirs(made, 0755));
    return os::mount_overlay(overlay, paths_.root(name)) | during("mount the image");
}

Result<oci::ImageConfig> ContainerDriver::write_bundle(const InstanceSpec& spec, const PreparedImage& image) {
    std::string bundle = paths_.bundle(spec.name);
    TRY_VOID(os::mkdirs(bundle, 0700));
    TRY_VOID(os::unlink(paths_.exit_file(spec.name)));
    auto own_servers = os::read_file("/etc/resolv.conf");
    TRY_VOID(os::write_file_atomically(bundle + "/hosts", TRY(hosts_file(spec))));
    TRY_VOID(os::write_file_atomically(bundle + "/resolv.conf", TRY(resolv_conf(spec, own_servers.value_or("")))));
    auto wish = TRY(wish_for(spec, paths_.root(spec.name), bundle, surroundings_));
    TRY_VOID(os::write_file_atomically(bundle + "/hostname", wish.hostname + "\n"));
    Json config = TRY(oci::runtime_config(image.config, wish));
    TRY_VOID(os::write_file_atomically(bundle + "/config.json", write_json(config), 0600));
    return image.config;
}

Result<Look> ContainerDriver::look(const Handle& handle) { return look_at(TRY(parse_record(handle))); }

Result<Look> ContainerDriver::look_at(const Record& record) {
    Look look;
    if (!is_this_boot(record)) return look;
    if (!TRY(was_started(record))) return look;
    auto started = changed_at(paths_.started(record.name));
    look.started = started ? *started : changed_at(paths_.record(record.name)).value_or(WallTime{});
    bool runs = TRY(os::is_running(record.process));
    bool monitored = TRY(os::is_running(record.monitor));
    if (!runs) {
        look.phase = Phase::exited;
        if (monitored) (void)os::wait_until_gone(record.monitor, exit_file_patience);
        add_end(record, look);
        return look;
    }
    look.phase = cgroups_.is_frozen(group(record.name)).value_or(false) ? Phase::suspended : Phase::running;
    look.pid = record.process.pid;
    if (!monitored) look.remark = "its monitor died; output is no longer recorded, and its exit code will not be known";
    return look;
}

void ContainerDriver::add_end(const Record& record, Look& look) {
    std::string file = paths_.exit_file(record.name);
    auto text = os::read_file(file, 64);
    int code = 0;
    if (text) {
        auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), code);
        if (error == std::errc()) look.exit_code = code;
    }
    look.ended = changed_at(file).value_or(look.started);
    if (!look.exit_code) look.remark = "its monitor died before it; how it ended is not known";
    look.out_of_memory = look.exit_code != 0 && ran_out_of_memory(record.name);
}

bool ContainerDriver::ran_out_of_memory(const std::string& name) {
    std::string bundle = paths_.bundle(name);
    for (const char* marker : {"/oom", "/persist/oom"})
        if (os::exists(bundle + marker).value_or(false)) return true;
    return cgroups_.oom_kills(group(name)).value_or(0) > 0;
}

Result<void> ContainerDriver::suspend(const Handle& handle) {
    Record record = TRY(parse_record(handle));
    Look now = TRY(look_at(record));
    if (now.phase == Phase::suspended) return {};
    if (now.phase != Phase::running)
        return fail(Code::conflict, "instance " + record.name + " does not run; it is " + std::string(drivers::name(now.phase)));
    auto frozen = cgroups_.freeze(group(record.name), freeze_patience) | during("suspend " + record.name);
    if (!frozen) (void)cgroups_.thaw(group(record.name));
    return frozen;
}

Result<void> ContainerDriver::resume(const Handle& handle) {
    Record record = TRY(parse_record(handle));
    Look now = TRY(look_at(record));
    if (now.phase == Phase::running) return {};
    if (now.phase != Phase::suspended)
        return fail(Code::conflict,
                    "instance " + record.name + " is not suspended; it is " + std::string(drivers::name(now.phase)));
    return cgroups_.thaw(group(record.name)) | during("resume " + record.name);
}

Result<void> ContainerDriver::ask_to_stop(const Handle& handle) {
    Record record = TRY(parse_record(handle));
    if (!is_this_boot(record) || !TRY(os::is_running(record.process))) return {};
    (void)cgroups_.thaw(group(record.name));
    return os::kill(record.process, record.stop_signal) | during("stop " + record.name);
}

Result<void> ContainerDriver::stop(const Handle& handle, Duration grace) {
    Record record = TRY(parse_record(handle));
    if (!is_this_boot(record)) return {};
    if (grace > Duration(0)) {
        TRY_VOID(ask_to_stop(handle));
        if (auto gone = os::wait_until_gone(record.process, grace); !gone && gone.error().code != Code::timeout) return gone;
    }
    TRY_VOID(cgroups_.kill(group(record.name), kill_patience) | during("kill " + record.name));
    if (TRY(os::is_running(record.process))) {
        TRY_VOID(os::kill(record.process, SIGKILL));
        TRY_VOID(os::wait_until_gone(record.process, kill_patience) | during("kill " + record.name));
    }
    // Its last words and its exit code are on disk once conmon is gone.
    if (auto gone = os::wait_until_gone(record.monitor, exit_file_patience); !gone && gone.error().code != Code::timeout)
        return gone;
    return {};
}

Result<void> ContainerDriver::remove(const Handle& handle) { return clear(TRY(parse_record(handle)).name); }

Result<void> ContainerDriver::clear(const std::string& name) {
    TRY_VOID(check_name(name));
    auto record = stored(name);
    TRY_VOID(cgroups_.kill(group(name), kill_patience) | during("kill " + name));
    if (record && is_this_boot(*record)) {
        TRY_VOID(os::kill(record->process, SIGKILL));
        TRY_VOID(os::wait_until_gone(record->process, kill_patience) | during("kill " + name));
        if (!os::wait_until_gone(record->monitor, exit_file_patience)) TRY_VOID(os::kill(record->monitor, SIGKILL));
    }
    if (runtime_) TRY_VOID(runtime_->remove(name));
    TRY_VOID(cgroups_.remove(group(name)) | during("remove " + name));
    TRY_VOID(remove_named_groups(group(name)) | during("remove " + name));
    TRY_VOID(os::umount_beneath(paths_.root(name)) | during("remove " + name));
    TRY_VOID(os::umount_beneath(paths_.bundle(name)) | during("remove " + name));
    TRY_VOID(os::remove_tree(paths_.bundle(name)));
    TRY_VOID(os::unlink(paths_.exit_file(name)));
    return os::remove_tree(paths_.instance(name));
}

Result<ExecOutcome> ContainerDriver::exec(const Handle& handle, std::span<const std::string> command, Duration deadline) {
    Record record = TRY(parse_record(handle));
    const Runtime* runtime = TRY(this->runtime());
    Look now = TRY(look_at(record));
    if (now.phase != Phase::running)
        return fail(Code::conflict, "instance " + record.name + " does not run; it is " + std::string(drivers::name(now.phase)));
    std::string bundle = paths_.bundle(record.name);
    Json config = TRY(parse_json(TRY(os::read_file(bundle + "/config.json", 4 << 20))));
    std::string folder = TRY(os::mkdtemp(bundle + "/exec-"));
    auto finished = [&]() -> Result<os::Finished> {
        TRY_VOID(os::write_file_atomically(folder + "/process.json",
                                           write_json(TRY(oci::exec_process(config, {command.begin(), command.end()}))), 0600));
        return runtime->exec(record.name, folder + "/process.json", folder + "/pid", deadline);
    }();
    if (!finished && finished.error().code == Code::timeout) kill_exec(cgroups_, group(record.name), folder + "/pid");
    TRY_VOID(os::remove_tree(folder));
    if (!finished && finished.error().code == Code::timeout)
        return fail(Code::timeout, "the command did not end within " + text(deadline) + " and was killed");
    if (!finished) return std::unexpected(finished.error());
    ExecOutcome outcome{finished->exit_code, finished->output + finished->errors};
    outcome.output.resize(std::min<std::size_t>(outcome.output.size(), 4 << 10));
    return outcome;
}

void ContainerDriver::drain() {
    exits_.drain([this](const std::string& name) {
        if (!changed_) return;
        if (check_name(name)) {
            changed_(name);
        } else if (name.empty()) {
            for (auto& each : os::list(paths_.instances()).value_or(std::vector<std::string>())) changed_(each);
        }
    });
}

Result<void> ContainerDriver::prepare_image(const std::string& digest) {
    (void)TRY(images_.prepare(digest, "ahead") | during("image " + digest));
    return {};
}

Result<void> ContainerDriver::keep_images(std::span<const std::string> kept) {
    std::vector<std::string> all(kept.begin(), kept.end());
    std::string user; // of what is not to be kept
    for (auto& name : TRY(os::list(paths_.instances()))) {
        auto record = stored(name);
        if (!record)
            return fail(Code::conflict,
                        "instance " + name + " cannot be read, so what it uses is not known: " + record.error().message);
        if (std::ranges::find(kept, record->image) == kept.end()) user = name;
        all.push_back(record->image);
    }
    TRY_VOID(images_.keep_only(all));
    if (!user.empty()) return fail(Code::conflict, "instance " + user + " is still there, and what it uses stays until it goes");
    return {};
}

Result<void> ContainerDriver::reset() {
    std::set<std::string> names;
    for (auto& folder : {paths_.instances(), paths_.bundles()})
        for (auto& name : TRY(os::list(folder))) names.insert(name);
    for (auto& name : names) TRY_VOID(clear(name));
    TRY_VOID(cgroups_.remove(group("monitors")));
    TRY_VOID(cgroups_.remove(options_.cgroup));
    TRY_VOID(remove_named_groups(options_.cgroup));
    for (auto& folder : {paths_.images(), paths_.layers(), paths_.instances(), paths_.logs()}) TRY_VOID(os::remove_tree(folder));
    return os::remove_tree(paths_.run);
}

} // namespace skerry::drivers::container
