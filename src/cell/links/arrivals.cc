#include "cell/links/arrivals.h"

#include "cell/slices/closure.h"

#include <algorithm>
#include <utility>

namespace skerry::cell {

namespace {
constexpr Duration hello_patience = 30s;
}

class Arrivals::Waiting final : public env::Wire::Listener {
public:
    Waiting(Arrivals& all, std::unique_ptr<env::Wire> wire) : all_(all), wire_(std::move(wire)) {
        timer_ = all_.timers_.after(hello_patience, [this] {
            if (wire_) all_.refuse(all_.leave(*this), "no hello within 30s");
        });
    }
    void listen() { wire_->listen(*this); }
    // Until its wire is gone, one that was refused is still told what happens there.
    void arrived(std::string message) override {
        if (wire_) all_.first(*this, std::move(message));
    }
    void closed(std::string) override {
        if (wire_) all_.drop(all_.leave(*this));
    }
    const env::Peer& peer() const { return wire_->peer(); }
    std::unique_ptr<env::Wire> take() { return std::move(wire_); }

private:
    Arrivals& all_;
    std::unique_ptr<env::Wire> wire_;
    std::unique_ptr<env::Timer> timer_;
};

Arrivals::Arrivals(env::Timers& timers, Met met) : timers_(timers), met_(std::move(met)) {}
Arrivals::~Arrivals() = default;

void Arrivals::add(std::unique_ptr<env::Wire> wire) {
    auto& same = waiting_[peer_tag(wire->peer().role, wire->peer().name)];
    auto waiting = std::make_unique<Waiting>(*this, std::move(wire));
    Waiting& newest = *waiting;
    same.push_back(std::move(waiting));
    if (same.size() > most) refuse(leave(*same.front()), "the same peer opened more connections");
    newest.listen(); // it may deliver, or close, at once
}

/// We may be inside a call of the wire, or of the one that waits.
std::unique_ptr<env::Wire> Arrivals::leave(Waiting& waiting) {
    auto same = waiting_.find(peer_tag(waiting.peer().role, waiting.peer().name));
    auto at = std::ranges::find_if(same->second, [&](const auto& each) { return each.get() == &waiting; });
    std::shared_ptr<Waiting> left = std::move(*at);
    same->second.erase(at);
    if (same->second.empty()) waiting_.erase(same);
    auto wire = left->take();
    // Behind the wire, which may be closed in between and has no other listener then.
    timers_.post([&timers = timers_, left] { timers.post([left] {}); });
    return wire;
}

void Arrivals::first(Waiting& waiting, std::string message) {
    auto frame = sync::decode(message);
    auto wire = leave(waiting);
    const auto* hello = frame ? std::get_if<sync::Hello>(&*frame) : nullptr;
    if (!frame) return refuse(std::move(wire), frame.error().message);
    if (!hello) return refuse(std::move(wire), "bad frame: another one before the hello");
    met_(std::move(wire), *hello, std::move(message));
}

void Arrivals::refuse(std::unique_ptr<env::Wire> wire, std::string why, Duration come_back) {
    wire->send(sync::encode(sync::Bye{std::move(why), static_cast<std::uint32_t>(come_back / 1ms)}));
    drop(std::move(wire));
}

void Arrivals::drop(std::unique_ptr<env::Wire> wire) {
    timers_.post([wire = std::shared_ptr<env::Wire>(std::move(wire))] {});
}

} // namespace skerry::cell
