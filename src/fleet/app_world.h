#pragma once

#include "plan/app.h"
#include "store/store.h"

#include <string>
#include <vector>

namespace skerry::fleet {

/// What apps of a project refer to, looked up in the store. Copies made for revisions do not count as sources.
plan::AppWorld world_of(const store::Store&, const std::string& project);

/// Revisions that this cell made for apps of this name, kept alive by `objects`.
struct RevisionList {
    std::vector<store::ObjectPtr> objects;
    std::vector<const model::Revision*> messages;
};
RevisionList revisions_of(const store::Store&, const std::string& project, const std::string& app);

} // namespace skerry::fleet
