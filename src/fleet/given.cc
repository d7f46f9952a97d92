#include "fleet/given.h"

#include "model/epoch.h"
#include "model/kind.h"
#include "plan/app.h"

#include <algorithm>

namespace skerry::fleet {

using model::Kind;
using store::Key;

namespace {

const model::AllocationSpec& spec_of(const store::ObjectPtr& object) { return store::as<model::Allocation>(*object).spec(); }

/// Which of two Revisions an App made later.
bool is_newer(const model::Revision& one, const model::Revision& other) {
    auto order = [](const model::Revision& revision) {
        return std::pair(revision.spec().app_generation(), plan::revision_ordinal(revision));
    };
    return order(one) > order(other);
}

} // namespace

std::map<std::pair<std::string, std::string>, std::vector<store::ObjectPtr>> given_to(const store::Store& store,
                                                                                      const std::string& region) {
    std::map<std::pair<std::string, std::string>, std::vector<store::ObjectPtr>> given;
    if (region.empty()) return given;
    for (auto& object : store.list(Kind::allocation))
        if (object->home != store.cell() && spec_of(object).site() == region)
            given[{object->key.project, spec_of(object).app()}].push_back(object);
    return given;
}

std::vector<GivenPart> parts_of(const store::Store& store, const std::vector<store::ObjectPtr>& given,
                                const std::vector<store::ObjectPtr>& own) {
    struct Component {
        const model::Revision* revision = nullptr;
        std::uint32_t replicas = 0;
        model::Epoch above;
        std::vector<store::ObjectPtr> allocations;
    };
    std::map<std::string, Component> components;
    for (const auto& object : given) {
        const auto& spec = spec_of(object);
        auto closed = store.get(Key{Kind::revision, object->key.project, spec.revision()});
        if (!closed || closed->home == store.cell()) continue; // one of the region's own may have its name (rule H5)
        const auto* revision = &store::as<model::Revision>(*closed);
        Component& component = components[spec.component()];
        if (!component.revision || is_newer(*revision, *component.revision)) component.revision = revision;
        component.replicas += spec.replicas();
        if (model::compare(spec.epoch(), component.above) > 0) component.above = spec.epoch();
        component.allocations.push_back(object);
    }
    for (const auto& object : own) {
        auto at = components.find(spec_of(object).component());
        bool ahead = at != components.end() && model::compare(spec_of(object).epoch().above(), at->second.above) > 0;
        if (ahead) components.erase(at);
    }
    std::map<std::string, GivenPart> parts;
    for (auto& [name, component] : components) {
        GivenPart& part = parts[component.revision->metadata().name()];
        if (part.allocations.empty()) {
            part.revision = *component.revision;
            part.revision.mutable_spec()->clear_components();
        }
        for (const auto& closed : component.revision->spec().components()) {
            if (closed.component().name() != name) continue;
            auto& copy = *part.revision.mutable_spec()->add_components();
            copy = closed;
            copy.mutable_component()->mutable_placement()->set_replicas(component.replicas);
        }
        part.above[name] = component.above;
        part.allocations.insert(part.allocations.end(), component.allocations.begin(), component.allocations.end());
    }
    std::vector<GivenPart> list;
    for (auto& [name, part] : parts) list.push_back(std::move(part));
    return list;
}

} // namespace skerry::fleet
