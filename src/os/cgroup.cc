#include "os/cgroup.h"

#include "os/fd.h"
#include "os/files.h"
#include "os/pidfd.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <iterator>
#include <poll.h>
#include <set>
#include <span>
#include <sstream>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace skerry::os {
namespace {

constexpr Duration step = 5ms;

Result<std::uint64_t> number_in(const std::string& path, std::string_view key = {}) {
    std::string text = TRY(read_file(path, 64 << 10));
    std::string_view rest = text;
    while (!rest.empty()) {
        auto newline = rest.find('\n');
        std::string_view line = rest.substr(0, newline);
        rest = newline == std::string_view::npos ? std::string_view{} : rest.substr(newline + 1);
        if (!key.empty()) {
            if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ' ') continue;
            line.remove_prefix(key.size() + 1);
        }
        std::uint64_t value = 0;
        if (std::from_chars(line.data(), line.data() + line.size(), value).ec == std::errc{}) return value;
        break;
    }
    return fail(Code::unsupported, "read " + path + ": no number" + (key.empty() ? "" : " after " + std::string(key)));
}

/// The folder and all below, deepest first.
void collect(const std::string& folder, std::vector<std::string>& into, int depth = 0) {
    if (depth > 64) return;
    auto names = list(folder);
    if (!names) return;
    for (const auto& name : *names) {
        std::string path = folder + "/" + name;
        struct stat found {};
        if (::lstat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) collect(path, into, depth + 1);
    }
    into.push_back(folder);
}

Result<void> check_group(const std::string& group) {
    bool good = group.starts_with('/') && group.size() > 1 && !group.ends_with('/') && group.find("//") == std::string::npos &&
                (group + "/").find("/../") == std::string::npos && (group + "/").find("/./") == std::string::npos;
    if (!good) return fail(Code::invalid, "cgroup \"" + group + "\": not a path below the root (try /skerry/name)");
    return {};
}

/// Between reading a list and sending a signal a number may pass to another process. So each is held by a descriptor first, and
/// only those that a second reading still shows in the group are killed.
void kill_members(const Cgroups& cgroups, const std::string& group, std::span<const pid_t> members) {
    constexpr std::size_t at_once = 128;
    while (!members.empty()) {
        auto part = members.first(std::min(at_once, members.size()));
        members = members.subspan(part.size());
        std::vector<std::pair<pid_t, Fd>> held;
        for (pid_t pid : part)
            if (Fd fd(::pidfd_open(pid, 0)); fd) held.emplace_back(pid, std::move(fd));
        auto again = cgroups.pids(group);
        if (!again) return;
        for (const auto& [pid, fd] : held)
            if (std::ranges::binary_search(*again, pid)) ::pidfd_send_signal(fd.number(), SIGKILL, nullptr, 0);
    }
}

void pause() { ::poll(nullptr, 0, static_cast<int>(step / 1ms)); }

} // namespace

Result<Cgroups> Cgroups::detect() { return from(TRY(mounts())); }

Result<Cgroups> Cgroups::from(const std::vector<MountPoint>& points) {
    static const std::set<std::string, std::less<>> known = {"cpu",        "cpuacct", "cpuset", "memory",  "devices",
                                                             "freezer",    "blkio",   "pids",   "net_cls", "net_prio",
                                                             "perf_event", "hugetlb", "rdma",   "misc"};
    Cgroups found;
    for (const auto& point : points) {
        if (point.filesystem == "cgroup2" && found.unified_.empty()) found.unified_ = point.target;
        if (point.filesystem != "cgroup") continue;
        std::string_view rest = point.super_options;
        while (!rest.empty()) {
            auto comma = rest.find(',');
            std::string_view option = rest.substr(0, comma);
            rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
            if (known.contains(option)) found.controllers_.emplace(option, point.target);
        }
    }
    if (found.controllers_.empty() && found.unified_.empty())
        return fail(Code::unsupported, "cgroups: no cgroup file system is mounted (try: mount -t cgroup2 none /sys/fs/cgroup)");
    found.layout_ = found.controllers_.empty() ? Layout::v2 : found.unified_.empty() ? Layout::v1 : Layout::hybrid;
    return found;
}

bool Cgroups::has(const std::string& controller) const {
    if (layout_ != Layout::v2) return controllers_.contains(controller);
    // The freezer of v2 is part of every group.
    if (controller == "freezer") return true;
    auto text = read_file(unified_ + "/cgroup.controllers");
    if (!text) return false;
    std::istringstream words(*text);
    return std::find(std::istream_iterator<std::string>(words), {}, controller) != std::istream_iterator<std::string>();
}

std::vector<std::string> Cgroups::folders(const std::string& group) const {
    std::vector<std::string> found;
    for (const auto& [controller, place] : controllers_) {
        std::string path = place + group;
        if (std::ranges::find(found, path) == found.end()) found.push_back(path);
    }
    if (!unified_.empty()) found.push_back(unified_ + group);
    return found;
}

Result<std::string> Cgroups::folder(const std::string& group, const std::string& controller) const {
    if (layout_ == Layout::v2) return unified_ + group;
    auto found = controllers_.find(controller);
    if (found == controllers_.end())
        return fail(Code::unsupported, "cgroups: this machine has no " + controller + " controller mounted");
    return found->second + group;
}

Result<void> Cgroups::create(const std::string& group) const {
    TRY_VOID(check_group(group));
    for (const auto& path : folders(group)) TRY_VOID(mkdirs(path));
    // A new v1 cpuset has no processors and no memory, and takes no process until its parent's are copied.
    if (auto cpuset = controllers_.find("cpuset"); cpuset != controllers_.end()) {
        for (auto slash = group.find('/', 1);; slash = group.find('/', slash + 1)) {
            std::string part = group.substr(0, slash);
            std::string above = part.substr(0, part.rfind('/'));
            for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
                auto own = read_file(cpuset->second + part + file);
                if (!own || own->find_first_not_of(" \n") != std::string::npos) continue;
                auto value = read_file(cpuset->second + above + file);
                if (value) TRY_VOID(write_file(cpuset->second + part + file, *value));
            }
            if (slash == std::string::npos) break;
        }
    }
    if (layout_ == Layout::v2) {
        for (std::string part; part != group;) {
            for (const char* controller : {"cpu", "memory", "pids", "io", "cpuset"})
                if (has(controller)) (void)write_file(unified_ + part + "/cgroup.subtree_control", std::string("+") + controller);
            auto slash = group.find('/', part.size() + 1);
            part = group.substr(0, slash);
        }
    }
    return {};
}

Result<void> Cgroups::remove(const std::string& group) const {
    TRY_VOID(check_group(group));
    for (const auto& top : folders(group)) {
        std::vector<std::string> inner;
        collect(top, inner);
        for (const auto& path : inner) {
            // A group whose last process has just ended stays busy for a moment.
            for (int attempt = 0; ::rmdir(path.c_str()) < 0 && errno != ENOENT; ++attempt) {
                int error = errno;
                auto procs = read_file(path + "/cgroup.procs");
                if (procs && !procs->empty()) return fail(Code::conflict, "remove cgroup " + path + ": processes are in it");
                if (error != EBUSY || attempt == 100) return fail_errno("remove cgroup " + path, error);
                pause();
            }
        }
    }
    return {};
}

Result<void> Cgroups::enter(const std::string& group, pid_t pid) const {
    TRY_VOID(check_group(group));
    for (const auto& path : folders(group)) TRY_VOID(write_file(path + "/cgroup.procs", std::to_string(pid)));
    return {};
}

Result<std::vector<pid_t>> Cgroups::pids(const std::string& group) const {
    TRY_VOID(check_group(group));
    std::set<pid_t> found;
    bool any = false;
    for (const auto& top : folders(group)) {
        std::vector<std::string> inner;
        collect(top, inner);
        for (const auto& path : inner) {
            auto text = read_file(path + "/cgroup.procs", 16 << 20);
            if (!text) continue;
            any = true;
            const char* at = text->data();
            const char* end = at + text->size();
            while (at < end) {
                pid_t pid = 0;
                auto [next, error] = std::from_chars(at, end, pid);
                if (error != std::errc{}) break;
                // 0 is a process outside our view of process numbers.
                if (pid > 0) found.insert(pid);
                at = next + 1;
            }
        }
    }
    if (!any) return fail(Code::not_found, "cgroup " + group + ": there is none");
    return std::vector(found.begin(), found.end());
}

Result<void> Cgroups::kill(const std::string& group, Duration patience) const {
    Deadline deadline = TRY(Deadline::after(patience));
    for (;;) {
        auto inside = pids(group);
        if (!inside && inside.error().code == Code::not_found) return {};
        if (!inside) return std::unexpected(inside.error());
        if (inside->empty()) return {};
        if (!unified_.empty()) (void)write_file(unified_ + group + "/cgroup.kill", "1");
        kill_members(*this, group, *inside);
        // A frozen v1 group dies only once it is thawed.
        (void)thaw(group);
        if (deadline.passed())
            return fail(Code::timeout, "kill cgroup " + group + ": processes are left after " + text(patience));
        pause();
    }
}

Result<Bytes> Cgroups::memory_used(const std::string& group) const {
    std::string path = TRY(folder(group, "memory"));
    return Bytes{
        static_cast<std::int64_t>(TRY(number_in(path + (layout_ == Layout::v2 ? "/memory.current" : "/memory.usage_in_bytes"))))};
}

Result<std::uint64_t> Cgroups::oom_kills(const std::string& group) const {
    std::string path = TRY(folder(group, "memory"));
    return number_in(path + (layout_ == Layout::v2 ? "/memory.events" : "/memory.oom_control"), "oom_kill");
}

Result<void> Cgroups::freeze(const std::string& group, Duration patience) const {
    std::string path = TRY(folder(group, "freezer"));
    Deadline deadline = TRY(Deadline::after(patience));
    for (;;) {
        // v1 may need the request again for processes that were born meanwhile (freezer-subsystem.txt).
        TRY_VOID(layout_ == Layout::v2 ? write_file(path + "/cgroup.freeze", "1")
                                       : write_file(path + "/freezer.state", "FROZEN"));
        if (TRY(is_frozen(group))) return {};
        if (deadline.passed())
            return fail(Code::timeout, "freeze cgroup " + group + ": processes still move after " + text(patience));
        pause();
    }
}

Result<void> Cgroups::thaw(const std::string& group) const {
    std::string path = TRY(folder(group, "freezer"));
    return layout_ == Layout::v2 ? write_file(path + "/cgroup.freeze", "0") : write_file(path + "/freezer.state", "THAWED");
}

Result<bool> Cgroups::is_frozen(const std::string& group) const {
    std::string path = TRY(folder(group, "freezer"));
    if (layout_ == Layout::v2) return TRY(number_in(path + "/cgroup.events", "frozen")) == 1;
    return TRY(read_file(path + "/freezer.state")) == "FROZEN\n";
}

} // namespace skerry::os
