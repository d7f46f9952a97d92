#include "model/places/overriding.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "model/app.pb.h"
#include "model/hash.h"
#include "model/override.pb.h"
#include "model/reference.h"
#include "model/revision.pb.h"
#include "model/rules/validate.h"
#include "model/text/mapping.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace skerry::model {

namespace {

/// Between the name of a Revision and what tells its copies at sites apart.
constexpr std::string_view at_site = ".at.";
constexpr std::string_view clients_note = "kubectl.kubernetes.io/last-applied-configuration";

std::string_view name_at(const Path& path, std::size_t step) {
    return path.steps().size() > step ? std::string_view(path.steps()[step].field->json_name()) : std::string_view();
}

bool is_note(const Path& path) {
    return name_at(path, 0) == "metadata" && name_at(path, 1) == "annotations" && path.steps()[1].key == clients_note;
}

/// Why a site may not decide it; empty: it may.
std::string why_not(const Path& path) {
    auto root = name_at(path, 0), second = name_at(path, 1);
    if (root == "metadata") {
        if (second != "labels" && second != "annotations") return "is the object's identity; it is the same everywhere";
        return path.steps()[1].key ? "" : "names all of them; name one, such as metadata.labels[tier]";
    }
    if (root != "spec" || second.empty()) return "is no part of the spec that a site may decide; name a field within it";
    if (second == "rollout") return "is about all sites, so only the App's home decides it (rule W4)";
    if (second != "components") return "";
    if (path.steps().size() == 2)
        return "adds or removes components, and their placement is decided at the App's home (rule W4); make an App of this site "
               "for what runs here only";
    auto field = name_at(path, 2);
    if (field == "placement" || field == "partition")
        return "is about other sites too, so only the App's home decides it (rule W4)";
    if (field == "name") return "is what tells the components apart; it is the same everywhere";
    return "";
}

std::vector<std::size_t> by_depth(const std::vector<Patch>& patches) {
    std::vector<std::size_t> order(patches.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, {}, [&](std::size_t n) { return std::pair(patches[n].path.steps().size(), n); });
    return order;
}

/// The App that a Revision was made of, as far as it runs.
App app_of(const Revision& revision) {
    App app;
    app.mutable_metadata()->set_name(revision.spec().app());
    app.mutable_metadata()->set_namespace_(revision.metadata().namespace_());
    app.mutable_spec()->set_state(revision.spec().state());
    for (const auto& closed : revision.spec().components()) *app.mutable_spec()->add_components() = closed.component();
    return app;
}

Result<void> check_sources(const Revision& revision, const Component& component) {
    for (const auto& variable : component.env()) {
        if (!variable.has_from()) continue;
        bool secret = variable.from().has_secret();
        const std::string& name = secret ? variable.from().secret() : variable.from().config();
        bool pinned = std::ranges::any_of(revision.spec().pins(), [&](const Pin& pin) {
            return pin.kind() == (secret ? "Secret" : "Config") && pin.name() == name;
        });
        if (!pinned)
            return fail(Code::invalid, "spec.components[name=" + component.name() + "].env[name=" + variable.name() +
                                           "].from: " + (secret ? "secret " : "config ") + quoted(name) +
                                           " did not come with the revision; override with a value, or make an App of this site");
    }
    return {};
}

} // namespace

Result<Path> overridable(std::string_view text) {
    Path path = TRY(Path::parse(App::descriptor(), text));
    if (std::string why = why_not(path); !why.empty()) return fail(Code::forbidden, quoted(text) + " " + why);
    return path;
}

Result<Patch> patch_of(const OverrideSpec& spec) {
    Patch patch{TRY(overridable(spec.path())), {}};
    if (spec.has_value()) patch.value = TRY(parse_json(spec.value()) | during("value"));
    return patch;
}

Standing standing(const App& beneath, const Patch& patch, const std::optional<Json>& base) {
    Standing standing{.what = Standing::What::applied, .beneath = get(beneath, patch.path)};
    App changed = beneath;
    if (!leads_somewhere(beneath, patch.path) || !set(changed, patch.path, patch.value))
        standing.what = Standing::What::detached;
    else if (standing.beneath != base && standing.beneath != patch.value)
        standing.what = Standing::What::conflict;
    return standing;
}

std::vector<bool> apply(App& app, const std::vector<Patch>& patches) {
    std::vector<bool> holds(patches.size());
    for (std::size_t at : by_depth(patches))
        holds[at] = leads_somewhere(app, patches[at].path) && set(app, patches[at].path, patches[at].value);
    return holds;
}

OverridePlan plan_override(const App& beneath, const App& shown, const App& wanted, const std::vector<Path>& own,
                           Problems& problems) {
    OverridePlan plan;
    auto differing = [](const App& from, const App& to) {
        // Of metadata a user writes only these; the rest is the same on both sides or the server's own.
        App a, b;
        for (auto [source, target] : {std::pair{&from, &a}, std::pair{&to, &b}}) {
            *target->mutable_spec() = source->spec();
            *target->mutable_metadata()->mutable_labels() = source->metadata().labels();
            *target->mutable_metadata()->mutable_annotations() = source->metadata().annotations();
        }
        return differences(a, b);
    };
    std::vector<bool> dropped(own.size()), decided(own.size());
    for (Path place : differing(shown, wanted)) {
        if (is_note(place)) continue;
        if (std::string why = why_not(place); !why.empty()) {
            problems.add(place.text(), why);
            continue;
        }
        auto above = std::ranges::find_if(own, [&](const Path& path) { return path.holds(place); });
        if (above != own.end()) {
            auto index = static_cast<std::size_t>(above - own.begin());
            if (decided[index]) continue;
            decided[index] = true;
            place = *above;
        }
        for (std::size_t i = 0; i < own.size(); ++i) dropped[i] = dropped[i] || (place.holds(own[i]) && own[i] != place);
        auto base = get(beneath, place), value = get(wanted, place);
        auto same = std::ranges::find(own, place);
        if (base != value)
            plan.puts.push_back({std::move(place), std::move(base), std::move(value)});
        else if (same != own.end())
            dropped[static_cast<std::size_t>(same - own.begin())] = true;
    }
    for (std::size_t i = 0; i < own.size(); ++i)
        if (dropped[i]) plan.drops.push_back(i);
    return plan;
}

Result<std::optional<Revision>> effective_revision(const Revision& original, const std::vector<Patch>& patches,
                                                   const std::vector<ImageDigest>& digests) {
    App app = app_of(original);
    apply(app, patches);
    Problems problems;
    validate(Kind::app, app, problems);
    if (!problems.empty())
        return std::unexpected(problems.error("with the overrides of this site, App " + quoted(app.metadata().name())));
    Revision made = original;
    made.mutable_spec()->clear_revoked(); // not of its content: what runs keeps its name when it is revoked
    bool differs = made.spec().state() != app.spec().state();
    made.mutable_spec()->set_state(app.spec().state());
    for (int i = 0; i < app.spec().components_size(); ++i) {
        const Component& component = app.spec().components(i);
        auto& closed = *made.mutable_spec()->mutable_components(i);
        if (google::protobuf::util::MessageDifferencer::Equals(component, closed.component())) continue;
        differs = true;
        TRY_VOID(check_sources(original, component));
        if (component.image() != closed.component().image()) {
            auto reference = TRY(parse_image(component.image(), app.metadata().namespace_()));
            auto known = std::ranges::find(digests, component.image(), &ImageDigest::image);
            std::string digest = !reference.digest.empty() ? reference.digest : known != digests.end() ? known->digest : "";
            if (digest.empty())
                return fail(Code::invalid, "spec.components[name=" + component.name() + "].image: " + quoted(component.image()) +
                                               " has no copy here; push it to this site, or name it by digest");
            closed.set_image_digest(digest);
        }
        *closed.mutable_component() = component;
        closed.set_hash(component_hash(closed, original.spec().pins()));
    }
    if (!differs) return std::nullopt;
    Meta meta;
    meta.set_namespace_(original.metadata().namespace_());
    (*meta.mutable_labels())["skerry/app"] = original.spec().app();
    (*meta.mutable_labels())[std::string(effective_label)] = original.metadata().home();
    std::string content = write_json(to_json(made.spec()));
    meta.set_name(original.metadata().name() + std::string(at_site) + hex(sha256(content).substr(0, 5)));
    *made.mutable_metadata() = std::move(meta);
    if (original.spec().has_revoked()) *made.mutable_spec()->mutable_revoked() = original.spec().revoked();
    made.clear_status();
    return made;
}

std::string_view original_of(std::string_view revision) { return revision.substr(0, revision.rfind(at_site)); }

bool is_effective(const Revision& revision) { return revision.metadata().labels().contains(std::string(effective_label)); }

const std::string& decided_at(const Revision& revision) {
    auto label = revision.metadata().labels().find(std::string(effective_label));
    return label != revision.metadata().labels().end() ? label->second : revision.metadata().home();
}

} // namespace skerry::model
