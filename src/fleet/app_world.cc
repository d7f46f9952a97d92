#include "fleet/app_world.h"

#include "model/image.pb.h"
#include "model/places/overriding.h"
#include "model/project.pb.h"
#include "model/revision.pb.h"
#include "model/secret.pb.h"

namespace skerry::fleet {

using model::Kind;
using store::Key;

namespace {

template<class M>
const M* own(const store::Store& store, const Key& key) {
    auto object = store.get(key);
    return object && object->home == store.cell() ? store.get<M>(key) : nullptr;
}

} // namespace

plan::AppWorld Reads::world(const store::Store& store, const std::string& project) {
    plan::AppWorld world;
    world.project_exists = store.get(Key{Kind::project, "", project}) != nullptr;
    world.image = [&store](const std::string& in, const std::string& name) {
        return store.get<model::Image>(Key{Kind::image, in, name});
    };
    // Only this cell's own count: what a neighbour sent is not a source for Apps that are decided here.
    world.secret = [this, &store, project](const std::string& name) {
        Key key{Kind::secret, project, name};
        add(key);
        return own<model::Secret>(store, key);
    };
    world.config = [this, &store, project](const std::string& name) {
        Key key{Kind::config, project, name};
        add(key);
        return own<model::Config>(store, key);
    };
    return world;
}

std::map<std::pair<std::string, std::string>, RevisionList> revisions_by_app(const store::Store& store) {
    std::map<std::pair<std::string, std::string>, RevisionList> all;
    for (auto& object : store.list(Kind::revision)) {
        const auto& revision = store::as<model::Revision>(*object);
        if (object->home != store.cell() || model::is_effective(revision)) continue;
        auto& list = all[{object->key.project, revision.spec().app()}];
        list.messages.push_back(&revision);
        list.objects.push_back(std::move(object));
    }
    return all;
}

} // namespace skerry::fleet
