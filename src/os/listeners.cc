#include "os/listeners.h"

#include "os/files.h"
#include "os/process.h"

#include <charconv>
#include <sstream>

namespace skerry::os {

std::vector<Listener> parse_listeners(std::string_view text, Transport transport) {
    std::vector<Listener> found;
    while (!text.empty()) {
        auto newline = text.find('\n');
        std::istringstream line{std::string(text.substr(0, newline))};
        text = newline == std::string_view::npos ? std::string_view{} : text.substr(newline + 1);
        std::string slot, local, remote, state, queues, timer, retransmits, user, timeout;
        Listener one;
        if (!(line >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >> one.inode))
            continue;
        // 0A is TCP_LISTEN; an unconnected UDP socket shows 07 and no remote port (include/net/tcp_states.h).
        if (transport == Transport::tcp ? state != "0A" : !remote.ends_with(":0000")) continue;
        auto colon = local.rfind(':');
        if (colon == std::string::npos) continue;
        const char* digits = local.data() + colon + 1;
        if (std::from_chars(digits, local.data() + local.size(), one.port, 16).ec != std::errc{}) continue;
        found.push_back(one);
    }
    return found;
}

Result<std::vector<Listener>> listeners(Transport transport) {
    std::vector<Listener> found;
    std::string name = transport == Transport::tcp ? "tcp" : "udp";
    for (const std::string& file : {name, name + "6"}) {
        auto text = read_file("/proc/thread-self/net/" + file, 256 << 20);
        // A kernel without IPv6 has no second file.
        if (!text && text.error().code == Code::not_found) continue;
        if (!text) return std::unexpected(text.error());
        auto some = parse_listeners(*text, transport);
        found.insert(found.end(), some.begin(), some.end());
    }
    return found;
}

std::string owner_of_socket(std::uint64_t inode) {
    std::string wanted = "socket:[" + std::to_string(inode) + "]";
    auto processes = list("/proc");
    if (!processes) return "another process";
    for (const auto& pid : *processes) {
        if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
        auto descriptors = list("/proc/" + pid + "/fd");
        if (!descriptors) continue;
        for (const auto& descriptor : *descriptors) {
            auto target = readlink("/proc/" + pid + "/fd/" + descriptor);
            if (!target || *target != wanted) continue;
            auto found = relatives(static_cast<pid_t>(std::stol(pid)));
            return (found ? found->name : "a process") + " (pid " + pid + ")";
        }
    }
    return "another process";
}

} // namespace skerry::os
