#pragma once

#include "plan/app.h"
#include "store/store.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace skerry::fleet {

/// What Apps refer to, looked up in the store, and which Secrets and Configs a loop's last turn asked for: the others do not
/// concern it.
class Reads {
public:
    /// Apps are read anew.
    void begin() { keys_.emplace(); }
    /// Copies made for revisions do not count as sources. Good as long as this lives.
    plan::AppWorld world(const store::Store&, const std::string& project);
    void add(store::Key key) { keys_->insert(std::move(key)); }
    /// Of a Secret or Config, there or not. Before the first turn everything does.
    bool concern(const store::Key& key) const { return !keys_ || keys_->contains(key); }

private:
    std::optional<std::set<store::Key>> keys_;
};

/// Revisions that this cell made for apps of one name, kept alive by `objects`.
struct RevisionList {
    std::vector<store::ObjectPtr> objects;
    std::vector<const model::Revision*> messages;
};
/// By project and name of the App.
std::map<std::pair<std::string, std::string>, RevisionList> revisions_by_app(const store::Store&);

} // namespace skerry::fleet
