#include "link/trunk.h"

namespace skerry::link {

// A wire tells that it drained only when it had reached its mark; a Mux that stopped below that would wait for ever.
static_assert(Mux::hold_back >= env::Wire::high_mark);

Trunk::Trunk(std::unique_ptr<env::Wire> wire, MuxOptions options, std::function<void(std::shared_ptr<Stream>)> on_open,
             std::function<void(std::string)> closed, std::function<void(const Target&, bool sent, std::size_t bytes)> counted)
    : wire_(std::move(wire)), closed_(std::move(closed)) {
    mux_ = std::make_unique<Mux>(options, Mux::Output{.send = [this](std::string message) { wire_->send(std::move(message)); },
                                                      .unsent = [this] { return wire_->unsent(); },
                                                      .counted = std::move(counted)});
    mux_->on_open(std::move(on_open));
    mux_->on_broken([this](std::string why) { broken_ = std::move(why); });
    wire_->listen(*this);
}

Trunk::~Trunk() = default;

void Trunk::arrived(std::string message) {
    mux_->arrived(message);
    if (broken_.empty()) return;
    wire_.reset();
    if (auto call = std::exchange(closed_, nullptr)) call(std::exchange(broken_, {}));
}

void Trunk::closed(std::string why) {
    mux_->down(why);
    if (auto call = std::exchange(closed_, nullptr)) call(std::move(why));
}

void Trunk::drained() { mux_->drained(); }

} // namespace skerry::link
