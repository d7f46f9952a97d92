#pragma once

#include "model/kind.h"

#include <array>

namespace skerry::model {

/// The kinds that the word `all` means, to kubectl (which reads it in the discovery) and to `skerry get` alike.
inline constexpr std::array category_all{Kind::site, Kind::node, Kind::app, Kind::allocation, Kind::instance};

} // namespace skerry::model
