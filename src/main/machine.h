#pragma once

#include "base/result.h"
#include "node/node.h"

#include <string>
#include <vector>

namespace skerry::main {

/// What this machine has, of which a tenth of the memory and 100m of processor stay for itself.
Result<node::Machine> measure_machine();

/// Addresses of this machine that others may reach, without loopback and bridges of ours.
std::vector<std::string> machine_addresses();
/// First label of the host's name, fit for a Site.
std::string machine_label();
/// `uname -m`.
std::string machine_architecture();

} // namespace skerry::main
