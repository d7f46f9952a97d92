#pragma once

#include "base/result.h"
#include "node/node.h"
#include "os/netlink.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace skerry::main {

/// What this machine has, of which a tenth of the memory and 100m of processor stay for itself.
/// `prefix` is of our links.
Result<node::Machine> measure_machine(const std::string& prefix);

/// Addresses of this machine that others may reach: without loopback and our own bridge; those of other bridges last, since
/// a machine's uplink may be on one (a hypervisor's), but most lead only to its own containers.
std::vector<std::string> machine_addresses(const std::string& prefix);
std::vector<std::string> reachable(std::span<const os::Link>, std::span<const os::LinkAddress>, const std::string& prefix);
/// First label of the host's name, fit for a Site.
std::string machine_label();
/// `uname -m`.
std::string machine_architecture();

/// Raises how many files this process may have open to what the machine allows (at most 65,536), and returns it.
std::size_t raise_open_files();

} // namespace skerry::main
