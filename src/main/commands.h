#pragma once

#include "cli/line/command.h"

#include <vector>

namespace skerry::main {

/// up, core, site, node, reset, and the verbs that skerry runs itself with.
std::vector<cli::Command> daemon_commands();

} // namespace skerry::main
