#pragma once

#include "main/machine/claim.h"

namespace skerry::main {

/// Stops and removes every instance, network, rule, file and key of one cell on this machine, and nothing of another's. Asks unless
/// told not to. May be repeated after an interruption. An exit status.
int reset(const Claim::Options&, bool yes);

} // namespace skerry::main
