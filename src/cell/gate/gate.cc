#include "cell/gate/gate.h"

#include "base/check.h"
#include "base/number.h"
#include "cell/gate/owner.h"
#include "cell/handover.h"
#include "cell/links/seats.h"
#include "cell/missing.h"
#include "model/app.pb.h"
#include "model/image.pb.h"
#include "model/meta.pb.h"
#include "model/node.pb.h"
#include "model/override.pb.h"
#include "model/parts.h"
#include "model/places/pinned.h"
#include "model/reference.h"
#include "model/revision.pb.h"
#include "model/rules/defaults.h"
#include "model/rules/validate.h"
#include "model/tier.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <set>
#include <utility>

namespace skerry::cell {

namespace {

using google::protobuf::Message;
using model::Kind;
using store::Key;
using store::Object;
using store::Part;

std::unexpected<Refusal> refuse(Code code, std::string message) {
    return std::unexpected(Refusal{{code, std::move(message)}, {}});
}

std::unexpected<Refusal> refuse(Error error) { return std::unexpected(Refusal{std::move(error), {}}); }

Key key_of(Kind kind, const Message& message) {
    const auto& meta = model::metadata(message);
    return {kind, meta.namespace_(), meta.name()};
}

void clear_field(Message& message, const char* name) {
    if (const auto* field = message.GetDescriptor()->FindFieldByName(name)) message.GetReflection()->ClearField(&message, field);
}

std::unique_ptr<Message> decode(Kind kind, const store::Blob& bytes) {
    auto message = model::new_message(kind);
    if (bytes && !message->ParseFromString(*bytes)) message->Clear();
    return message;
}

/// Whether these preconditions, as far as given, hold. A status that changed meanwhile is no conflict for who edits the wish.
std::expected<void, Refusal> still(const Object& object, std::string_view uid, std::string_view version) {
    if (!uid.empty() && uid != object.uid.text())
        return refuse(Code::conflict, fmt::format("{} has uid {}, not {}: it is another object of the same name; read it again",
                                                  object.key.text(), object.uid.text(), model::quoted(uid)));
    if (version.empty()) return {};
    auto number = parse_number<std::uint64_t>(version);
    if (!number)
        return refuse(Code::invalid, fmt::format("metadata.resourceVersion: {} is not a version (use the one that was read)",
                                                 model::quoted(version)));
    if (*number < object.wish.number || *number > object.number())
        return refuse(Code::conflict,
                      fmt::format("{} has changed since version {}: read it again, apply the change to that, and retry",
                                  object.key.text(), *number));
    return {};
}

} // namespace

void Gate::answer_soon(Answer answer, std::expected<Admitted, Refusal> result) {
    if (answer)
        env_.timers.post([answer = std::move(answer), result = std::move(result)]() mutable { answer(std::move(result)); });
}

Gate::Checked Gate::may_touch(const trust::Identity& who, trust::Verb verb, Kind kind, const Message& message) const {
    auto allowed = trust::may(who, verb, target_of(kind, message));
    if (!allowed) return refuse(std::move(allowed).error());
    return {};
}

Gate::Checked Gate::may_write(const trust::Identity& who, trust::Verb verb, Kind kind, const Message& message) const {
    if (auto allowed = may_touch(who, verb, kind, message); !allowed) return allowed;
    const auto& facts = model::facts(kind);
    if (who.role == trust::Role::user && model::metadata(message).labels().contains(std::string(model::pinned_label)))
        return refuse(
            Code::forbidden,
            fmt::format("metadata.labels.{}: it marks the copies that revisions keep of Secrets and Configs, which nobody "
                        "else writes: change the original, or leave the label out",
                        model::pinned_label));
    if (facts.made_by_loops && who.role == trust::Role::user && verb != trust::Verb::status)
        return refuse(
            Code::forbidden,
            fmt::format("{} are made by Skerry itself and cannot be written by users: change the App (or Site) they follow from",
                        facts.plural));
    return {};
}

Gate::Checked Gate::check(const trust::Identity&, Kind kind, const Message* before, const Message& after) const {
    model::Problems problems;
    model::validate(kind, after, problems);
    if (before) model::validate_update(kind, *before, after, problems);
    const auto& meta = model::metadata(after);
    const auto& facts = model::facts(kind);
    if (facts.fleet_wide && !meta.namespace_().empty())
        problems.add("metadata.namespace",
                     fmt::format("{}: a {} belongs to no project (leave it out)", model::quoted(meta.namespace_()), facts.name));
    if (!facts.fleet_wide && meta.namespace_().empty())
        problems.add("metadata.namespace", "missing (name the project, such as default)");
    if (!problems.empty()) {
        std::string title = fmt::format("{} {}", facts.name, model::quoted(meta.name()));
        return std::unexpected(Refusal{problems.error(title), problems.list()});
    }
    if (!before)
        if (auto ours = is_made_here(kind, after); !ours) return ours;
    if (!facts.fleet_wide && !store_.get(Key{Kind::project, "", meta.namespace_()}))
        return refuse(Code::not_found,
                      fmt::format("project {} does not exist; create it: kubectl create namespace {} (or apply a Project)",
                                  model::quoted(meta.namespace_()), meta.namespace_()));
    return {};
}

bool Gate::is_region() const {
    const auto* own = self_.role == env::Peer::Role::site ? store_.get<model::Site>(Key{Kind::site, "", self_.name}) : nullptr;
    return own && model::is_region(*own);
}

Gate::Checked Gate::is_made_here(Kind kind, const Message& object) const {
    bool region = is_region();
    if (kind == Kind::site && self_.role == env::Peer::Role::site && !region)
        return refuse(Code::unsupported,
                      fmt::format("site {} has no sites below it; apply it at the API of the core", self_.name));
    if (kind != Kind::node) return {};
    const std::string& site = static_cast<const model::Node&>(object).spec().site();
    if (self_.role == env::Peer::Role::site && !region) {
        if (site == self_.name) return {};
        return refuse(Code::invalid, fmt::format("spec.site: {} is not this site; a site makes only nodes of its own (use {})",
                                                 model::quoted(site), self_.name));
    }
    if (region && site == self_.name)
        return refuse(Code::unsupported,
                      fmt::format("spec.site: {} is a region, which has no nodes; name one of its sites, at whose "
                                  "API the machine's token is made (skerry token create --node NAME)",
                                  model::quoted(site)));
    const auto* place = store_.get<model::Site>(Key{Kind::site, "", site});
    if (place && place->status().cell() == store_.cell().text()) return {};
    return refuse(
        Code::unsupported,
        fmt::format("spec.site: nodes of {} are made by that site, not here; at its own API make a token for the machine "
                    "(skerry token create --node NAME)",
                    model::quoted(site)));
}

Gate::Checked Gate::decides_still(Kind kind) const {
    bool goes = kind == Kind::app || kind == Kind::secret || kind == Kind::config;
    if (!goes || self_.role != env::Peer::Role::site || !is_leaving(store_, self_.name)) return {};
    return refuse(Code::forbidden,
                  fmt::format("site {} is being decommissioned and hands over what it decides; apply this at the "
                              "API of the core",
                              self_.name));
}

std::vector<std::string> Gate::warnings(Kind kind, const Message& message) const {
    std::vector<std::string> warnings;
    if (kind != Kind::app) return warnings;
    const auto& app = static_cast<const model::App&>(message);
    std::set<std::string> missing;
    for (const auto& component : app.spec().components()) {
        auto reference = model::parse_image(component.image(), app.metadata().namespace_());
        if (!reference || !reference->digest.empty()) continue;
        const auto* image = store_.get<model::Image>(Key{Kind::image, reference->project, reference->name});
        bool there =
            image && std::ranges::any_of(image->spec().tags(), [&](const auto& tag) { return tag.name() == reference->tag; });
        if (!there) missing.insert(reference->text());
    }
    for (const std::string& text : missing)
        warnings.push_back(fmt::format("image {} has no copy yet; push it: skerry image push PATH {}", text, text));
    return warnings;
}

/// What deleting a Site or Node means to the machine that joined for it (rule H6).
std::vector<std::string> Gate::farewell(const Key& key) const {
    bool is_node = key.kind == Kind::node;
    auto role = is_node ? env::Peer::Role::node : env::Peer::Role::site;
    auto seat = is_node || key.kind == Kind::site ? seat_of(store_, role, key.name) : std::nullopt;
    if (!seat || !may_speak(store_, {.role = role, .name = key.name, .cell = seat->cell})) return {};
    auto is_its_own = [&](const store::ObjectPtr& object) { return object->wish.from == seat->cell; };
    auto apps = is_node ? 0 : std::ranges::count_if(store_.list(Kind::app), is_its_own);
    std::string own =
        apps == 0 ? ""
                  : fmt::format(". {} App{} of its own stay{} here as a copy, which an edit takes over, or a delete removes",
                                apps, apps == 1 ? "" : "s", apps == 1 ? "s" : "");
    return {fmt::format(
        "{} {} has joined: with the {} its link ends, and it may read nothing more here. The machine runs on with what it "
        "runs, but for policy atMostOnce, until it is switched off, or skerry reset there; it comes back with a new "
        "token only (skerry token create --{} {}){}",
        is_node ? "node" : "site", key.name, is_node ? "Node" : "Site", is_node ? "node" : "site", key.name, own)};
}

void Gate::commit(store::Transaction transaction, store::ObjectPtr planned, Admitted admitted, Code on_conflict, Answer answer) {
    store_.commit(std::move(transaction), [planned, admitted = std::move(admitted), on_conflict,
                                           answer = std::move(answer)](Result<store::Number> result) mutable {
        if (!answer) return;
        if (!result) {
            Error error = std::move(result).error();
            if (error.code == Code::conflict) error.code = on_conflict;
            return answer(refuse(std::move(error)));
        }
        if (admitted.change == Admitted::Change::deleted) return answer(std::move(admitted));
        auto stored = std::make_shared<Object>(*planned);
        stored->wish.number = *result;
        admitted.object = std::move(stored);
        answer(std::move(admitted));
    });
}

void Gate::create(const trust::Identity& who, Kind kind, std::unique_ptr<Message> object, WriteOptions options, Answer answer) {
    CHECK(object);
    auto& meta = model::metadata(*object);
    if (auto allowed = may_write(who, trust::Verb::create, kind, *object); !allowed)
        return answer_soon(std::move(answer), std::unexpected(allowed.error()));
    if (self_.role == env::Peer::Role::node && kind != Kind::event)
        return answer_soon(std::move(answer),
                           refuse(Code::unsupported, "a node decides nothing; apply it at the API of its site, or of the core"));
    if (auto decides = decides_still(kind); !decides) return answer_soon(std::move(answer), std::unexpected(decides.error()));
    if (!meta.resource_version().empty())
        return answer_soon(std::move(answer),
                           refuse(Code::invalid, "metadata.resourceVersion: a new object has none (leave it out)"));
    clear_field(*object, "status");
    Key key = key_of(kind, *object);
    // One whose row is damaged is applied again: it stays the same object to all that follow from it.
    auto remains = remains_of(store_, key);
    Uid uid = remains ? remains->uid : Uid(env_.chance.id());
    std::uint32_t generation = remains ? remains->generation + 1 : 1;
    meta.set_uid(uid.text());
    meta.set_generation(generation);
    meta.set_home(store_.cell().text());
    meta.set_creation_timestamp(rfc3339(env_.clock.wall()));
    meta.clear_deletion_timestamp();
    model::apply_presets(*object);
    if (kind == Kind::override_)
        if (auto made = complete_override(who, static_cast<model::Override&>(*object), nullptr); !made)
            return answer_soon(std::move(answer), std::unexpected(made.error()));
    if (auto valid = check(who, kind, nullptr, *object); !valid)
        return answer_soon(std::move(answer), std::unexpected(valid.error()));
    if (store_.get(key))
        return answer_soon(std::move(answer), refuse(Code::exists, fmt::format("{} exists already", key.text())));

    auto planned = std::make_shared<Object>();
    planned->key = key;
    planned->uid = uid;
    planned->home = store_.cell();
    planned->generation = generation;
    planned->wish.bytes = std::make_shared<const std::string>(object->SerializeAsString());
    Admitted admitted{.object = planned, .change = Admitted::Change::created, .warnings = warnings(kind, *object)};
    if (options.dry_run) return answer_soon(std::move(answer), std::move(admitted));
    store::Transaction transaction;
    transaction.put(key, uid, planned->home, generation, *planned->wish.bytes, store::Transaction::absent());
    keep_seat(transaction, store_, key, uid);
    commit(std::move(transaction), planned, std::move(admitted), Code::exists, std::move(answer));
}

void Gate::update(const trust::Identity& who, Kind kind, std::unique_ptr<Message> object, WriteOptions options, Answer answer) {
    CHECK(object);
    auto refused = [&](Refusal refusal) { answer_soon(std::move(answer), std::unexpected(std::move(refusal))); };
    Key key = key_of(kind, *object);
    store::ObjectPtr before = store_.get(key);
    if (!before) {
        auto allowed = may_write(who, trust::Verb::update, kind, *object);
        return refused(allowed ? Refusal{{Code::not_found, fmt::format("{} does not exist", key.text())}, {}} : allowed.error());
    }
    // What it is now and what it would be: both must be the caller's to write.
    bool revokes = kind == Kind::revision && static_cast<const model::Revision&>(*object).spec().has_revoked();
    for (const Message* each : {&before->message(), static_cast<const Message*>(object.get())}) {
        auto allowed =
            revokes ? may_touch(who, trust::Verb::update, kind, *each) : may_write(who, trust::Verb::update, kind, *each);
        if (!allowed) return refused(allowed.error());
    }
    if (kind == Kind::app && before->home != store_.cell() && self_.role == env::Peer::Role::site && !is_region())
        return override_app(who, before, std::move(object), options, std::move(answer));
    if (auto decides = decides_still(kind); !decides) return refused(decides.error());
    auto& meta = model::metadata(*object);
    if (auto holds = still(*before, meta.uid(), meta.resource_version()); !holds) return refused(holds.error());

    auto was = decode(kind, before->wish.bytes);
    take_identity(*object, *was);
    if (google::protobuf::util::MessageDifferencer::Equals(*was, *object))
        return answer_soon(
            std::move(answer),
            Admitted{.object = before, .change = Admitted::Change::unchanged, .warnings = warnings(kind, *object)});
    // Rule H6: about the App of a site's own people here may decide once its cell has left.
    auto left = before->home != store_.cell() && kind == Kind::app ? left_site(store_, before->home) : std::nullopt;
    // The note may lag behind a machine that has joined again.
    bool takes_over = left && has_left(store_, *left, before->home) && who.role == trust::Role::user;
    if (before->home != store_.cell() && !takes_over)
        return refused(
            {{Code::forbidden, fmt::format("{} is decided at {}; edit it there", key.text(), name_of_(before->home))}, {}});
    if (revokes)
        if (auto allowed = may_revoke(who, *was, *object); !allowed) return refused(allowed.error());
    if (kind == Kind::override_)
        if (auto made = complete_override(who, static_cast<model::Override&>(*object), static_cast<model::Override*>(was.get()));
            !made)
            return refused(made.error());
    if (auto valid = check(who, kind, was.get(), *object); !valid) return refused(valid.error());
    bool leaves = meta.annotations().contains(std::string(model::decommission_annotation));
    if (kind == Kind::site && leaves && model::is_region(static_cast<const model::Site&>(*object)))
        return refused(
            {{Code::unsupported,
              fmt::format("metadata.annotations.{}: {} is a region, whose decommission is not served; decommission its sites at "
                          "its API first, then delete it here",
                          model::decommission_annotation, key.name)},
             {}});
    if (kind == Kind::site && is_leaving(store_, key.name) &&
        !meta.annotations().contains(std::string(model::decommission_annotation)))
        return refused(
            {{Code::conflict,
              fmt::format("metadata.annotations.{}: the decommission of site {} has begun and cannot be taken back, since "
                          "what it decided may be decided here by now; finish it (skerry site decommission {}), then "
                          "the machine may join again with a new token",
                          model::decommission_annotation, key.name, key.name)},
             {}});

    std::uint32_t generation = before->generation + 1;
    meta.set_generation(generation);
    meta.set_home(store_.cell().text());
    auto planned = std::make_shared<Object>(*before);
    planned->generation = generation;
    planned->home = store_.cell();
    planned->wish.bytes = std::make_shared<const std::string>(object->SerializeAsString());
    planned->wish.from = {};
    Admitted admitted{.object = planned, .change = Admitted::Change::updated, .warnings = warnings(kind, *object)};
    if (takes_over)
        admitted.warnings.push_back(fmt::format(
            "{} was decided at site {}, whose machine has left; from now on it is decided, and placed, here", key.text(), *left));
    if (options.dry_run) return answer_soon(std::move(answer), std::move(admitted));
    store::Transaction transaction;
    transaction.put(key, before->uid, planned->home, generation, *planned->wish.bytes, store::Transaction::unchanged(*before));
    commit(std::move(transaction), planned, std::move(admitted), Code::conflict, std::move(answer));
}

void Gate::update_status(const trust::Identity& who, Kind kind, std::unique_ptr<Message> object, WriteOptions options,
                         Answer answer) {
    CHECK(object);
    auto refused = [&](Refusal refusal) { answer_soon(std::move(answer), std::unexpected(std::move(refusal))); };
    Key key = key_of(kind, *object);
    store::ObjectPtr before = store_.get(key);
    if (!before) return refused({{Code::not_found, fmt::format("{} does not exist", key.text())}, {}});
    if (auto allowed = may_write(who, trust::Verb::status, kind, before->message()); !allowed) return refused(allowed.error());
    const auto& meta = model::metadata(*object);
    if (auto holds = still(*before, meta.uid(), meta.resource_version()); !holds) return refused(holds.error());
    const auto* status = object->GetDescriptor()->FindFieldByName("status");
    if (!status) return refused({{Code::unsupported, fmt::format("a {} has no status", model::name(kind))}, {}});
    auto found = model::new_message(kind);
    if (object->GetReflection()->HasField(*object, status))
        found->GetReflection()
            ->MutableMessage(found.get(), status)
            ->CopyFrom(object->GetReflection()->GetMessage(*object, status));
    std::string bytes = found->SerializeAsString();
    if (bytes.size() > model::largest_object)
        return refused({{Code::invalid, fmt::format("status: {} bytes (at most {})", bytes.size(), model::largest_object)}, {}});

    auto planned = std::make_shared<Object>(*before);
    bool same = before->found.bytes && *before->found.bytes == bytes;
    planned->found = {std::make_shared<const std::string>(bytes), before->found.number, {}};
    Admitted admitted{
        .object = planned, .change = same ? Admitted::Change::unchanged : Admitted::Change::updated, .warnings = {}};
    if (options.dry_run || same) return answer_soon(std::move(answer), std::move(admitted));
    store::Transaction transaction;
    transaction.put_part(key, before->uid, Part::found, std::move(bytes), {});
    store_.commit(std::move(transaction),
                  [planned, admitted = std::move(admitted), answer = std::move(answer)](Result<store::Number> result) mutable {
                      if (!answer) return;
                      if (!result) return answer(refuse(std::move(result).error()));
                      auto stored = std::make_shared<Object>(*planned);
                      stored->found.number = *result;
                      admitted.object = std::move(stored);
                      answer(std::move(admitted));
                  });
}

/// Of a Revision people may say one thing, once: that it is revoked (rule A1). Who did, and when, is filled in.
Gate::Checked Gate::may_revoke(const trust::Identity& who, const Message& was, Message& becomes) const {
    constexpr std::size_t longest = 1024;
    const auto& old = static_cast<const model::Revision&>(was);
    auto& revision = static_cast<model::Revision&>(becomes);
    if (old.spec().has_revoked())
        return refuse(Code::conflict,
                      fmt::format("revision {} is revoked already, which cannot be changed or taken back: change the App, "
                                  "which makes another revision",
                                  old.metadata().name()));
    model::Revision allowed = old;
    *allowed.mutable_spec()->mutable_revoked() = revision.spec().revoked();
    if (!google::protobuf::util::MessageDifferencer::Equals(allowed, revision))
        return refuse(Code::forbidden,
                      "revisions are made by Skerry itself: of one that exists only spec.revoked can be set; leave the "
                      "rest as it is (skerry revision revoke NAME --reason TEXT)");
    auto& revoked = *revision.mutable_spec()->mutable_revoked();
    if (revoked.reason().empty() || revoked.reason().size() > longest)
        return refuse(Code::invalid,
                      fmt::format("spec.revoked.reason: {} (say in up to {} bytes why, for those who meet it at a site)",
                                  revoked.reason().empty() ? "is required" : "is too long", longest));
    revoked.set_author(who.name);
    revoked.set_time(rfc3339(env_.clock.wall()));
    return {};
}

void Gate::take_identity(Message& message, const Message& was) {
    clear_field(message, "status");
    auto& meta = model::metadata(message);
    const auto& was_meta = model::metadata(was);
    meta.set_uid(was_meta.uid());
    meta.set_home(was_meta.home());
    meta.set_generation(was_meta.generation());
    meta.set_creation_timestamp(was_meta.creation_timestamp());
    meta.clear_resource_version();
    meta.clear_deletion_timestamp();
    model::apply_presets(message);
}

Gate::Checked Gate::may_vanish(const Object& object) const {
    if (object.home != store_.cell() && exists_(object.home))
        return refuse(Code::forbidden,
                      fmt::format("{} is decided at {}; delete it there", object.key.text(), name_of_(object.home)));
    if (object.key.kind != Kind::project) return {};
    if (object.key.name == "default")
        return refuse(Code::forbidden, "project default cannot be deleted: what names no project is in it");
    constexpr std::size_t shown = 5;
    std::vector<std::string> inside;
    std::size_t count = 0;
    for (const auto& facts : model::all_kinds()) {
        if (facts.fleet_wide || facts.kind == Kind::event) continue;
        for (const auto& each : store_.list(facts.kind, object.key.name)) {
            if (inside.size() < shown) inside.push_back(each->key.text());
            ++count;
        }
    }
    if (count == 0) return {};
    std::string list = fmt::format("{}", fmt::join(inside, ", "));
    if (count > shown) list += fmt::format(" and {} more", count - shown);
    return refuse(Code::conflict, fmt::format("project {} is not empty: delete what is in it first: {}", object.key.name, list));
}

void Gate::remove(const trust::Identity& who, const Key& key, Preconditions preconditions, WriteOptions options, Answer answer) {
    auto refused = [&](Refusal refusal) { answer_soon(std::move(answer), std::unexpected(std::move(refusal))); };
    store::ObjectPtr before = store_.get(key);
    if (!before) {
        auto empty = model::new_message(key.kind);
        model::metadata(*empty).set_name(key.name);
        model::metadata(*empty).set_namespace_(key.project);
        auto allowed = may_write(who, trust::Verb::remove, key.kind, *empty);
        // Whoever made it, only people can say that it is not wanted.
        bool may_let_go =
            who.role == trust::Role::user && trust::may(who, trust::Verb::remove, target_of(key.kind, *empty)).has_value();
        if (may_let_go && store_.missing().contains(key) && !options.dry_run) { // its row is damaged, and goes now
            store::Transaction transaction;
            transaction.erase(key, store::Transaction::anything());
            return store_.commit(std::move(transaction), [key, answer = std::move(answer)](Result<store::Number> gone) {
                if (!gone) return answer(refuse(std::move(gone).error()));
                answer(refuse(Code::not_found,
                              fmt::format("{} was lost from this cell's disk; what was left of it is removed", key.text())));
            });
        }
        return refused(allowed ? Refusal{{Code::not_found, fmt::format("{} does not exist", key.text())}, {}} : allowed.error());
    }
    if (auto allowed = may_write(who, trust::Verb::remove, key.kind, before->message()); !allowed) {
        // What a cell that is gone for good left behind can only be removed by people.
        bool abandoned = who.role == trust::Role::user && before->home != store_.cell() && !exists_(before->home) &&
                         trust::may(who, trust::Verb::remove, target_of(key.kind, before->message()));
        if (!abandoned) return refused(allowed.error());
    }
    if (auto holds = still(*before, preconditions.uid.value_or(""), preconditions.resource_version.value_or("")); !holds)
        return refused(holds.error());
    if (auto free = may_vanish(*before); !free) return refused(free.error());
    if (auto decides = decides_still(key.kind); !decides) return refused(decides.error());
    if (key.kind == Kind::app && before->home == store_.cell() && in_passage(store_, *before))
        return refused(
            {{Code::conflict, fmt::format("{} is being handed over by site {}; delete it when that is done "
                                          "(skerry get site {} -o yaml shows condition Leaving)",
                                          key.text(), only_site_of(before->message()), only_site_of(before->message()))},
             {}});
    Admitted admitted{.object = before, .change = Admitted::Change::deleted, .warnings = farewell(key)};
    if (options.dry_run) return answer_soon(std::move(answer), std::move(admitted));
    store::Transaction transaction;
    transaction.erase(key, {.number = {}, .uid = before->uid});
    commit(std::move(transaction), before, std::move(admitted), Code::conflict, std::move(answer));
}

Result<void> Gate::may_read(const trust::Identity& who, Kind kind, std::string_view project, std::string_view name) {
    if (!name.empty())
        if (auto object = store_.get(Key{kind, std::string(project), std::string(name)}))
            return trust::may(who, trust::Verb::get, target_of(kind, object->message()));
    trust::Target target{.kind = std::string(model::name(kind)), .project = std::string(project), .name = std::string(name)};
    return trust::may(who, name.empty() ? trust::Verb::list : trust::Verb::get, target);
}

} // namespace skerry::cell
