#pragma once

#include "base/result.h"

#include <string>

namespace skerry::main {

/// Where others reach a cell: a host, or a host with a port, "core.example.com:7443" or "[fd00::1]:7443". `invalid` names `field`.
Result<void> check_address(const std::string& field, const std::string& address);

/// Whether it ends with a port.
bool has_port(const std::string& address);

} // namespace skerry::main
