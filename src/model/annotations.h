#pragma once

#include <string_view>

/// Annotations by which people tell a cell something that no field says.
namespace skerry::model {

/// On a Site, set at its parent and never taken back: the site is to hand over all that it decides (rule H6).
inline constexpr std::string_view decommission_annotation = "skerry/decommission";
/// On an App: it is placed at the site that is named, and nowhere else, whatever its placement says. What a site hands over has it,
/// so that what it decided for itself starts at no other before people say so.
inline constexpr std::string_view only_site_annotation = "skerry/only-site";
/// On a Site: `drop` says that what only the site has of its parent's objects goes (rule H3).
inline constexpr std::string_view orphans_annotation = "skerry/orphans";

} // namespace skerry::model
