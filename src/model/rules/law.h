#pragma once

#include "base/result.h"

#include <string_view>

namespace skerry::model {

class Within;

/// Whether a place under this law may hold what must stay `within`: the one function for jurisdiction, which placement,
/// replication, migration, borrowing and upload all call. `forbidden` carries the reason. A place of unknown jurisdiction (empty)
/// holds nothing that is bound to any.
Result<void> may_hold(std::string_view jurisdiction, const Within&);

} // namespace skerry::model
