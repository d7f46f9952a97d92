#include "cell/links/children.h"

#include "base/log.h"
#include "cell/handover.h"
#include "cell/links/seats.h"
#include "model/allocation.pb.h"
#include "model/annotations.h"
#include "model/revision.pb.h"
#include "model/site.pb.h"
#include "model/uplink.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <utility>

namespace skerry::cell {

namespace {

Duration patience(Duration beat) { return 3 * beat + 2s; }

Duration usual_lease(Duration beat) { return 5 * beat + 10s; }

constexpr Duration node_beat = 1s;

} // namespace

Duration beat_of_site(const google::protobuf::Message& message) {
    const auto& spec = static_cast<const model::Site&>(message).spec();
    if (spec.uplinks().empty()) return 15s;
    return model::beat_of(spec.uplinks(0));
}

Duration lease_of_site(const google::protobuf::Message& message) {
    const auto& spec = static_cast<const model::Site&>(message).spec();
    if (!spec.uplinks().empty() && spec.uplinks(0).has_lease())
        if (auto lease = parse_duration(spec.uplinks(0).lease()); lease && *lease >= sync::least_lease) return *lease;
    return usual_lease(beat_of_site(message));
}

bool needs_lease(const model::Revision& revision, const std::string& component) {
    return std::ranges::any_of(revision.spec().components(), [&](const auto& closed) {
        return closed.component().name() == component && closed.component().partition().policy() == "atMostOnce";
    });
}

Children::Children(LinkContext context, OwnLease& own, Slots::Limits limits, std::function<void()> touched)
    : context_(std::move(context)), lessor_(context_.env, context_.store, own), doubles_(context_.store),
      arrivals_(context_.env.timers, [this](std::unique_ptr<env::Wire> wire, const sync::Hello& hello,
                                            std::string message) { met(std::move(wire), hello, std::move(message)); }),
      touched_(std::move(touched)), slots_(limits) {
    if (Duration unnoted = unnoted_lease(); unnoted > Duration{0}) lessor_.suppose(unnoted);
}
Children::~Children() = default;

Duration Children::beat_of(const std::string& tag) const {
    if (!tag.starts_with("site/")) return node_beat;
    const auto* site = context_.store.get<model::Site>({model::Kind::site, "", tag.substr(5)});
    return site ? beat_of_site(*site) : 15s;
}

Duration Children::lease_of(const std::string& tag) const {
    if (!tag.starts_with("site/")) return usual_lease(node_beat);
    const auto* site = context_.store.get<model::Site>({model::Kind::site, "", tag.substr(5)});
    return site ? lease_of_site(*site) : usual_lease(15s);
}

void Children::accept(std::unique_ptr<env::Wire> wire) {
    const env::Peer& peer = wire->peer();
    std::string tag = peer_tag(peer.role, peer.name);
    if (!peer.cell || peer.role == env::Peer::Role::core) {
        log(Level::warning, "cell", "refused a wire of {}: only sites and nodes with a cell of their own are children", tag);
        return;
    }
    arrivals_.add(std::move(wire));
}

void Children::met(std::unique_ptr<env::Wire> wire, const sync::Hello& hello, std::string message) {
    const env::Peer& peer = wire->peer();
    std::string tag = peer_tag(peer.role, peer.name);
    if (auto may = may_speak(context_.store, peer); !may) return arrivals_.refuse(std::move(wire), may.error().message);
    if (slots_.is_full()) {
        Duration later = slots_.come_back(context_.env.chance.fraction());
        log(Level::info, "cell", "{} is to come back in {}: {} are catching up", tag, text(later), slots_.waiting());
        return arrivals_.refuse(std::move(wire), "too many return at once: come back in " + text(later), later);
    }
    bool known = doubles_.trouble(tag, context_.env.clock.now()).has_value();
    auto verdict = doubles_.judge(tag, peer.cell, hello.incarnation, context_.env.clock.now());
    if (verdict != Doubles::Verdict::serve && !known) touched_();
    if (verdict == Doubles::Verdict::refuse) return arrivals_.refuse(std::move(wire), Doubles::reason(tag));
    Child& child = children_[tag];
    if (verdict == Doubles::Verdict::expel && child.link) child.link->end(Doubles::reason(tag));
    child.incarnation = hello.incarnation;
    Link& link = link_to(peer);
    link.drop_orphans(drops_orphans(tag));
    link.attach(std::move(wire), std::move(message));
}

Link& Children::link_to(const env::Peer& peer) {
    std::string tag = peer_tag(peer.role, peer.name);
    Child& child = children_[tag];
    if (child.link && child.link->peer().cell == peer.cell) return *child.link;
    if (child.link) child.link->end("another cell joined under the same name");
    child.link.reset();
    child.link = std::make_unique<Link>(context_, sync::Side::parent, peer, tag, beat_of(tag),
                                        [this, tag](bool up, const std::string& why) { turned(tag, up, why); });
    child.link->on_keep_out([this, tag] {
        // One that was let go of may still hear what it had sent to the store.
        if (children_[tag].link) keeping_out_.insert(tag);
    });
    child.link->set_turn([this, tag](bool wants) { return turn(tag, wants); });
    child.link->set_lease_lane([this, tag, again = child.link->again()](sync::Session& session) {
        if (session.lease_question()) lessor_.look(tag, lease_of(tag), session, again);
    });
    return *child.link;
}

bool Children::turn(const std::string& tag, bool wants) {
    bool may = wants && slots_.ask(tag, context_.env.clock.now());
    if (!wants) slots_.release(tag);
    // We are inside a call of a link.
    if (slots_.waiting() > 0 && !wants && !std::exchange(turns_posted_, true))
        context_.env.timers.post([this, alive = std::weak_ptr(alive_)] {
            if (!alive.expired()) give_turns();
        });
    if (slots_.waiting() > 0 && !turns_timer_) turns_timer_ = context_.env.timers.after(1s, [this] { give_turns(); });
    return may;
}

void Children::give_turns() {
    turns_posted_ = false;
    turns_timer_.reset();
    for (const std::string& tag : slots_.next(context_.env.clock.now())) look(tag);
    if (slots_.waiting() > 0 && !turns_timer_) turns_timer_ = context_.env.timers.after(1s, [this] { give_turns(); });
}

void Children::dismiss(env::Peer::Role role, const std::string& name, const std::string& why) {
    std::string tag = peer_tag(role, name);
    auto at = children_.find(tag);
    if (at == children_.end() || !at->second.link) return;
    at->second.link->end(why);
    if (!may_speak(context_.store, at->second.link->peer())) let_go(tag, at->second);
}

/// Rule H6: the cell that was here speaks for this name no more. Its lease, where it has one, is counted on by the name.
void Children::let_go(const std::string& tag, Child& child) {
    keeping_out_.erase(tag);
    child.in_touch = false;
    child.timer.reset();
    // We may be inside a call of it.
    context_.env.timers.post([link = std::shared_ptr<Link>(std::move(child.link))] {});
    child.link = nullptr;
    touched_();
}

void Children::refresh(const std::string& tag, const store::Key& key, const store::Object* before) {
    auto at = children_.find(tag);
    if (at != children_.end() && at->second.link) at->second.link->refresh(key, before);
}

void Children::look(const std::string& tag) {
    auto at = children_.find(tag);
    if (at != children_.end() && at->second.link) at->second.link->look();
}

void Children::changed(const store::Change& change) {
    if (!change.before || !change.after)
        std::erase_if(keeping_out_, [&](const std::string& tag) {
            auto kept = children_.find(tag);
            if (kept == children_.end() || !kept->second.link) return true;
            Link& link = *kept->second.link;
            link.reconsider(change.key);
            return !link.keeps_out();
        });
    // What a site hands over is taken in by what is known of its Apps (rule H6).
    if (change.key.kind == model::Kind::app && change.changed(store::Part::wish))
        for (const std::string& tag : std::set(keeping_out_))
            if (auto at = children_.find(tag); at != children_.end() && at->second.link)
                if (is_leaving(context_.store, at->second.link->peer().name)) at->second.link->reconsider_all();
    bool is_site = change.key.kind == model::Kind::site;
    if ((!is_site && change.key.kind != model::Kind::node) || !change.changed(store::Part::wish)) return;
    auto role = is_site ? env::Peer::Role::site : env::Peer::Role::node;
    std::string tag = peer_tag(role, change.key.name);
    if (change.before && (!change.after || change.after->uid != change.before->uid))
        if (auto child = children_.find(tag); child != children_.end() && child->second.link)
            if (auto may = may_speak(context_.store, child->second.link->peer()); !may)
                return dismiss(role, change.key.name, may.error().message);
    if (!is_site) return;
    auto at = children_.find(tag);
    if (at == children_.end() || !at->second.link) return;
    at->second.link->set_beat(beat_of(tag));
    at->second.link->drop_orphans(drops_orphans(tag));
    if (at->second.link->keeps_out()) at->second.link->reconsider_all();
}

bool Children::drops_orphans(const std::string& tag) const {
    if (!tag.starts_with("site/")) return false;
    const auto* site = context_.store.get<model::Site>({model::Kind::site, "", tag.substr(5)});
    if (!site) return false;
    auto note = site->metadata().annotations().find(std::string(model::orphans_annotation));
    return note != site->metadata().annotations().end() && note->second == "drop";
}

/// Of all that is allocated and needs a lease: what those who have it would get.
Duration Children::unnoted_lease() const {
    const store::Store& store = context_.store;
    Duration longest{};
    for (const auto& object : store.list(model::Kind::allocation)) {
        const auto& spec = store::as<model::Allocation>(*object).spec();
        const auto* revision = store.get<model::Revision>({model::Kind::revision, object->key.project, spec.revision()});
        if (!revision || !needs_lease(*revision, spec.component())) continue;
        const auto* site = store.get<model::Site>({model::Kind::site, "", spec.site()});
        bool is_child = site && !site->status().cell().empty() && site->status().cell() != store.cell().text();
        longest = std::max(longest, is_child ? lease_of_site(*site) : usual_lease(node_beat));
    }
    return std::min(longest, sync::longest_lease);
}

Duration Children::longest_lease() const {
    Duration longest = lessor_.longest();
    auto needs = [](const store::ObjectPtr& object) {
        const auto& revision = store::as<model::Revision>(*object);
        return std::ranges::any_of(revision.spec().components(),
                                   [&](const auto& closed) { return needs_lease(revision, closed.component().name()); });
    };
    // A lease that was granted after the backup was made has no note in it.
    if (longest == Duration{0} && std::ranges::none_of(context_.store.list(model::Kind::revision), needs)) return longest;
    for (const auto& object : context_.store.list(model::Kind::site))
        longest = std::max(longest, std::min(lease_of_site(object->message()), sync::longest_lease));
    return longest;
}

bool Children::is_recalling() const {
    return std::ranges::any_of(children_, [](const auto& child) {
        return child.second.link && child.second.link->has_wire() && child.second.link->view().recalling;
    });
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

PeerView Children::view_of(const std::string& tag, const Child& child) const {
    PeerView view = child.link->peer_view();
    view.in_touch = child.in_touch;
    view.lease_over = lessor_.over(tag);
    view.holds_lease = lessor_.is_holder(tag, child.incarnation);
    view.doubled = doubles_.trouble(tag, context_.env.clock.now()).value_or("");
    return view;
}

/// Of a child that has not called since the start, and may hold a lease of before (rule F4).
PeerView Children::absent(const std::string& tag) const {
    bool site = tag.starts_with("site/");
    return {
        .peer = {.role = site ? env::Peer::Role::site : env::Peer::Role::node, .name = tag.substr(tag.find('/') + 1), .cell = {}},
        .lease_over = lessor_.over(tag),
        .trouble = "it has not called since this cell started"};
}

std::vector<PeerView> Children::views() const {
    std::vector<PeerView> views;
    for (const auto& [tag, child] : children_)
        if (child.link) views.push_back(view_of(tag, child));
    for (const std::string& tag : lessor_.holders()) {
        auto at = children_.find(tag);
        if (at == children_.end() || !at->second.link) views.push_back(absent(tag));
    }
    return views;
}

std::optional<PeerView> Children::view(std::string_view name, std::optional<env::Peer::Role> role) const {
    for (env::Peer::Role each : {env::Peer::Role::site, env::Peer::Role::node}) {
        if (role && *role != each) continue;
        std::string tag = peer_tag(each, name);
        auto at = children_.find(tag);
        if (at != children_.end() && at->second.link) return view_of(tag, at->second);
        if (lessor_.over(tag)) return absent(tag);
    }
    return {};
}

} // namespace skerry::cell
