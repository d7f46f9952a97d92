#pragma once

#include "base/result.h"
#include "drivers/driver.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace skerry::drivers::network {

struct PublishedPort {
    std::uint16_t host_port = 0;
    std::uint16_t port = 0; ///< inside the instance
    enum class Protocol : std::uint8_t { tcp, udp } protocol = Protocol::tcp;
    bool operator==(const PublishedPort&) const = default;
};

struct Wish {
    InstanceName instance;
    std::string hostname;
    std::vector<PublishedPort> ports;
};

/// Connects instances to each other, to the machine and to the outside.
///
/// All calls block, may be repeated, and are made on workers, one at a time.
class NetworkDriver {
public:
    virtual ~NetworkDriver() = default;

    /// Whether this machine has what it takes; the error names the missing kernel feature or program and how to get it.
    virtual Result<void> probe() = 0;

    /// Makes or repairs what all instances share (bridge, forwarding, tables of rules), and returns the instances that still have
    /// a connection. After a reboot: none. Connections of instances not in `wanted` are taken down. Called first.
    virtual Result<std::vector<InstanceName>> adopt(std::span<const InstanceName> wanted) = 0;

    /// A namespace with an address of its own and the published ports in force; the same answer when repeated, also by a later
    /// process. `exhausted` when no address is left, `exists` when something else on the machine listens on a wanted port (names
    /// port and owner).
    virtual Result<Attachment> connect(const Wish&) = 0;
    /// Takes ports, rules, link and namespace away. Nothing to take away is fine.
    virtual Result<void> disconnect(const InstanceName&) = 0;

    /// Makes anew what others took away since (rules, links), without touching what runs; says what, one name each. Looks cheaply:
    /// it is called every few seconds.
    virtual Result<std::vector<std::string>> repair() = 0;

    /// Removes everything of Skerry's network from this machine.
    virtual Result<void> reset() = 0;
};

} // namespace skerry::drivers::network
