#pragma once

#include "base/time.h"

namespace skerry::model {

/// Longest durations that an App may ask for: each holds a place on a node for as long. A node keeps to them also where an object
/// of before says more.
inline constexpr Duration longest_health_timeout = 60s;
inline constexpr Duration longest_health_wait = std::chrono::hours(24); ///< period and grace
inline constexpr Duration longest_stop_grace = std::chrono::hours(1);

} // namespace skerry::model
