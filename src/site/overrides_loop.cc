#include "site/overrides_loop.h"

#include "cell/missing.h"
#include "model/allocation.pb.h"
#include "model/conditions.h"
#include "model/instance.pb.h"
#include "model/override.pb.h"
#include "model/rules/problems.h"
#include "site/effective.h"

#include <map>
#include <set>
#include <utility>

namespace skerry::site {

using model::Kind;
using store::Key;
using store::Part;

namespace {

std::string words(bool has, const std::string& json) { return has ? json : "nothing"; }
std::string words(const std::optional<Json>& value) { return value ? write_json(*value) : "nothing"; }

} // namespace

bool OverridesLoop::wakes(const store::Change& change) const {
    switch (change.key.kind) {
    case Kind::app:
    case Kind::override_:
    case Kind::revision:
    case Kind::instance:
        return change.changed(Part::wish);
    case Kind::allocation:
        return change.changed(Part::wish) || (change.changed(Part::found) && cell_.self().role == env::Peer::Role::site);
    default:
        return false;
    }
}

void OverridesLoop::turn() {
    if (!writing_.begin()) return;
    settle();
    keep_revisions();
    writing_.end();
    report_overrides();
    report_apps();
}

/// Lets go of what the parent has decided about, unless it was changed here since the parent looked.
void OverridesLoop::settle() {
    auto& store = cell_.store();
    if (store.count(Kind::override_) == 0) return;
    auto all = store.list(Kind::override_);
    for (const auto& decision : all) {
        const auto& settles = store::as<model::Override>(*decision).spec().settles();
        if (settles.uid().empty() || decision->home == store.cell()) continue;
        for (const auto& own : all) {
            if (own->home != store.cell() || own->uid.text() != settles.uid() || own->generation != settles.generation())
                continue;
            writing_.erase(*own);
            cell_.events().record(*own, cell::Tone::normal, "Settled",
                                  "the parent decided to " + settles.by() + " it (" + decision->key.name + ")");
        }
    }
}

void OverridesLoop::keep_revisions() {
    auto& store = cell_.store();
    std::vector<store::ObjectPtr> made;
    for (auto& revision : store.list(Kind::revision))
        if (revision->home == store.cell() && model::is_effective(store::as<model::Revision>(*revision)))
            made.push_back(std::move(revision));
    if (made.empty() && store.count(Kind::override_) == 0) return;
    std::set<Key> used;
    for (const auto& allocation : store.list(Kind::allocation)) {
        if (store::as<model::Allocation>(*allocation).spec().site() != options_.name) continue;
        auto effective = effective_of(store, options_.name, *allocation);
        // Components of one App have one Revision.
        bool first = used.insert({Kind::revision, allocation->key.project, effective.revision}).second;
        if (effective.to_make && first && !effective.revoked) writing_.create(Kind::revision, *effective.to_make);
    }
    for (const auto& instance : store.list(Kind::instance))
        used.insert({Kind::revision, instance->key.project, store::as<model::Instance>(*instance).spec().revision()});
    for (const auto& revision : made) {
        if (!used.contains(revision->key)) {
            if (!cell::lacks_wishes(store)) writing_.erase(*revision); // it may be of one that is missing (rule H3)
            continue;
        }
        // What it was made of may be revoked since (rule A1): nodes ask this one.
        const auto& spec = store::as<model::Revision>(*revision).spec();
        std::string name(model::original_of(revision->key.name));
        const auto* original = store.get<model::Revision>(Key{Kind::revision, revision->key.project, name});
        if (spec.has_revoked() || !original || !original->spec().has_revoked()) continue;
        auto wish = cell::wish_of<model::Revision>(*revision);
        *wish.mutable_spec()->mutable_revoked() = original->spec().revoked();
        writing_.update(*revision, wish);
    }
}

void OverridesLoop::report_overrides() {
    auto& store = cell_.store();
    if (store.count(Kind::override_) == 0) return;
    std::set<std::pair<std::string, std::string>> apps;
    for (const auto& object : store.list(Kind::override_)) {
        const auto& spec = store::as<model::Override>(*object).spec();
        if (spec.site() == options_.name) apps.emplace(object->key.project, spec.target().name());
    }
    for (const auto& [project, name] : apps) {
        auto app = store.get(Key{Kind::app, project, name});
        auto overrides = cell::overrides_of(store, options_.name, project, name, app ? app->uid.text() : std::string());
        for (const auto& object : overrides.astray) report_astray(*object, app != nullptr);
        if (!app) continue;
        std::string obstacle;
        for (const auto& allocation : store.list(Kind::allocation, project)) {
            const auto& spec = store::as<model::Allocation>(*allocation).spec();
            if (spec.site() == options_.name && spec.app() == name && obstacle.empty())
                obstacle = effective_of(store, options_.name, *allocation).obstacle;
        }
        auto home = cell::wish_of<model::App>(*app);
        auto shown = cell::app_at_site(*app, overrides);
        for (const auto& object : overrides.adopted) report(*object, home, obstacle);
        for (const auto& object : overrides.own) report(*object, shown.beneath, obstacle);
    }
}

void OverridesLoop::report(const store::Object& object, const model::App& beneath, const std::string& obstacle) {
    const auto& spec = store::as<model::Override>(object).spec();
    auto patch = model::patch_of(spec);
    if (!patch) return;
    auto base = spec.has_base_value() ? parse_json(spec.base_value()) : Result<Json>(Json());
    auto standing = model::standing(beneath, *patch, spec.has_base_value() && base ? std::optional(*base) : std::nullopt);
    auto found = cell::part_of<model::Override>(object, Part::found);
    auto& status = *found.mutable_status();
    auto& conditions = *status.mutable_conditions();
    status.set_observed_generation(object.generation);
    status.set_home_value(standing.beneath ? write_json(*standing.beneath) : std::string());
    using What = model::Standing::What;
    bool detached = standing.what == What::detached;
    bool holds = !detached && obstacle.empty();
    std::string gone = "its path leads nowhere any more at the App's home; it is kept: drop it, or change the App there";
    model::set_condition(conditions, "Applied", holds ? "True" : "False",
                         detached           ? "Detached"
                         : obstacle.empty() ? "Applied"
                                            : "Invalid",
                         detached           ? gone
                         : obstacle.empty() ? ""
                                            : obstacle + "; what runs stays as it is",
                         wall());
    if (standing.what == What::conflict) {
        bool news = !model::holds(conditions, "Conflict");
        std::string message = "the home says " + words(standing.beneath) + " now and said " +
                              words(spec.has_base_value(), spec.base_value()) + " before; here " +
                              words(spec.has_value(), spec.value()) +
                              " holds until somebody decides (skerry override adopt, promote "
                              "or drop " +
                              object.key.name + ")";
        model::set_condition(conditions, "Conflict", "True", "Conflict", message, wall());
        if (news) cell_.events().record(object, cell::Tone::warning, "Conflict", message);
    } else {
        model::remove_condition(conditions, "Conflict");
    }
    if (detached)
        model::set_condition(conditions, "Detached", "True", "Detached", gone, wall());
    else
        model::remove_condition(conditions, "Detached");
    cell::report_part(cell_.store(), object, Part::found, found);
}

void OverridesLoop::report_astray(const store::Object& object, bool app_exists) {
    auto found = cell::part_of<model::Override>(object, Part::found);
    auto& status = *found.mutable_status();
    status.set_observed_generation(object.generation);
    status.clear_home_value();
    std::string why = app_exists ? "it was made for another App of this name, which is gone; drop it, or make it anew"
                                 : "its App is not at this site any more; drop it if it is not to come back";
    model::set_condition(*status.mutable_conditions(), "Applied", "False", "Detached", why, wall());
    model::remove_condition(*status.mutable_conditions(), "Conflict");
    model::set_condition(*status.mutable_conditions(), "Detached", "True", "Detached", why, wall());
    cell::report_part(cell_.store(), object, Part::found, found);
}

/// What this site's API says of Apps that are decided elsewhere: how they do here, and which Overrides hold.
void OverridesLoop::report_apps() {
    if (cell_.self().role != env::Peer::Role::site) return; // at the Apps' home their status is said by another loop
    auto& store = cell_.store();
    std::map<std::pair<std::string, std::string>, std::vector<store::ObjectPtr>> allocations;
    for (auto& object : store.list(Kind::allocation)) {
        const auto& spec = store::as<model::Allocation>(*object).spec();
        if (spec.site() == options_.name) allocations[{object->key.project, spec.app()}].push_back(std::move(object));
    }
    for (const auto& app : store.list(Kind::app)) {
        if (app->home == store.cell() || !app->wish.from || app->found.from) continue;
        auto found = cell::part_of<model::App>(*app, Part::found);
        auto& status = *found.mutable_status();
        auto& conditions = *status.mutable_conditions();
        std::uint32_t replicas = 0, ready = 0;
        bool updated = true;
        const model::Condition* trouble = nullptr;
        for (const auto& object : allocations[{app->key.project, app->key.name}]) {
            const auto& allocation = store::as<model::Allocation>(*object);
            status.set_revision(allocation.spec().revision());
            replicas += allocation.status().replicas();
            ready += allocation.status().ready_replicas();
            updated = updated && allocation.status().updated_replicas() >= allocation.spec().replicas();
            const auto* available = model::find_condition(allocation.status().conditions(), "Available");
            if (available && available->status() != "True" && !trouble) trouble = available;
        }
        status.set_observed_generation(app->generation);
        status.set_sites(1);
        status.set_updated_sites(updated ? 1 : 0);
        status.set_replicas(replicas);
        status.set_ready_replicas(ready);
        model::set_condition(conditions, "Available", trouble ? "False" : "True", trouble ? trouble->reason() : "Available",
                             trouble ? trouble->message() : "", wall());
        auto overrides = cell::overrides_of(store, options_.name, app->key.project, app->key.name, app->uid.text());
        std::string names;
        for (const auto* list : {&overrides.own, &overrides.adopted})
            for (const auto& object : *list)
                names += (names.empty() ? "" : ", ") + store::as<model::Override>(*object).spec().path() + " (override " +
                         object->key.name + ")";
        if (names.empty())
            model::remove_condition(conditions, "Overridden");
        else
            model::set_condition(conditions, "Overridden", "True", "Overridden", "this site decides " + names, wall());
        cell::report_part(store, *app, Part::found, found);
    }
}

} // namespace skerry::site
