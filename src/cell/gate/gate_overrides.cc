#include "base/bytes.h"
#include "base/digest.h"
#include "base/number.h"
#include "cell/gate/gate.h"
#include "cell/gate/overrides.h"
#include "model/allocation.pb.h"
#include "model/image.pb.h"
#include "model/override.pb.h"
#include "model/reference.h"
#include "model/revision.pb.h"
#include "model/rules/validate.h"
#include "model/tier.h"

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <utility>

/// How Overrides come to be: by an edit of an App that is decided elsewhere, or as objects of their own (rules W2 to W5).
namespace skerry::cell {

namespace {

using model::Kind;
using store::Key;
using store::Object;

/// Of one App at one site.
constexpr std::size_t most_overrides = 64;

Refusal refused(Code code, std::string message) { return {{code, std::move(message)}, {}}; }

std::optional<Json> json_of(bool has, const std::string& text) {
    auto json = has ? parse_json(text) : Result<Json>(Json());
    return has && json ? std::optional(std::move(*json)) : std::nullopt;
}

void write_values(model::OverrideSpec& spec, const std::optional<Json>& base, const std::optional<Json>& value) {
    base ? spec.set_base_value(write_json(*base)) : spec.clear_base_value();
    value ? spec.set_value(write_json(*value)) : spec.clear_value();
}

bool names_image(const model::Path& path) {
    const auto& steps = path.steps();
    return steps.size() == 3 && steps[1].field->name() == "components" && steps[2].field->name() == "image";
}

/// The digest that an image's tag means here: of an Image of this cell, or of a Revision that came with it resolved. Empty where
/// the value names a digest itself, or is no image.
Result<std::string> digest_here(const store::Store& store, const std::string& project, const Json& value) {
    if (!value.string()) return std::string();
    auto reference = model::parse_image(*value.string(), project);
    if (!reference || !reference->digest.empty()) return std::string();
    if (const auto* image = store.get<model::Image>(Key{Kind::image, reference->project, reference->name}))
        for (const auto& tag : image->spec().tags())
            if (tag.name() == reference->tag) return tag.digest();
    for (const auto& object : store.list(Kind::revision, project))
        for (const auto& closed : store::as<model::Revision>(*object).spec().components())
            if (closed.component().image() == *value.string()) return closed.image_digest();
    return fail(Code::invalid, fmt::format("{} has no copy here; push it to this site (skerry image push PATH {}), or name it by "
                                           "digest",
                                           model::quoted(*value.string()), reference->text()));
}

/// Whether what runs of the App at the site could run with these overrides.
Result<void> would_run(const store::Store& store, const std::string& site, const Key& app,
                       const std::vector<model::Patch>& patches, const std::vector<model::ImageDigest>& digests) {
    for (const auto& object : store.list(Kind::allocation, app.project)) {
        const auto& spec = store::as<model::Allocation>(*object).spec();
        if (spec.site() != site || spec.app() != app.name) continue;
        const auto* revision = store.get<model::Revision>(Key{Kind::revision, app.project, spec.revision()});
        if (!revision) continue;
        auto made = model::effective_revision(*revision, patches, digests);
        if (!made) return std::unexpected(made.error());
    }
    return {};
}

std::string override_name(const std::string& app, const std::string& site, const std::string& path) {
    return app + "." + site + "." + hex(sha256(path).substr(0, 5));
}

} // namespace

Gate::Checked Gate::still_shown(const Object& app, std::string_view uid, std::string_view version) const {
    auto changed = [&] {
        return std::unexpected(refused(
            Code::conflict, fmt::format("{} has changed here since version {}: read it again, apply the change to that, and "
                                        "retry",
                                        app.key.text(), model::quoted(version))));
    };
    if (!uid.empty() && uid != app.uid.text()) return changed();
    if (version.empty()) return {};
    auto number = parse_number<std::uint64_t>(version);
    if (!number || *number > store_.cursor().number || *number < app.wish.number) return changed();
    auto changes = store_.since(*number);
    if (!changes) return changed();
    bool other = std::ranges::any_of(*changes, [&](const store::Change& change) {
        return change.key.kind == Kind::override_ && change.key.project == app.key.project &&
               (!change.after || change.after->wish.number > number);
    });
    return other ? Checked(changed()) : Checked();
}

void Gate::override_app(const trust::Identity& who, store::ObjectPtr before, std::unique_ptr<google::protobuf::Message> object,
                        WriteOptions options, Answer answer) {
    auto refuse = [&](Refusal refusal) { answer_soon(std::move(answer), std::unexpected(std::move(refusal))); };
    const std::string& site = self_.name;
    auto& wanted = static_cast<model::App&>(*object);
    auto overrides = overrides_of(store_, site, before->key.project, before->key.name, before->uid.text());
    SiteApp app = app_at_site(*before, overrides);
    if (auto holds = still_shown(*before, wanted.metadata().uid(), wanted.metadata().resource_version()); !holds)
        return refuse(holds.error());
    take_identity(wanted, app.shown);
    if (auto valid = check(who, Kind::app, &app.shown, wanted); !valid) return refuse(valid.error());

    std::vector<model::Path> own;
    for (const auto& patch : patches_of(overrides.own)) own.push_back(patch.path);
    model::Problems problems;
    auto plan = model::plan_override(app.beneath, app.shown, wanted, own, problems);
    std::string home = name_of_(before->home);
    if (!problems.empty())
        return refuse({{Code::forbidden, fmt::format("{} is decided at {}, and site {} may not decide all of this: {}",
                                                     before->key.text(), home, site, problems.text())},
                       problems.list()});
    if (plan.puts.empty() && plan.drops.empty())
        return answer_soon(
            std::move(answer),
            Admitted{.object = as_shown(store_, site, before), .change = Admitted::Change::unchanged, .warnings = {}});
    if (overrides.own.size() + plan.puts.size() > most_overrides)
        return refuse(refused(Code::exhausted, fmt::format("{} would have more than {} overrides at site {}; change it at {}, or "
                                                           "make an App of this site",
                                                           before->key.text(), most_overrides, site, home)));

    store::Transaction transaction;
    std::vector<std::string> words;
    std::vector<store::ObjectPtr> after = overrides.own;
    for (std::size_t at : plan.drops) {
        const auto& gone = overrides.own[at];
        transaction.erase(gone->key, {.number = gone->wish.number, .uid = gone->uid});
        std::erase(after, gone);
        words.push_back(fmt::format("override {} is dropped ({})", gone->key.name, own[at].text()));
    }
    for (const auto& put : plan.puts) {
        std::string path = put.path.text();
        auto at = std::ranges::find(own, put.path);
        store::ObjectPtr old = at == own.end() ? nullptr : overrides.own[static_cast<std::size_t>(at - own.begin())];
        model::Override made;
        if (old) made.ParseFromString(*old->wish.bytes);
        auto& meta = *made.mutable_metadata();
        auto& spec = *made.mutable_spec();
        if (!old) {
            meta.set_name(override_name(before->key.name, site, path));
            if (store_.get(Key{Kind::override_, before->key.project, meta.name()})) meta.set_name(meta.name() + ".own");
            meta.set_namespace_(before->key.project);
            (*meta.mutable_labels())["skerry/app"] = before->key.name;
            (*meta.mutable_labels())["skerry/site"] = site;
            meta.set_uid(Uid(env_.chance.id()).text());
            meta.set_home(store_.cell().text());
            meta.set_creation_timestamp(rfc3339(env_.clock.wall()));
            spec.mutable_target()->set_kind("App");
            spec.mutable_target()->set_name(before->key.name);
            spec.mutable_target()->set_uid(before->uid.text());
            spec.set_path(path);
            spec.set_site(site);
        }
        meta.set_generation(old ? old->generation + 1 : 1);
        spec.set_author(who.name);
        write_values(spec, put.base, put.value);
        spec.clear_image_digest();
        if (put.value && names_image(put.path)) {
            auto digest = digest_here(store_, before->key.project, *put.value);
            if (!digest) return refuse(refused(digest.error().code, path + ": " + digest.error().message));
            if (!digest->empty()) spec.set_image_digest(*digest);
        }
        model::Problems wrong;
        model::validate(Kind::override_, made, wrong);
        if (!wrong.empty()) return refuse({wrong.error("the override of " + path), wrong.list()});
        auto planned = std::make_shared<Object>();
        planned->key = {Kind::override_, before->key.project, meta.name()};
        planned->uid = Uid(*Id::parse(meta.uid()));
        planned->home = store_.cell();
        planned->generation = meta.generation();
        planned->wish.bytes = std::make_shared<const std::string>(made.SerializeAsString());
        if (!transaction.fits(planned->wish.bytes->size()))
            return refuse(refused(Code::exhausted, "the edit is too large for one step; make it in several"));
        transaction.put(planned->key, planned->uid, planned->home, planned->generation, *planned->wish.bytes,
                        old ? store::Transaction::unchanged(*old) : store::Transaction::absent());
        if (old) std::erase(after, old);
        after.push_back(std::move(planned));
        words.push_back(fmt::format("override {} ({})", meta.name(), path));
    }
    overrides.own = std::move(after);
    if (auto runs = would_run(store_, site, before->key, patches_of(overrides), digests_of(overrides)); !runs)
        return refuse({runs.error(), {}});

    auto planned = std::make_shared<Object>(*before);
    planned->wish.bytes = std::make_shared<const std::string>(app_at_site(*before, overrides).shown.SerializeAsString());
    Admitted admitted{.object = planned,
                      .change = Admitted::Change::updated,
                      .warnings = {fmt::format("{} is decided at {}; this edit holds at site {} only: {} (skerry override list)",
                                               before->key.text(), home, site, fmt::join(words, ", "))}};
    if (options.dry_run) return answer_soon(std::move(answer), std::move(admitted));
    commit(std::move(transaction), planned, std::move(admitted), Code::conflict, std::move(answer));
}

Gate::Checked Gate::complete_override(const trust::Identity& who, model::Override& made, const model::Override* before) const {
    auto refuse = [](Code code, std::string message) -> Checked { return std::unexpected(refused(code, std::move(message))); };
    auto& spec = *made.mutable_spec();
    // A region is to its sites what a core is: overrides are made at sites.
    bool at_site = self_.role == env::Peer::Role::site && !is_region();
    if (at_site && spec.site().empty()) spec.set_site(self_.name);
    if (at_site && spec.site() != self_.name)
        return refuse(Code::invalid, fmt::format("spec.site: {} is not this site, {} (leave it out, or make the override at the "
                                                 "parent)",
                                                 model::quoted(spec.site()), self_.name));
    const auto* place = at_site ? nullptr : store_.get<model::Site>(Key{Kind::site, "", spec.site()});
    if (!at_site && !place)
        return refuse(Code::invalid, fmt::format("spec.site: {} is no site (skerry get sites)", model::quoted(spec.site())));
    if (place && model::is_region(*place))
        return refuse(Code::unsupported,
                      fmt::format("spec.site: {} is a region; make the override at the API of one of its sites",
                                  model::quoted(spec.site())));
    (*made.mutable_metadata()->mutable_labels())["skerry/app"] = spec.target().name();
    (*made.mutable_metadata()->mutable_labels())["skerry/site"] = spec.site();
    const std::string& project = made.metadata().namespace_();
    auto app = store_.get(Key{Kind::app, project, spec.target().name()});
    bool same_wish = before && before->spec().value() == spec.value() && before->spec().has_value() == spec.has_value();
    if (!before || !same_wish) spec.set_author(who.name);
    if (!app)
        return before ? Checked()
                      : refuse(Code::not_found, fmt::format("spec.target: App {}/{} does not exist here (skerry get apps -A)",
                                                            project, spec.target().name()));
    if (at_site == (app->home == store_.cell()))
        return refuse(Code::forbidden,
                      at_site ? fmt::format("{} is decided here; edit it, there is nothing to override", app->key.text())
                              : fmt::format("{} is decided at {}; edit it there", app->key.text(), name_of_(app->home)));
    if (spec.target().uid().empty()) spec.mutable_target()->set_uid(app->uid.text());
    if (spec.target().uid() != app->uid.text()) // made for an earlier App of this name: shown as Detached, and nothing to check
        return before || spec.has_settles()
                   ? Checked()
                   : refuse(Code::invalid, fmt::format("spec.target.uid: {} is not that of {}, {} (leave it out)",
                                                       model::quoted(spec.target().uid()), app->key.text(), app->uid.text()));
    if (at_site && spec.has_settles())
        return refuse(Code::forbidden, fmt::format("{} is decided at {}; decide there about overrides of it (at a site: skerry "
                                                   "override drop)",
                                                   app->key.text(), name_of_(app->home)));
    bool asks_only = spec.settles().by() == "promote" || spec.settles().by() == "drop";
    if (asks_only) return {};
    auto patch = model::patch_of(spec);
    if (!patch) return {}; // the rules of the kind say it with the field
    auto overrides = overrides_of(store_, spec.site(), project, spec.target().name(), app->uid.text());
    for (const auto& other : overrides.own) {
        const auto& theirs = store::as<model::Override>(*other);
        if (theirs.metadata().name() != made.metadata().name() && theirs.spec().path() == spec.path())
            return refuse(Code::exists, fmt::format("override {} decides {} at site {} already; change or drop that",
                                                    other->key.name, spec.path(), spec.site()));
    }
    std::erase_if(overrides.own, [&](const auto& each) { return each->key.name == made.metadata().name(); });
    if (overrides.own.size() >= most_overrides)
        return refuse(Code::exhausted,
                      fmt::format("{} has {} overrides at site {}; drop some", app->key.text(), most_overrides, spec.site()));
    SiteApp at = app_at_site(*app, overrides);
    if (!model::leads_somewhere(at.shown, patch->path))
        return refuse(Code::invalid, fmt::format("spec.path: {} leads nowhere in {} (skerry get app {} -o yaml)",
                                                 model::quoted(spec.path()), app->key.text(), app->key.name));
    model::App changed = at.shown;
    if (auto fits = model::set(changed, patch->path, patch->value); !fits) return refuse(Code::invalid, fits.error().message);
    if (auto valid = check(who, Kind::app, &at.shown, changed); !valid) return valid;
    // The value in the one spelling that comparisons know, and what the home says now as what it was held against.
    auto base = spec.has_base_value() && !spec.has_settles() ? json_of(spec.has_base_value(), spec.base_value())
                                                             : model::get(at.beneath, patch->path);
    if (!before || !same_wish) write_values(spec, base, patch->value ? model::get(changed, patch->path) : std::nullopt);
    if (patch->value && names_image(patch->path) && !spec.has_image_digest()) {
        auto digest = digest_here(store_, project, *patch->value);
        if (!digest) return refuse(digest.error().code, "spec.value: " + digest.error().message);
        if (!digest->empty()) spec.set_image_digest(*digest);
    }
    return {};
}

} // namespace skerry::cell
