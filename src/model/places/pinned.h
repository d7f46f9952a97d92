#pragma once

#include <string_view>

namespace skerry::model {

/// Label, with value "true", of the copies of Secrets and Configs that revisions keep (rule A1). Nobody but their loop writes
/// them.
inline constexpr std::string_view pinned_label = "skerry/pinned";

} // namespace skerry::model
