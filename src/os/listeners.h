#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::os {

enum class Transport { tcp, udp };

/// A socket that waits for others: a listening one of TCP, an unconnected one of UDP.
struct Listener {
    std::uint16_t port = 0;
    std::uint64_t inode = 0;
};

/// The lines of /proc/net/tcp, tcp6, udp or udp6 (proc(5)).
std::vector<Listener> parse_listeners(std::string_view text, Transport);
/// Of IPv4 and IPv6, in the calling thread's network namespace.
Result<std::vector<Listener>> listeners(Transport);
/// "nginx (pid 812)", or "another process" where none of those we may see holds the socket.
std::string owner_of_socket(std::uint64_t inode);

} // namespace skerry::os
