#include "cell/children.h"

#include "base/log.h"
#include "model/conditions.h"
#include "model/meta.pb.h"
#include "model/site.pb.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>

#include <utility>

namespace skerry::cell {

namespace {

Duration patience(Duration beat) { return 3 * beat + 2s; }

/// Sets condition InTouch in the part `seen`, keeping what else is there; empty where nothing changes.
std::optional<std::string> with_touch(const store::Object& object, std::string_view status, std::string_view reason,
                                      const std::string& message, const std::string& now, bool heard) {
    model::Site seen;
    if (object.seen.bytes) seen.ParseFromString(*object.seen.bytes);
    auto& conditions = *seen.mutable_status()->mutable_conditions();
    if (!model::set_condition(conditions, "InTouch", status, reason, message, now)) return {};
    if (heard) seen.mutable_status()->set_last_heard(now);
    return seen.SerializeAsString();
}

} // namespace

Duration beat_of_site(const google::protobuf::Message& message) {
    const auto& spec = static_cast<const model::Site&>(message).spec();
    if (spec.uplinks().empty()) return 15s;
    const auto& uplink = spec.uplinks(0);
    if (uplink.has_beat())
        if (auto beat = parse_duration(uplink.beat()); beat && *beat >= 100ms) return *beat;
    if (uplink.profile() == "dsl") return 15s;
    if (uplink.profile() == "cellular") return 60s;
    if (uplink.profile() == "satellite") return 300s;
    return 1s;
}

Children::Children(LinkContext context) : context_(std::move(context)) {}
Children::~Children() = default;

std::optional<store::Key> Children::object_of(const std::string& tag) const {
    if (tag.starts_with("site/")) return store::Key{model::Kind::site, "", tag.substr(5)};
    if (tag.starts_with("node/")) return store::Key{model::Kind::node, "", tag.substr(5)};
    return {};
}

Duration Children::beat_of(const std::string& tag) const {
    auto key = object_of(tag);
    if (!key || key->kind != model::Kind::site) return 1s;
    const auto* site = context_.store.get<model::Site>(*key);
    return site ? beat_of_site(*site) : 15s;
}

void Children::start() {
    since_ = context_.env.clock.now();
    for (model::Kind kind : {model::Kind::site, model::Kind::node})
        for (const store::ObjectPtr& object : context_.store.list(kind))
            changed({object->key, nullptr, object, object->number()});
}

void Children::accept(std::unique_ptr<env::Wire> wire) {
    const env::Peer& peer = wire->peer();
    std::string tag = peer_tag(peer.role, peer.name);
    if (!peer.cell || peer.role == env::Peer::Role::core) {
        log(Level::warning, "cell", "refused a wire of {}: only sites and nodes with a cell of their own are children", tag);
        return;
    }
    Child& child = children_[tag];
    if (!child.link || child.link->peer().cell != peer.cell) {
        if (child.link) child.link->end("another cell joined under the same name");
        child.link.reset();
        child.link = std::make_unique<Link>(context_, sync::Side::parent, peer, tag, beat_of(tag),
                                            [this, tag](bool up, const std::string& why) { turned(tag, up, why); });
    }
    child.link->attach(std::move(wire));
}

void Children::refresh(const std::string& tag, const store::Key& key, const store::Object* before) {
    auto at = children_.find(tag);
    if (at != children_.end() && at->second.link) at->second.link->refresh(key, before);
}

void Children::changed(const store::Change& change) {
    if (!change.before || !change.after)
        for (auto& [tag, child] : children_)
            if (child.link) child.link->reconsider(change.key);
    if (change.key.kind != model::Kind::site && change.key.kind != model::Kind::node) return;
    auto role = change.key.kind == model::Kind::site ? env::Peer::Role::site : env::Peer::Role::node;
    std::string tag = peer_tag(role, change.key.name);
    if (!context_.closure.parts(tag, change.key).wish || change.key.name.empty()) return;
    if (change.key.name == context_.self.name) { // this very cell's own
        if (!change.before) write_seen(tag, Touch::in, "Here", "");
        return;
    }
    if (auto at = children_.find(tag); at != children_.end() && at->second.link && change.changed(store::Part::wish))
        at->second.link->set_beat(beat_of(tag));
    if (change.before || !change.after) return;
    Child& child = children_[tag];
    if (child.touch == Touch::in) return write_seen(tag, Touch::in, "InTouch", "");
    if (change.after->found.bytes && !change.after->found.bytes->empty()) {
        write_seen(tag, Touch::unknown, "Restarted", "this cell restarted; waiting for the first call");
        wait(tag, context_.env.clock.now(), "no call since this cell restarted");
    } else {
        write_seen(tag, Touch::unknown, "NotJoined",
                   "it never called; make a token for it: skerry token create --site " + change.key.name);
    }
}

void Children::turned(const std::string& tag, bool up, const std::string& why) {
    Child& child = children_[tag];
    if (up) {
        child.timer.reset();
        log(Level::info, "cell", "{} is in touch", tag);
        if (child.touch == Touch::in) return;
        child.touch = Touch::in;
        return write_seen(tag, Touch::in, "InTouch", "");
    }
    log(Level::info, "cell", "{} is gone: {}", tag, why);
    if (child.touch == Touch::away) return;
    auto heard = child.link->view().heard;
    wait(tag, heard.value_or(context_.env.clock.now()), why);
}

void Children::wait(const std::string& tag, Instant heard, std::string why) {
    Instant now = context_.env.clock.now();
    Duration left = std::max(Duration{0}, heard + patience(beat_of(tag)) - now);
    children_[tag].timer = context_.env.timers.after(left, [this, tag, why = std::move(why)] {
        Child& child = children_[tag];
        child.touch = Touch::away;
        write_seen(tag, Touch::away, "Away", fmt::format("{}; what it was told to run it keeps running", why));
    });
}

void Children::write_seen(const std::string& tag, Touch touch, std::string_view reason, const std::string& message) {
    auto key = object_of(tag);
    store::ObjectPtr object = key && key->kind == model::Kind::site ? context_.store.get(*key) : nullptr;
    if (!object) return;
    std::string_view status = touch == Touch::in ? "True" : touch == Touch::away ? "False" : "Unknown";
    std::string now = rfc3339(context_.env.clock.wall());
    auto bytes = with_touch(*object, status, reason, message, now, touch == Touch::in);
    if (!bytes) return;
    auto done = context_.store.report(*key, object->uid, store::Part::seen, std::move(*bytes));
    if (!done) log(Level::warning, "cell", "{}: {}", tag, done.error().message);
}

PeerView Children::view_of(const Child& child) const {
    PeerView view = child.link->peer_view();
    view.in_touch = child.touch == Touch::in;
    return view;
}

std::vector<PeerView> Children::views() const {
    std::vector<PeerView> views;
    for (const auto& [tag, child] : children_)
        if (child.link) views.push_back(view_of(child));
    return views;
}

std::optional<PeerView> Children::view(std::string_view name, std::optional<env::Peer::Role> role) const {
    for (env::Peer::Role each : {env::Peer::Role::site, env::Peer::Role::node}) {
        if (role && *role != each) continue;
        auto at = children_.find(peer_tag(each, name));
        if (at != children_.end() && at->second.link) return view_of(at->second);
    }
    return {};
}

} // namespace skerry::cell
