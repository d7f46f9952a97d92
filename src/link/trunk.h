#pragma once

#include "env/env.h"
#include "link/mux.h"

#include <functional>
#include <memory>
#include <string>

namespace skerry::link {

/// A Mux on a bulk wire that it owns.
class Trunk final : private env::Wire::Listener {
public:
    /// `closed` is called once, when the wire went down or the peer broke the protocol; the Trunk may be destroyed in it.
    Trunk(std::unique_ptr<env::Wire> wire, MuxOptions options, std::function<void(std::shared_ptr<Stream>)> on_open,
          std::function<void(std::string why)> closed,
          std::function<void(const Target&, bool sent, std::size_t bytes)> counted = {});
    ~Trunk() override;

    Mux& mux() { return *mux_; }
    const env::Peer& peer() const { return wire_->peer(); }
    env::Wire::Traffic traffic() const { return wire_->traffic(); }

private:
    void arrived(std::string message) override;
    void closed(std::string why) override;
    void drained() override;

    std::unique_ptr<env::Wire> wire_;
    std::unique_ptr<Mux> mux_;
    std::function<void(std::string)> closed_;
    std::string broken_; // by the peer, within the frame just taken
};

} // namespace skerry::link
