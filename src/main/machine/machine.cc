#include "main/machine/machine.h"

#include "drivers/network/rules.h"
#include "os/files.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

namespace skerry::main {

namespace {

constexpr std::int64_t own_cpu = 100;

/// `MemTotal:       24646 kB` of /proc/meminfo (proc(5)).
Result<std::int64_t> read_memory_total() {
    std::string text = TRY(os::read_file("/proc/meminfo"));
    std::size_t at = text.find("MemTotal:");
    if (at == std::string::npos) return fail(Code::internal, "/proc/meminfo has no MemTotal");
    return std::atoll(text.c_str() + at + 9) * 1024;
}

std::string architecture_of(const std::string& machine) {
    return machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : machine;
}

} // namespace

std::string machine_architecture() {
    utsname name{};
    ::uname(&name);
    return name.machine;
}

std::vector<std::string> reachable(std::span<const os::Link> links, std::span<const os::LinkAddress> addresses,
                                   const std::string& prefix) {
    std::string own = drivers::network::Names{prefix}.bridge();
    std::vector<std::string> first, last;
    for (auto& address : addresses) {
        auto link = std::ranges::find(links, address.link, &os::Link::index);
        if (link == links.end() || link->name == "lo" || link->name == own) continue;
        (link->kind == "bridge" ? last : first).push_back(os::text(address.address));
    }
    first.insert(first.end(), last.begin(), last.end());
    return first;
}

std::vector<std::string> machine_addresses(const std::string& prefix) {
    auto socket = os::Rtnl::open();
    if (!socket) return {};
    auto links = socket->links();
    auto found = socket->addresses();
    if (!links || !found) return {};
    return reachable(*links, *found, prefix);
}

std::string machine_label() {
    char name[256] = {};
    ::gethostname(name, sizeof name - 1);
    std::string label;
    for (const char* at = name; *at && *at != '.'; ++at) {
        char c = static_cast<char>(std::tolower(static_cast<unsigned char>(*at)));
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && !label.empty());
        if (good) label += c;
    }
    while (label.ends_with('-')) label.pop_back();
    if (label.size() > 40) label.resize(40);
    return label.empty() || label == "localhost" ? "local" : label;
}

Result<node::Machine> measure_machine(const std::string& prefix) {
    node::Machine machine;
    utsname name{};
    if (::uname(&name) < 0) return fail_errno("uname");
    machine.os = "linux";
    machine.kernel = name.release;
    machine.architecture = architecture_of(name.machine);
    machine.cpu = MilliCpu{std::max<std::int64_t>(::sysconf(_SC_NPROCESSORS_ONLN) * 1000 - own_cpu, own_cpu)};
    machine.memory = Bytes{TRY(read_memory_total()) * 9 / 10};
    machine.addresses = machine_addresses(prefix);
    return machine;
}

std::size_t raise_open_files() {
    constexpr rlim_t most = 65'536;
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return 1024;
    if (limit.rlim_cur < most) {
        limit.rlim_cur = std::min(most, limit.rlim_max);
        ::setrlimit(RLIMIT_NOFILE, &limit);
        ::getrlimit(RLIMIT_NOFILE, &limit);
    }
    return static_cast<std::size_t>(std::min(limit.rlim_cur, most));
}

} // namespace skerry::main
