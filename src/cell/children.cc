#include "cell/children.h"

#include "base/log.h"
#include "model/site.pb.h"

#include <google/protobuf/message.h>

#include <utility>

namespace skerry::cell {

namespace {

Duration patience(Duration beat) { return 3 * beat + 2s; }

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

Children::Children(LinkContext context, std::function<void()> touched)
    : context_(std::move(context)), touched_(std::move(touched)) {}
Children::~Children() = default;

Duration Children::beat_of(const std::string& tag) const {
    if (!tag.starts_with("site/")) return 1s;
    const auto* site = context_.store.get<model::Site>({model::Kind::site, "", tag.substr(5)});
    return site ? beat_of_site(*site) : 15s;
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
    if (change.key.kind != model::Kind::site || !change.changed(store::Part::wish)) return;
    std::string tag = peer_tag(env::Peer::Role::site, change.key.name);
    auto at = children_.find(tag);
    if (at != children_.end() && at->second.link) at->second.link->set_beat(beat_of(tag));
}

void Children::turned(const std::string& tag, bool up, const std::string& why) {
    Child& child = children_[tag];
    if (up) {
        child.timer.reset();
        log(Level::info, "cell", "{} is in touch", tag);
        if (!std::exchange(child.in_touch, true)) touched_();
        return;
    }
    log(Level::info, "cell", "{} is gone: {}", tag, why);
    if (!child.in_touch) return;
    Instant now = context_.env.clock.now();
    Duration left = std::max(Duration{0}, child.link->view().heard.value_or(now) + patience(beat_of(tag)) - now);
    child.timer = context_.env.timers.after(left, [this, tag] {
        children_[tag].in_touch = false;
        touched_();
    });
}

PeerView Children::view_of(const Child& child) const {
    PeerView view = child.link->peer_view();
    view.in_touch = child.in_touch;
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
