#include "fleet/handover_loop.h"

#include "base/log.h"
#include "cell/handover.h"
#include "cell/writing.h"
#include "fleet/app_world.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/bytes.h"
#include "model/conditions.h"
#include "model/meta.pb.h"
#include "model/parts.h"
#include "model/revision.pb.h"
#include "model/site.pb.h"
#include "plan/app.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <utility>

namespace skerry::fleet {

using model::Kind;
using store::Key;

namespace {

/// Note of this space, by site: the uid of the Site that leaves. Whoever edits here is refused since before it was written.
constexpr std::string_view leaving_space = "leaving";
constexpr Duration look_again = 2s;

bool may_run_once(const store::ObjectPtr& object) {
    return object->key.kind == Kind::revision &&
           std::ranges::any_of(store::as<model::Revision>(*object).spec().components(),
                               [](const auto& closed) { return closed.component().partition().policy() == "atMostOnce"; });
}

} // namespace

bool HandoverLoop::wakes(const store::Change& change) const {
    if (!change.changed(store::Part::wish)) return false;
    if (change.key.kind == Kind::site) return change.key.name == site_;
    return std::ranges::count(cell::handed_over, change.key.kind) > 0 && cell::is_leaving(cell_.store(), site_);
}

void HandoverLoop::turn() {
    auto& store = cell_.store();
    auto site = store.get({Kind::site, "", site_});
    if (!site || busy_ || cell_.recovery().active() || !cell::is_leaving(store, site_)) return;
    if (site->home == store.cell()) return;
    if (store.note(leaving_space, site_) != site->uid.text()) {
        // What was admitted before the wish came is durable before this note.
        store::Transaction transaction;
        transaction.note(leaving_space, site_, site->uid.text());
        return commit(std::move(transaction));
    }
    auto here = decided_here();
    std::size_t under_way = 0;
    for (Kind kind : cell::handed_over)
        for (const auto& object : store.list(kind)) under_way += cell::is_handed_over(*object, store.cell()) ? 1 : 0;
    report(*site, here.size(), under_way);
    // What may run only once needs the parent's lease from the moment on in which the parent decides about it (rule F1).
    bool needs_lease = std::ranges::any_of(here, may_run_once);
    cell_.leases().want(name(), needs_lease);
    if (here.empty() && under_way == 0) return timer_.reset();
    timer_ = cell_.env().timers.after(look_again, [this] { cell_.wake(name()); });
    auto parent = cell_.peers().parent();
    if (!parent || !parent->in_touch || parent->peer.cell != site->home) return;
    if (needs_lease && !cell_.leases().own().runs(cell_.env().clock.now())) return;
    if (!here.empty()) send(here, site->home);
}

void HandoverLoop::add_revision(std::set<Key>& keys, const Key& key) const {
    const auto* revision = cell_.store().get<model::Revision>(key);
    if (!revision) return;
    keys.insert(key);
    for (const auto& pin : revision->spec().pins())
        keys.insert({pin.kind() == "Secret" ? Kind::secret : Kind::config, key.project, pin.copy()});
}

std::vector<store::ObjectPtr> HandoverLoop::decided_here() const {
    auto& store = cell_.store();
    std::set<Key> keys;
    auto revisions = revisions_by_app(store);
    for (const auto& object : store.list(Kind::app)) {
        if (object->home != store.cell()) continue;
        const auto& app = store::as<model::App>(*object);
        const std::string& project = object->key.project;
        keys.insert(object->key);
        for (const auto& component : app.spec().components())
            for (const auto& variable : component.env()) {
                if (variable.from().has_secret()) keys.insert({Kind::secret, project, variable.from().secret()});
                if (variable.from().has_config()) keys.insert({Kind::config, project, variable.from().config()});
            }
        if (const auto* newest = plan::newest_revision(app, revisions[{project, object->key.name}].messages))
            add_revision(keys, {Kind::revision, project, newest->metadata().name()});
    }
    for (const auto& object : store.list(Kind::allocation)) {
        if (object->home != store.cell()) continue;
        keys.insert(object->key);
        add_revision(keys, {Kind::revision, object->key.project, store::as<model::Allocation>(*object).spec().revision()});
    }
    std::vector<store::ObjectPtr> objects;
    for (Kind kind : cell::handed_over)
        for (const Key& key : keys)
            if (auto object = key.kind == kind ? store.get(key) : nullptr; object && object->home == store.cell())
                objects.push_back(std::move(object));
    return objects;
}

void HandoverLoop::send(const std::vector<store::ObjectPtr>& objects, CellId to) {
    store::Transaction transaction;
    for (const auto& object : objects) {
        auto wish = model::new_message(object->key.kind);
        if (!wish->ParseFromString(*object->wish.bytes)) continue;
        auto& meta = model::metadata(*wish);
        meta.set_home(to.text());
        meta.set_generation(object->generation + 1);
        if (object->key.kind != Kind::revision && object->key.kind != Kind::allocation)
            (*meta.mutable_annotations())[std::string(model::only_site_annotation)] = site_;
        std::string bytes = model::bytes_of(*wish);
        if (!transaction.fits(bytes.size())) break;
        transaction.put(object->key, object->uid, to, object->generation + 1, std::move(bytes),
                        store::Transaction::unchanged(*object));
    }
    commit(std::move(transaction));
}

void HandoverLoop::commit(store::Transaction transaction) {
    busy_ = true;
    cell_.store().commit(std::move(transaction), [this, alive = std::weak_ptr(alive_)](Result<store::Number> done) {
        if (alive.expired()) return;
        busy_ = false;
        if (!done) log(Level::debug, "fleet", "loop handover: {}", done.error().message);
        if (done) return cell_.wake(name());
        timer_ = cell_.env().timers.after(look_again, [this] { cell_.wake(name()); });
    });
}

void HandoverLoop::report(const store::Object& object, std::size_t here, std::size_t under_way) {
    auto found = cell::part_of<model::Site>(object, store::Part::found);
    std::string message = "all that it decided is decided at the parent now; it can be revoked and deleted";
    if (here + under_way > 0) {
        message =
            fmt::format("it hands over what it decides: {} objects are still its own, {} are on their way", here, under_way);
        auto parent = cell_.peers().parent();
        if (!parent || !parent->in_touch)
            message += "; it waits for the parent, which is out of touch";
        else if (!parent->names_taken_there.empty())
            message += fmt::format("; the parent has others of these names, which have to be renamed or deleted there: {}",
                                   fmt::join(parent->names_taken_there, ", "));
    }
    model::set_condition(*found.mutable_status()->mutable_conditions(), "Leaving", "True",
                         here + under_way > 0 ? "HandingOver" : "HandedOver", message, rfc3339(cell_.env().clock.wall()));
    cell::report_part(cell_.store(), object, store::Part::found, found);
}

} // namespace skerry::fleet
