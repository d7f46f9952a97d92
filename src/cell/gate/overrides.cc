#include "cell/gate/overrides.h"

#include "model/override.pb.h"

#include <algorithm>

namespace skerry::cell {

using model::Kind;

AppOverrides overrides_of(const store::Store& store, const std::string& site, const std::string& project, const std::string& name,
                          std::string_view uid) {
    AppOverrides out;
    if (store.count(Kind::override_) == 0) return out;
    for (auto& object : store.list(Kind::override_, project)) {
        const auto& spec = store::as<model::Override>(*object).spec();
        if (spec.site() != site || spec.target().name() != name) continue;
        if (spec.settles().by() == "promote" || spec.settles().by() == "drop") continue;
        bool is_of_it = !uid.empty() && spec.target().uid() == uid && model::patch_of(spec);
        (!is_of_it ? out.astray : object->home == store.cell() ? out.own : out.adopted).push_back(std::move(object));
    }
    return out;
}

std::vector<model::Patch> patches_of(const std::vector<store::ObjectPtr>& objects) {
    std::vector<model::Patch> patches;
    for (const auto& object : objects)
        if (auto patch = model::patch_of(store::as<model::Override>(*object).spec())) patches.push_back(std::move(*patch));
    return patches;
}

std::vector<model::Patch> patches_of(const AppOverrides& overrides) {
    auto patches = patches_of(overrides.adopted);
    for (auto& patch : patches_of(overrides.own)) patches.push_back(std::move(patch));
    return patches;
}

std::vector<model::ImageDigest> digests_of(const AppOverrides& overrides) {
    std::vector<model::ImageDigest> digests;
    // The site's own first: they are what is asked for.
    for (const auto* list : {&overrides.own, &overrides.adopted})
        for (const auto& object : *list) {
            const auto& spec = store::as<model::Override>(*object).spec();
            if (!spec.has_image_digest()) continue;
            if (auto value = parse_json(spec.value()); value && value->string())
                digests.push_back({*value->string(), spec.image_digest()});
        }
    return digests;
}

SiteApp app_at_site(const store::Object& object, const AppOverrides& overrides) {
    SiteApp app;
    if (object.wish.bytes) app.beneath.ParseFromString(*object.wish.bytes);
    model::apply(app.beneath, patches_of(overrides.adopted));
    app.shown = app.beneath;
    model::apply(app.shown, patches_of(overrides.own));
    return app;
}

store::ObjectPtr as_shown(const store::Store& store, const std::string& site, store::ObjectPtr object) {
    if (!object || site.empty() || object->key.kind != Kind::app || object->home == store.cell() || !object->wish.bytes)
        return object;
    auto overrides = overrides_of(store, site, object->key.project, object->key.name, object->uid.text());
    if (overrides.own.empty() && overrides.adopted.empty()) return object;
    auto shown = std::make_shared<store::Object>(*object);
    shown->wish.bytes = std::make_shared<const std::string>(app_at_site(*object, overrides).shown.SerializeAsString());
    for (const auto* list : {&overrides.own, &overrides.adopted})
        for (const auto& each : *list) shown->wish.number = std::max(shown->wish.number, each->wish.number);
    return shown;
}

} // namespace skerry::cell
