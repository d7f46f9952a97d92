#pragma once

#include "model/site.pb.h"

#include <string_view>

namespace skerry::model {

inline constexpr std::string_view region_tier = "region";

/// Whether sites stand below this one: what is given to it, it divides among them (rule A3).
inline bool is_region(const Site& site) { return site.spec().tier() == region_tier; }

} // namespace skerry::model
