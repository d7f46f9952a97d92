#include "oci/runtime/runtime_config.h"

#include "oci/runtime/seccomp.h"

#include <algorithm>
#include <cstddef>
#include <map>

namespace skerry::oci {

namespace {

Json strings(const std::vector<std::string>& texts) {
    Json list = Json::array();
    for (auto& text : texts) list.push(text);
    return list;
}

Json mount(std::string_view target, std::string_view type, std::string_view source, const std::vector<std::string>& options) {
    Json json;
    json.set("destination", target);
    json.set("type", type);
    json.set("source", source);
    json.set("options", strings(options));
    return json;
}

Result<void> check_path(std::string_view field, const std::string& path) {
    bool good = path.starts_with('/') && path.size() < 4096 && path.find('\0') == path.npos && !(path + "/").contains("/../");
    if (good) return {};
    return fail(Code::invalid, std::string(field) + ": \"" + path.substr(0, 200) + "\" is not an absolute path without \"..\"");
}

/// Docker's merge, Kubernetes' names: `command` takes the place of the entry point and drops the image's arguments; `args` only
/// those.
Result<std::vector<std::string>> arguments(const ImageConfig& image, const RuntimeWish& wish) {
    std::vector<std::string> all = wish.command.empty() ? image.entrypoint : wish.command;
    const auto& rest = !wish.args.empty() || !wish.command.empty() ? wish.args : image.command;
    all.insert(all.end(), rest.begin(), rest.end());
    if (all.empty() || all[0].empty())
        return fail(Code::invalid, "command: the image has no entry point and no command; name the program to run");
    for (auto& argument : all)
        if (argument.find('\0') != argument.npos) return fail(Code::invalid, "command: contains a zero byte");
    return all;
}

Result<std::vector<std::string>> environment(const ImageConfig& image, const RuntimeWish& wish, const Account& account) {
    std::vector<std::string> names, lines;
    auto set = [&](std::string name, const std::string& value) {
        auto at = std::ranges::find(names, name);
        if (at != names.end()) {
            lines[static_cast<std::size_t>(at - names.begin())] = name + "=" + value;
            return;
        }
        lines.push_back(name + "=" + value);
        names.push_back(std::move(name));
    };
    set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (!wish.hostname.empty()) set("HOSTNAME", wish.hostname);
    set("HOME", account.home);
    for (auto& line : image.environment) {
        auto equals = line.find('=');
        set(line.substr(0, equals), equals == line.npos ? "" : line.substr(equals + 1));
    }
    for (auto& [name, value] : wish.environment) {
        if (name.empty() || name.find_first_of(std::string_view("=\0", 2)) != name.npos || value.find('\0') != value.npos)
            return fail(Code::invalid, "env: \"" + name.substr(0, 100) + "\" is not a name, or its value contains a zero byte");
        set(name, value);
    }
    return lines;
}

Json limit(std::string_view type, std::int64_t soft, std::int64_t hard) {
    Json json;
    json.set("type", type);
    json.set("hard", hard);
    json.set("soft", soft);
    return json;
}

Result<Json> process(const ImageConfig& image, const RuntimeWish& wish) {
    Account account = TRY(resolve_account(wish.user.empty() ? image.user : wish.user, wish.passwd, wish.group) | during("user"));
    Json user;
    user.set("uid", std::int64_t{account.uid});
    user.set("gid", std::int64_t{account.gid});
    if (!account.groups.empty()) {
        Json groups = Json::array();
        for (auto gid : account.groups) groups.push(std::int64_t{gid});
        user.set("additionalGids", std::move(groups));
    }
    std::string folder = wish.working_dir.empty() ? image.working_dir : wish.working_dir;
    if (folder.empty()) folder = "/";
    if (wish.working_dir.empty() && folder[0] != '/') folder = "/" + folder;
    TRY_VOID(check_path("workingDir", folder));

    Json capabilities;
    capabilities.set("bounding", strings(default_capabilities()));
    // Another user than root gets none until it runs a program with file capabilities, as in podman.
    std::vector<std::string> own = account.uid == 0 ? default_capabilities() : std::vector<std::string>();
    capabilities.set("effective", strings(own));
    capabilities.set("permitted", strings(own));
    capabilities.set("inheritable", Json::array());
    capabilities.set("ambient", Json::array());

    Json json;
    json.set("terminal", false);
    json.set("user", std::move(user));
    json.set("args", strings(TRY(arguments(image, wish))));
    json.set("env", strings(TRY(environment(image, wish, account))));
    json.set("cwd", folder);
    json.set("capabilities", std::move(capabilities));
    json.set("rlimits", Json::array({limit("RLIMIT_NOFILE", std::min<std::int64_t>(65'536, wish.open_files), wish.open_files)}));
    json.set("noNewPrivileges", false);
    json.set("oomScoreAdj", wish.oom_score_adjust);
    return json;
}

Result<Json> mounts(const RuntimeWish& wish) {
    Json list = Json::array();
    list.push(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
    list.push(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
    list.push(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
    list.push(mount("/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
    list.push(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
    list.push(mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
    list.push(mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}));
    std::multimap<std::ptrdiff_t, BindMount> outer_first;
    for (auto& bind : wish.mounts) outer_first.emplace(std::ranges::count(bind.target, '/'), bind);
    for (auto& [depth, bind] : outer_first) {
        TRY_VOID(check_path("mounts: source", bind.source));
        TRY_VOID(check_path("mounts: target", bind.target));
        if (bind.target.find_first_not_of('/') == bind.target.npos)
            return fail(Code::invalid, "mounts: target: the root itself cannot be covered");
        list.push(
            mount(bind.target, "bind", bind.source, {"rbind", "rprivate", "nosuid", "nodev", bind.read_only ? "ro" : "rw"}));
    }
    return list;
}

Json resources(const RuntimeWish& wish) {
    Json json;
    Json all_devices;
    all_devices.set("allow", false);
    all_devices.set("access", "rwm");
    json.set("devices", Json::array({std::move(all_devices)}));
    if (wish.cpu_millis > 0) {
        constexpr std::int64_t period_us = 100'000, least_quota_us = 1'000;
        Json cpu;
        cpu.set("shares", std::clamp<std::int64_t>(wish.cpu_millis * 1024 / 1000, 2, 262'144));
        cpu.set("quota", std::max(least_quota_us, wish.cpu_millis * (period_us / 1000)));
        cpu.set("period", period_us);
        json.set("cpu", std::move(cpu));
    }
    if (wish.memory_bytes > 0) {
        Json memory;
        memory.set("limit", wish.memory_bytes);
        if (wish.limit_swap) memory.set("swap", wish.memory_bytes);
        json.set("memory", std::move(memory));
    }
    if (wish.pids > 0) {
        Json pids;
        pids.set("limit", wish.pids);
        json.set("pids", std::move(pids));
    }
    return json;
}

Json namespaces(const RuntimeWish& wish) {
    Json list = Json::array();
    auto add = [&](std::string_view type, const std::string& path = {}) {
        Json json;
        json.set("type", type);
        if (!path.empty()) json.set("path", path);
        list.push(std::move(json));
    };
    add("pid");
    add("ipc");
    add("uts");
    add("mount");
    if (!wish.netns.empty()) add("network", wish.netns);
    if (wish.cgroup2) add("cgroup");
    return list;
}

} // namespace

const std::vector<std::string>& default_capabilities() {
    static const std::vector<std::string> set{"CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
                                              "CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",   "CAP_SETGID",
                                              "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};
    return set;
}

Result<Json> runtime_config(const ImageConfig& image, const RuntimeWish& wish) {
    constexpr std::int64_t most_millis = 1'000'000;
    if (wish.cpu_millis < 0 || wish.cpu_millis > most_millis || wish.memory_bytes < 0 || wish.pids < 0)
        return fail(Code::invalid, "resources: cpu, memory and pids must not be negative, and cpu at most 1000 cores");
    constexpr std::int64_t least_memory = 4 << 20; // below it, the runtime's own start is killed
    if (wish.memory_bytes > 0 && wish.memory_bytes < least_memory)
        return fail(Code::invalid, "resources.memory: " + std::to_string(wish.memory_bytes) +
                                       " bytes is less than a container can start in (try 8Mi)");
    if (wish.hostname.size() > 64)
        return fail(Code::invalid, "hostname: \"" + wish.hostname.substr(0, 100) + "\" has more than 64 characters");
    TRY_VOID(check_path("rootfs", wish.rootfs));
    TRY_VOID(check_path("cgroup path", wish.cgroup_path));
    Json json;
    json.set("ociVersion", "1.0.2");
    json.set("process", TRY(process(image, wish)));
    Json root;
    root.set("path", wish.rootfs);
    root.set("readonly", false);
    json.set("root", std::move(root));
    if (!wish.hostname.empty()) json.set("hostname", wish.hostname);
    json.set("mounts", TRY(mounts(wish)));
    Json linux;
    linux.set("cgroupsPath", wish.cgroup_path);
    linux.set("resources", resources(wish));
    linux.set("namespaces", namespaces(wish));
    if (!wish.netns.empty()) {
        Json sysctl;
        sysctl.set("net.ipv4.ping_group_range", "0 0");
        linux.set("sysctl", std::move(sysctl));
    }
    linux.set("seccomp", seccomp_profile(image.platform.architecture, default_capabilities()));
    linux.set("maskedPaths", strings({"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
                                      "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
                                      "/sys/firmware", "/sys/fs/selinux"}));
    linux.set("readonlyPaths",
              strings({"/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}));
    json.set("linux", std::move(linux));
    return json;
}

Result<Json> exec_process(const Json& config, const std::vector<std::string>& command) {
    const Json* process = config.find("process");
    if (!process || !process->members()) return fail(Code::corrupt, "the container's config.json has no process");
    if (command.empty() || command[0].empty()) return fail(Code::invalid, "command: is empty; name the program to run");
    for (auto& argument : command)
        if (argument.find('\0') != argument.npos) return fail(Code::invalid, "command: contains a zero byte");
    Json json = *process;
    json.set("args", strings(command));
    return json;
}

} // namespace skerry::oci
