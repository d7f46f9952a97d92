#include "model/rules/not_yet.h"

#include <algorithm>
#include <array>
#include <utility>

namespace skerry::model {

namespace {

/// The one table of what is understood and not yet served. A line goes when the thing comes.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> table{{
    {"skerry.model.AppSpec.state", "suspended"},
    {"skerry.model.AppSpec.state", "hibernated"},
    {"skerry.model.Component.runtime", "vm"},
    {"skerry.model.Component.runtime", "metal"},
    {"skerry.model.Placement.mode", "binpack"},
    {"skerry.model.SiteSpec.power", "onDemand"},
}};

} // namespace

bool is_not_yet(std::string_view field, std::string_view value) {
    return std::find(table.begin(), table.end(), std::pair(field, value)) != table.end();
}

} // namespace skerry::model
