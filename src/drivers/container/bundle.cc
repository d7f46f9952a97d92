#include "drivers/container/bundle.h"

#include "os/fd.h"

#include <algorithm>
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace skerry::drivers::container {

namespace {

bool is_address(const std::string& text) {
    unsigned char room[16];
    return ::inet_pton(AF_INET, text.c_str(), room) == 1 || ::inet_pton(AF_INET6, text.c_str(), room) == 1;
}

bool is_host_name(const std::string& text) {
    return !text.empty() && text.size() <= 253 &&
           std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '.' || c == '_'; });
}

} // namespace

std::int64_t open_files_limit() {
    constexpr rlim_t usual = 1'048'576;
    rlimit own{};
    if (::getrlimit(RLIMIT_NOFILE, &own) < 0) return 1024;
    return static_cast<std::int64_t>(std::min(own.rlim_max, usual));
}

Result<std::string> hosts_file(const InstanceSpec& spec) {
    std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
    if (!spec.hostname.empty() && !is_host_name(spec.hostname))
        return fail(Code::invalid, "hostname: \"" + spec.hostname.substr(0, 100) + "\" is not a host name");
    std::string own = spec.network ? spec.network->address.substr(0, spec.network->address.find('/')) : "127.0.1.1";
    if (!spec.hostname.empty() && is_address(own)) text += own + "\t" + spec.hostname + "\n";
    for (auto& [name, address] : spec.hosts) {
        if (!is_host_name(name)) return fail(Code::invalid, "hosts: \"" + name.substr(0, 100) + "\" is not a host name");
        if (!is_address(address))
            return fail(Code::invalid, "hosts: " + name + ": \"" + address.substr(0, 100) + "\" is not an IP address");
        text += address + "\t" + name + "\n";
    }
    return text;
}

Result<std::string> resolv_conf(const InstanceSpec& spec, std::string_view own) {
    if (!spec.network) return std::string(own);
    std::string text;
    for (auto& server : spec.network->nameservers) {
        if (!is_address(server)) return fail(Code::invalid, "name server \"" + server.substr(0, 100) + "\" is not an IP address");
        text += "nameserver " + server + "\n";
    }
    return text;
}

Result<oci::RuntimeWish> wish_for(const InstanceSpec& spec, const std::string& root, const std::string& bundle,
                                  const Surroundings& surroundings) {
    oci::RuntimeWish wish;
    wish.name = spec.name;
    wish.command = spec.command;
    wish.args = spec.args;
    wish.environment = spec.environment;
    wish.working_dir = spec.working_dir;
    wish.user = spec.user;
    wish.hostname = spec.hostname.empty() ? spec.name.substr(0, 12) : spec.hostname;
    wish.rootfs = root;
    wish.passwd = read_inside(root, "etc/passwd");
    wish.group = read_inside(root, "etc/group");
    for (const char* file : {"resolv.conf", "hosts", "hostname"})
        wish.mounts.push_back({bundle + "/" + file, std::string("/etc/") + file, false});
    for (auto& mount : spec.mounts) wish.mounts.push_back({mount.source, mount.target, mount.read_only});
    if (spec.network) {
        if (spec.network->netns.empty()) return fail(Code::invalid, "network: the attachment has no namespace for a container");
        wish.netns = spec.network->netns;
    }
    wish.cgroup_path = surroundings.cgroup + "/" + spec.name;
    wish.cpu_millis = spec.cpu.count;
    wish.memory_bytes = spec.memory.count;
    wish.pids = spec.pids;
    wish.cgroup2 = surroundings.cgroup2;
    wish.limit_swap = surroundings.limit_swap;
    wish.open_files = surroundings.open_files;
    return wish;
}

std::string read_inside(const std::string& root, const std::string& path, std::size_t limit) {
    auto folder = os::open(root, O_PATH | O_DIRECTORY);
    if (!folder) return {};
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    os::Fd file(static_cast<int>(::syscall(SYS_openat2, folder->number(), path.c_str(), &how, sizeof how)));
    struct stat found {};
    if (!file || ::fstat(file.number(), &found) < 0 || !S_ISREG(found.st_mode) || found.st_size > static_cast<off_t>(limit))
        return {};
    std::string text(static_cast<std::size_t>(found.st_size), '\0');
    ssize_t got = ::pread(file.number(), text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

} // namespace skerry::drivers::container
