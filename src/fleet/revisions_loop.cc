#include "fleet/revisions_loop.h"

#include "cell/handover.h"
#include "cell/missing.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/instance.pb.h"
#include "model/places/overriding.h"
#include "model/places/pinned.h"
#include "model/revision.pb.h"
#include "model/secret.pb.h"
#include "plan/app.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace skerry::fleet {

using model::Kind;
using store::Key;

bool RevisionsLoop::wakes(const store::Change& change) const {
    switch (change.key.kind) {
    case Kind::app:
    case Kind::project:
    case Kind::image:
    case Kind::revision:
    case Kind::allocation:
        return change.changed(store::Part::wish);
    case Kind::secret:
    case Kind::config:
        return change.changed(store::Part::wish) && reads_.concern(change.key);
    case Kind::instance:
        return change.before && change.changed(store::Part::wish); // it may leave a Revision behind that nobody is on any more
    default:
        return false;
    }
}

void RevisionsLoop::turn() {
    if (!rest_.is_over()) return;
    bool at_site = cell_.self().role == env::Peer::Role::site;
    if (at_site && cell::is_leaving(cell_.store(), cell_.self().name)) return; // it hands over all of that (rule H6)
    if (!writing_.begin()) return;
    std::set<Key> wanted;
    reads_.begin();
    auto revisions = revisions_by_app(cell_.store());
    for (const auto& app : cell_.store().list(Kind::app))
        if (app->home == cell_.store().cell() && !cell::in_passage(cell_.store(), *app))
            make_revision(*app, revisions[{app->key.project, app->key.name}], wanted);
    let_go_of_missing();
    auto gone = erase_revisions();
    std::size_t count = cell_.store().count(Kind::revision);
    // A copy is left over when its Revision went, or was never made of it.
    if (!gone.empty() || !wanted.empty() || has_wanted_ || count != count_) erase_pins(gone, wanted);
    has_wanted_ = !wanted.empty();
    if (!cell::lacks_wishes(cell_.store())) count_ = count; // else nothing was erased
    writing_.end([this](const Result<void>& done) {
        if (!done) count_.reset();
    });
}

void RevisionsLoop::make_revision(const store::Object& object, const RevisionList& revisions, std::set<Key>& wanted) {
    const auto& app = store::as<model::App>(object);
    auto plan = plan::plan_app(app, revisions.messages, reads_.world(cell_.store(), object.key.project));
    if (!plan.revision_bytes) return;
    model::Revision revision;
    revision.ParseFromString(*plan.revision_bytes);
    // What it pins is durable before it: the next turn makes the Revision itself.
    if (!make_pins(object, revision, wanted)) return;
    writing_.create(Kind::revision, revision);
    cell_.events().record(object, cell::Tone::normal, "RevisionMade",
                          "revision " + revision.metadata().name() + " is made and rolls out");
}

bool RevisionsLoop::make_pins(const store::Object& app, const model::Revision& revision, std::set<Key>& wanted) {
    bool all = true;
    auto label = [](model::Meta& meta, const std::string& name, const std::string& project) {
        meta.set_name(name);
        meta.set_namespace_(project);
        (*meta.mutable_labels())[std::string(model::pinned_label)] = "true";
    };
    const std::string& project = app.key.project;
    for (const auto& pin : revision.spec().pins()) {
        Kind kind = pin.kind() == "Secret" ? Kind::secret : Kind::config;
        bool first = wanted.insert(Key{kind, project, pin.copy()}).second;
        reads_.add(Key{kind, project, pin.copy()});
        if (cell_.store().get(Key{kind, project, pin.copy()})) continue;
        all = false;
        if (!first) continue; // another app's revision makes it in this very turn
        if (kind == Kind::secret) {
            const auto* source = cell_.store().get<model::Secret>(Key{kind, project, pin.name()});
            model::Secret copy;
            label(*copy.mutable_metadata(), pin.copy(), project);
            *copy.mutable_data() = source->data();
            if (source->has_type()) copy.set_type(source->type());
            writing_.create(kind, copy);
        } else {
            const auto* source = cell_.store().get<model::Config>(Key{kind, project, pin.name()});
            model::Config copy;
            label(*copy.mutable_metadata(), pin.copy(), project);
            *copy.mutable_data() = source->data();
            writing_.create(kind, copy);
        }
    }
    return all;
}

/// Old ones, and those of apps that are gone, once no Allocation refers to them and no Instance is on them. Returns what
/// goes.
std::set<Key> RevisionsLoop::erase_revisions() {
    auto& store = cell_.store();
    std::set<Key> used;
    for (const auto& allocation : store.list(Kind::allocation))
        if (allocation->home == store.cell())
            used.insert(
                Key{Kind::revision, allocation->key.project, store::as<model::Allocation>(*allocation).spec().revision()});
    for (const auto& instance : store.list(Kind::instance)) {
        const std::string& name = store::as<model::Instance>(*instance).spec().revision();
        used.insert(Key{Kind::revision, instance->key.project, std::string(model::original_of(name))});
        used.insert(Key{Kind::revision, instance->key.project, name});
    }
    std::map<std::pair<std::string, std::string>, std::vector<store::ObjectPtr>> by_app;
    for (auto& object : store.list(Kind::revision))
        if (object->home == store.cell() && !model::is_effective(store::as<model::Revision>(*object)))
            by_app[{object->key.project, store::as<model::Revision>(*object).spec().app()}].push_back(object);
    std::set<Key> gone;
    for (auto& [name, revisions] : by_app) {
        auto app = store.get(Key{Kind::app, name.first, name.second});
        auto order = [](const store::ObjectPtr& object) {
            const auto& revision = store::as<model::Revision>(*object);
            return std::pair(revision.spec().app_generation(), plan::revision_ordinal(revision));
        };
        std::sort(revisions.begin(), revisions.end(), [&](const auto& a, const auto& b) { return order(a) > order(b); });
        std::size_t newer = 0;
        for (const auto& object : revisions) {
            bool of_app = app && store::as<model::Revision>(*object).spec().app_uid() == app->uid.text();
            if ((of_app && newer++ < kept) || used.contains(object->key)) continue;
            writing_.erase(*object);
            gone.insert(object->key);
        }
    }
    return gone;
}

/// Revisions whose rows are damaged (rule S5) and that nothing refers to, nor can refer to.
void RevisionsLoop::let_go_of_missing() {
    auto& store = cell_.store();
    std::set<Key> lost;
    for (const Key& key : store.missing()) {
        if (key.kind == Kind::revision)
            lost.insert(key);
        else if (key.kind == Kind::app || key.kind == Kind::allocation || key.kind == Kind::instance)
            return;
    }
    for (const auto& object : store.list(Kind::allocation))
        lost.erase({Kind::revision, object->key.project, store::as<model::Allocation>(*object).spec().revision()});
    for (const auto& object : store.list(Kind::instance))
        lost.erase({Kind::revision, object->key.project, store::as<model::Instance>(*object).spec().revision()});
    store::Transaction transaction;
    for (const Key& key : lost)
        if (transaction.fits(0)) transaction.erase(key, store::Transaction::anything());
    if (!transaction.empty()) store.commit(std::move(transaction), nullptr);
}

void RevisionsLoop::erase_pins(const std::set<Key>& gone, const std::set<Key>& wanted) {
    auto& store = cell_.store();
    std::set<Key> used = wanted;
    for (const auto& object : store.list(Kind::revision)) {
        if (gone.contains(object->key)) continue;
        for (const auto& pin : store::as<model::Revision>(*object).spec().pins())
            used.insert(Key{pin.kind() == "Secret" ? Kind::secret : Kind::config, object->key.project, pin.copy()});
    }
    auto sweep = [&](const store::ObjectPtr& object, const auto& labels) {
        auto label = labels.find(std::string(model::pinned_label));
        if (label == labels.end() || label->second != "true" || object->home != store.cell()) return;
        std::string site = cell::only_site_of(object->message());
        if (cell::is_leaving(store, site) && !cell::has_handed_over(store, site)) return; // its Revision is on its way (rule H6)
        if (!used.contains(object->key)) writing_.erase(*object);
    };
    for (const auto& object : store.list(Kind::secret)) sweep(object, store::as<model::Secret>(*object).metadata().labels());
    for (const auto& object : store.list(Kind::config)) sweep(object, store::as<model::Config>(*object).metadata().labels());
}

} // namespace skerry::fleet
