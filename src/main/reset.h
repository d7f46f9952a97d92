#pragma once

#include "main/folders.h"

#include <optional>
#include <string>

namespace skerry::main {

/// Stops and removes every instance, network, rule, file and key of one cell on this machine. Asks unless told not to. May be
/// repeated after an interruption. An exit status.
int reset(const Folders&, const std::optional<std::string>& prefix, bool yes);

} // namespace skerry::main
