#include "main/tunnel.h"

#include "base/log.h"
#include "cell/slices/closure.h"

#include <algorithm>

namespace skerry::main {

namespace {
constexpr Duration longest_redial_wait = 30s;
}

Tunnel::Tunnel(env::Timers& timers, env::Chance& chance) : timers_(timers), chance_(chance) {}
Tunnel::~Tunnel() = default;

void Tunnel::serve(From from, std::string name, Serve serve) { serves_[{from, std::move(name)}] = std::move(serve); }

void Tunnel::opened(From from, const env::Peer& peer, std::shared_ptr<link::Stream> stream) {
    auto serve = serves_.find({from, stream->target().name});
    if (serve == serves_.end()) return stream->reset("this cell does not serve \"" + stream->target().name.substr(0, 40) + "\"");
    serve->second(peer, std::move(stream));
}

std::unique_ptr<link::Trunk> Tunnel::trunk(std::unique_ptr<env::Wire> wire, link::Side side, From from, const std::string& tag,
                                           std::function<void(std::string)> closed) {
    if (meters_) {
        // Handshakes, in some six segments each way.
        constexpr std::uint64_t headers = 6 * 52;
        auto greeting = wire->traffic();
        meters_->count(tag, sync::Flow::security, {greeting.sent + headers, greeting.received + headers});
    }
    env::Peer peer = wire->peer();
    return std::make_unique<link::Trunk>(
        std::move(wire), link::MuxOptions{.side = side},
        [this, from, peer](std::shared_ptr<link::Stream> stream) { opened(from, peer, std::move(stream)); }, std::move(closed),
        [this, tag](const link::Target& target, bool sent, std::size_t bytes) {
            if (!meters_) return;
            sync::Use use;
            if (sent)
                sync::count_sent(use, bytes);
            else
                sync::count_received(use, bytes);
            meters_->count(tag, target.name == "blob" ? sync::Flow::bulk : sync::Flow::tunnel, use);
        });
}

std::optional<std::uint64_t> Tunnel::parent_room() {
    return meters_ ? meters_->bulk_room(std::string(cell::parent_tag)) : std::nullopt;
}

std::optional<std::uint64_t> Tunnel::child_room(const env::Peer& peer) {
    return meters_ ? meters_->bulk_room(cell::peer_tag(peer.role, peer.name)) : std::nullopt;
}

void Tunnel::accept(std::unique_ptr<env::Wire> wire) {
    env::Peer peer = wire->peer();
    Child child(peer.role, peer.name);
    auto& trunk = children_[child];
    trunk.reset();
    trunk = this->trunk(std::move(wire), link::Side::acceptor, From::child, cell::peer_tag(peer.role, peer.name),
                        [this, child](std::string) {
                            // The trunk must not die within its own call.
                            auto gone = std::make_shared<std::unique_ptr<link::Trunk>>(std::move(children_[child]));
                            children_.erase(child);
                            timers_.post([gone] {});
                        });
}

void Tunnel::reach(env::Dialer& dialer, std::vector<std::string> addresses) {
    dialer_ = &dialer;
    addresses_ = std::move(addresses);
    dial();
}

void Tunnel::parent_returned() {
    if (!dialer_) return;
    back_off_ = 500ms;
    if (parent_) {
        parent_.reset();
        if (on_parent_) on_parent_(false);
    }
    waiting_.reset();
    dial();
}

void Tunnel::dial() {
    if (addresses_.empty()) return;
    const std::string& address = addresses_[next_address_++ % addresses_.size()];
    dialing_ = dialer_->dial(address, env::Channel::bulk, [this](Result<std::unique_ptr<env::Wire>> wire) {
        if (!wire) return retry();
        back_off_ = 500ms;
        parent_ =
            trunk(std::move(*wire), link::Side::dialler, From::parent, std::string(cell::parent_tag), [this](std::string why) {
                log(Level::debug, "tunnel", "the bulk wire to the parent is down: {}", why);
                auto gone = std::make_shared<std::unique_ptr<link::Trunk>>(std::move(parent_));
                timers_.post([gone] {});
                if (on_parent_) on_parent_(false);
                retry();
            });
        if (on_parent_) on_parent_(true);
    });
}

void Tunnel::dismiss(env::Peer::Role role, const std::string& name) {
    auto child = children_.find({role, name});
    if (child == children_.end()) return;
    // One of its streams may be calling.
    auto gone = std::make_shared<std::unique_ptr<link::Trunk>>(std::move(child->second));
    children_.erase(child);
    timers_.post([gone] {});
}

void Tunnel::retry() {
    waiting_ = timers_.after(100ms + chance_.up_to(back_off_), [this] { dial(); });
    back_off_ = std::min<Duration>(back_off_ * 2, longest_redial_wait);
}

Result<std::shared_ptr<link::Stream>> Tunnel::open_parent(link::Target target) {
    if (!parent_) return fail(Code::unavailable, "the parent is out of reach");
    return parent_->mux().open(std::move(target));
}

Result<std::shared_ptr<link::Stream>> Tunnel::open_child(env::Peer::Role role, const std::string& name, link::Target target) {
    auto child = children_.find({role, name});
    if (child == children_.end()) return fail(Code::unavailable, name + " is out of reach");
    return child->second->mux().open(std::move(target));
}

} // namespace skerry::main
