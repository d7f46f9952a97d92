#include "plan/app.h"

#include "base/check.h"
#include "model/app.pb.h"
#include "model/hash.h"
#include "model/image.pb.h"
#include "model/reference.h"
#include "model/revision.pb.h"
#include "model/secret.pb.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

namespace skerry::plan {

namespace {

using google::protobuf::util::MessageDifferencer;

/// Of metadata.name.
constexpr std::size_t longest_name = 253;

std::string state_of(const model::App& app) { return app.spec().state().empty() ? "running" : app.spec().state(); }

bool same_wish(const model::App& app, const model::Revision& revision) {
    if (state_of(app) != revision.spec().state() || app.spec().components_size() != revision.spec().components_size())
        return false;
    for (int i = 0; i < app.spec().components_size(); ++i)
        if (!MessageDifferencer::Equals(app.spec().components(i), revision.spec().components(i).component())) return false;
    return true;
}

struct Pins {
    std::vector<model::Pin> list; ///< in order of (kind, name)
    std::vector<Obstacle> obstacles;
    bool missing = false;
};

template<class Object>
bool same_data(const Object& one, const Object& other) {
    if (one.data().size() != other.data().size()) return false;
    return std::all_of(one.data().begin(), one.data().end(), [&](const auto& entry) {
        auto found = other.data().find(entry.first);
        return found != other.data().end() && found->second == entry.second;
    });
}

/// Pins the object as it is. A generation that changed labels or notes alone keeps the newest revision's pin, since nothing that
/// an instance reads has changed (rule A6). `find` looks objects of the kind up by name, copies too.
template<class Object>
void add_pin(Pins& pins, std::string_view kind, const Object* object, const std::string& name, const model::Revision* newest,
             const std::function<const Object*(const std::string&)>& find) {
    if (newest)
        for (const model::Pin& old : newest->spec().pins()) {
            if (old.kind() != kind || old.name() != name || old.uid() != object->metadata().uid()) continue;
            const Object* copy = find(old.copy());
            if (copy && same_data(*copy, *object)) return pins.list.push_back(old);
        }
    model::Pin pin;
    pin.set_kind(std::string(kind));
    pin.set_name(name);
    pin.set_uid(object->metadata().uid());
    pin.set_generation(object->metadata().generation());
    pin.set_copy(pin_name(name, pin.uid(), pin.generation()));
    pins.list.push_back(std::move(pin));
}

template<class Object>
void check_key(Pins& pins, std::string_view kind, const Object* object, const std::string& name,
               const std::set<std::string>& keys) {
    std::string noun = kind == "Secret" ? "secret" : "config";
    if (!object) {
        pins.missing = true;
        pins.obstacles.push_back(
            {std::string(kind) + "Missing", noun + " " + name + " does not exist; create it: skerry apply -f FILE with kind: " +
                                                std::string(kind) + ", name: " + name});
        return;
    }
    for (const std::string& key : keys) {
        if (object->data().contains(key)) continue;
        pins.obstacles.push_back(
            {std::string(kind) + "KeyMissing", noun + " " + name + " has no key " + key + "; add data." + key + " to it"});
    }
}

/// What the components' environment reads.
Pins pins_of(const model::App& app, const AppWorld& world, const model::Revision* newest) {
    std::map<std::string, std::set<std::string>> secrets, configs;
    for (const auto& component : app.spec().components()) {
        for (const auto& variable : component.env()) {
            if (!variable.has_from()) continue;
            if (variable.from().has_secret()) secrets[variable.from().secret()].insert(variable.from().key());
            if (variable.from().has_config()) configs[variable.from().config()].insert(variable.from().key());
        }
    }
    Pins pins;
    for (const auto& [name, keys] : configs) {
        const model::Config* config = world.config(name);
        check_key(pins, "Config", config, name, keys);
        if (config) add_pin(pins, "Config", config, name, newest, world.config);
    }
    for (const auto& [name, keys] : secrets) {
        const model::Secret* secret = world.secret(name);
        check_key(pins, "Secret", secret, name, keys);
        if (secret) add_pin(pins, "Secret", secret, name, newest, world.secret);
    }
    return pins;
}

bool same_pins(const std::vector<model::Pin>& pins, const model::Revision& revision) {
    if (static_cast<int>(pins.size()) != revision.spec().pins_size()) return false;
    for (const model::Pin& pin : pins) {
        bool found = std::any_of(revision.spec().pins().begin(), revision.spec().pins().end(), [&](const model::Pin& other) {
            return pin.kind() == other.kind() && pin.name() == other.name() && pin.uid() == other.uid() &&
                   pin.generation() == other.generation();
        });
        if (!found) return false;
    }
    return true;
}

/// Digest of the image a component names; empty, with an obstacle, where there is none.
std::string resolve(const model::App& app, const model::Component& component, const AppWorld& world,
                    std::vector<Obstacle>& obstacles) {
    auto reference = model::parse_image(component.image(), app.metadata().namespace_());
    if (!reference) {
        obstacles.push_back({"ImageInvalid", "component " + component.name() + ": " + reference.error().message});
        return {};
    }
    if (!reference->digest.empty()) return reference->digest;
    if (const model::Image* image = world.image(reference->project, reference->name))
        for (const auto& tag : image->spec().tags())
            if (tag.name() == reference->tag) return tag.digest();
    obstacles.push_back({"ImageMissing", "component " + component.name() + ": image " + reference->text() +
                                             " has no copy here; push it: skerry image push DIR|TAR|- " + reference->text()});
    return {};
}

std::string free_name(const model::App& app, const std::vector<const model::Revision*>& revisions) {
    std::string base = app.metadata().name() + "." + std::to_string(app.metadata().generation());
    auto taken = [&](const std::string& name) {
        return std::any_of(revisions.begin(), revisions.end(),
                           [&](const model::Revision* revision) { return revision->metadata().name() == name; });
    };
    // Always above those of the generation that are there, so that the newest is told by its name.
    std::uint32_t last = 0;
    for (const model::Revision* revision : revisions)
        if (revision->spec().app_generation() == app.metadata().generation()) last = std::max(last, revision_ordinal(*revision));
    for (std::uint32_t ordinal = last + 1;; ++ordinal) {
        std::string name = ordinal == 1 ? base : base + "-" + std::to_string(ordinal);
        if (!taken(name)) return name;
    }
}

} // namespace

std::string pin_name(std::string_view name, std::string_view uid, std::uint32_t generation) {
    std::string suffix = ".g" + std::to_string(generation) + "." + std::string(uid.substr(0, 8));
    // The uid tells copies apart, so a name that would grow too long may lose its end.
    std::string_view kept = name.substr(0, longest_name - suffix.size());
    while (kept.ends_with('.') || kept.ends_with('-')) kept.remove_suffix(1);
    return std::string(kept) + suffix;
}

std::uint32_t revision_ordinal(const model::Revision& revision) {
    const std::string& name = revision.metadata().name();
    auto dash = name.rfind('-');
    auto dot = name.rfind('.');
    if (dash == std::string::npos || dot == std::string::npos || dash < dot) return 1;
    std::uint32_t ordinal = 1;
    auto [end, error] = std::from_chars(name.data() + dash + 1, name.data() + name.size(), ordinal);
    return error == std::errc() && end == name.data() + name.size() ? ordinal : 1;
}

const model::Revision* newest_revision(const model::App& app, const std::vector<const model::Revision*>& revisions) {
    const model::Revision* newest = nullptr;
    auto order = [](const model::Revision& revision) {
        return std::pair(revision.spec().app_generation(), revision_ordinal(revision));
    };
    for (const model::Revision* revision : revisions) {
        if (revision->spec().app_uid() != app.metadata().uid()) continue;
        if (!newest || order(*revision) > order(*newest)) newest = revision;
    }
    return newest;
}

AppPlan plan_app(const model::App& app, const std::vector<const model::Revision*>& revisions, const AppWorld& world) {
    AppPlan plan;
    const model::Revision* newest = newest_revision(app, revisions);
    bool spec_same = newest && same_wish(app, *newest);
    // What was revoked comes back with no rotation of what it reads: somebody has to change the app.
    if (spec_same && newest->spec().has_revoked()) return plan;
    Pins pins = pins_of(app, world, newest);
    // What was closed runs on without its sources.
    if (spec_same && (pins.missing || same_pins(pins.list, *newest))) return plan;

    if (!world.project_exists) {
        const std::string& project = app.metadata().namespace_();
        plan.obstacles.push_back(
            {"ProjectMissing",
             "project " + project + " does not exist; create it: skerry apply -f FILE with kind: Project, name: " + project});
    }
    std::vector<std::string> digests;
    for (int i = 0; i < app.spec().components_size(); ++i) {
        const auto& component = app.spec().components(i);
        digests.push_back(spec_same ? newest->spec().components(i).image_digest()
                                    : resolve(app, component, world, plan.obstacles));
    }
    plan.obstacles.insert(plan.obstacles.end(), pins.obstacles.begin(), pins.obstacles.end());
    if (!plan.obstacles.empty()) return plan;

    model::Revision revision;
    auto& metadata = *revision.mutable_metadata();
    metadata.set_name(free_name(app, revisions));
    metadata.set_namespace_(app.metadata().namespace_());
    (*metadata.mutable_labels())["skerry/app"] = app.metadata().name();
    auto& spec = *revision.mutable_spec();
    spec.set_app(app.metadata().name());
    spec.set_app_uid(app.metadata().uid());
    spec.set_app_generation(app.metadata().generation());
    spec.set_state(state_of(app));
    for (const model::Pin& pin : pins.list) *spec.add_pins() = pin;
    for (int i = 0; i < app.spec().components_size(); ++i) {
        auto& closed = *spec.add_components();
        *closed.mutable_component() = app.spec().components(i);
        closed.set_image_digest(digests[static_cast<std::size_t>(i)]);
        closed.set_hash(model::component_hash(closed, spec.pins()));
    }
    plan.revision_bytes = revision.SerializeAsString();
    return plan;
}

} // namespace skerry::plan
