#pragma once

#include <string_view>

namespace skerry::model {

/// Whether the schema has this choice but nothing serves it yet, so that it is refused rather than ignored. `field` is a full
/// name of the schema: "skerry.model.AppSpec.state".
bool is_not_yet(std::string_view field, std::string_view value);

} // namespace skerry::model
