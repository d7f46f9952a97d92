#include "cell/links/parent.h"

#include "base/log.h"

#include <algorithm>
#include <utility>

namespace skerry::cell {

namespace {

/// A connection of this age was a good one.
constexpr Duration settled = 30s;
constexpr unsigned most_doublings = 16;

} // namespace

Parent::Parent(LinkContext context, Dialing dialing, OwnLease& lease, std::function<void()> told)
    : context_(std::move(context)), dialing_(std::move(dialing)), lease_(lease), told_(std::move(told)) {}
Parent::~Parent() = default;

void Parent::start() {
    if (!dialing_.addresses.empty()) dial();
}

void Parent::dial() {
    timer_.reset();
    const std::string& address = dialing_.addresses[next_++ % dialing_.addresses.size()];
    attempt_ = context_.env.dialer.dial(address, env::Channel::control, [this, address](Result<std::unique_ptr<env::Wire>> wire) {
        dialled(std::move(wire) | during("dial " + address));
    });
}

void Parent::dialled(Result<std::unique_ptr<env::Wire>> wire) {
    if (!wire) {
        trouble_ = wire.error().message;
        log(Level::debug, "cell", "{}", trouble_);
        return dial_later();
    }
    env::Peer peer = (*wire)->peer();
    if (!peer.cell || peer.role == env::Peer::Role::node || peer.cell == context_.store.cell()) {
        trouble_ = "the cell at this address is no parent of this one";
        return dial_later();
    }
    Link& link = link_to(peer);
    up_since_ = context_.env.clock.now();
    link.attach(std::move(*wire));
}

Link& Parent::link_to(const env::Peer& peer) {
    if (link_ && link_->peer().cell != peer.cell) link_.reset();
    if (link_) return *link_;
    link_ = std::make_unique<Link>(context_, sync::Side::child, peer, std::string(parent_tag), 15s,
                                   [this](bool up, const std::string& why) { turned(up, why); });
    link_->set_lease_lane([this](sync::Session& session) {
        lease_.heard(session.lease(), session.lease_refused());
        session.holds_lease_until(lease_.view().until);
        if (names_taken_ == session.names_taken()) return;
        names_taken_ = session.names_taken();
        told_();
    });
    link_->want_lease(lease_.wanted());
    return *link_;
}

void Parent::turned(bool up, const std::string& why) {
    if (up) {
        log(Level::info, "cell", "in touch with parent {}", link_->peer().name);
        trouble_.clear();
        return;
    }
    trouble_ = why;
    log(Level::info, "cell", "out of touch with the parent: {}", why);
    // It knows better than our own back-off how long its others will keep it.
    if (Duration wait = link_->come_back(); wait > Duration{0}) {
        timer_ = context_.env.timers.after(wait, [this] { dial(); });
        return;
    }
    if (context_.env.clock.now() - up_since_ >= settled) failures_ = 0;
    dial_later();
}

void Parent::dial_later() {
    Duration limit = std::min(dialing_.most, dialing_.first * (std::int64_t{1} << std::min(failures_, most_doublings)));
    ++failures_;
    // Dialling is what a site without news can do about it; jitter keeps a thousand of them apart.
    timer_ = context_.env.timers.after(context_.env.chance.up_to(limit), [this] { dial(); });
}

void Parent::refresh(const store::Key& key, const store::Object* before) {
    if (link_) link_->refresh(key, before);
}

void Parent::changed(const store::Change& change) {
    if (link_ && (!change.before || !change.after)) link_->reconsider(change.key);
    // Agreement makes a connection a good one.
    if (link_ && failures_ > 0 && link_->has_wire() && link_->view().agreement) failures_ = 0;
}

void Parent::want_lease(bool wanted) {
    if (link_) link_->want_lease(wanted);
}

std::optional<PeerView> Parent::view() const {
    if (dialing_.addresses.empty()) return {};
    if (!link_) return PeerView{.peer = {}, .trouble = trouble_};
    PeerView view = link_->peer_view();
    if (!view.in_touch && view.trouble.empty()) view.trouble = trouble_;
    return view;
}

} // namespace skerry::cell
