#pragma once

#include "plan/app.h"
#include "store/store.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace skerry::fleet {

/// What apps of a project refer to, looked up in the store. Copies made for revisions do not count as sources.
plan::AppWorld world_of(const store::Store&, const std::string& project);

/// Revisions that this cell made for apps of one name, kept alive by `objects`.
struct RevisionList {
    std::vector<store::ObjectPtr> objects;
    std::vector<const model::Revision*> messages;
};
/// By project and name of the App.
std::map<std::pair<std::string, std::string>, RevisionList> revisions_by_app(const store::Store&);

} // namespace skerry::fleet
