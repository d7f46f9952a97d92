#pragma once

#include "model/app.pb.h"
#include "model/places/overriding.h"
#include "store/store.h"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::cell {

/// The Overrides of one App at one site (rules W2 and W5), as a store has them.
struct AppOverrides {
    std::vector<store::ObjectPtr> adopted; ///< decided at the parent
    std::vector<store::ObjectPtr> own;     ///< decided in this cell
    std::vector<store::ObjectPtr> astray;  ///< made for another App of this name, or unreadable: never applied
};
/// `uid` is the App's, empty where there is none of that name. Those that only ask the site to let go of one (promote, drop) are
/// left out.
AppOverrides overrides_of(const store::Store&, const std::string& site, const std::string& project, const std::string& name,
                          std::string_view uid);
/// All that hold, in the order in which they are applied: adopted ones first.
std::vector<model::Patch> patches_of(const AppOverrides&);
std::vector<model::Patch> patches_of(const std::vector<store::ObjectPtr>&);
/// Digests of image tags, as they were when the overrides were made.
std::vector<model::ImageDigest> digests_of(const AppOverrides&);

/// The App as the parent has it for this site, and as it is here.
struct SiteApp {
    model::App beneath; ///< wish with the adopted overrides
    model::App shown;   ///< and with the site's own
};
SiteApp app_at_site(const store::Object& app, const AppOverrides&);

/// What the API of `site` shows of an object: an App of another home as it is here, with a version that counts its overrides;
/// everything else, and anything where `site` is empty, as it is.
store::ObjectPtr as_shown(const store::Store&, const std::string& site, store::ObjectPtr);

} // namespace skerry::cell
