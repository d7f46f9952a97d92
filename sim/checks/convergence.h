#pragma once

#include <string>

namespace skerry::sim {

class Fleet;

/// What is not yet as operators want it, as one sentence; empty: exactly the wanted instances run the wanted revision, their
/// statuses at the core say so, the slices agree, and nothing is left over.
std::string why_not_converged(Fleet&);

} // namespace skerry::sim
