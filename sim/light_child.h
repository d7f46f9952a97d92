#pragma once

#include "sim/agenda.h"
#include "sim/network.h"
#include "sync/session.h"

#include <map>
#include <memory>
#include <optional>
#include <string>

namespace skerry::sim {

/// A site of which only the link is real: a sync session over a simulated wire, items in a map instead of a store, and no loops.
/// A hundred thousand of them fit where a hundred thousand whole cells would not; their parent cannot tell the difference.
class LightChild final : private env::Wire::Listener, private sync::Host {
public:
    LightChild(Agenda&, Network&, Cell, std::string name, CellId);
    ~LightChild() override;

    /// What the network is to know of it.
    Network::Host host();
    /// Dials, at a moment within this; afterwards again whenever the wire is gone.
    void dial_within(Duration);
    bool in_agreement() const { return session_ && wire_ && session_->view().up && session_->view().agreement; }
    std::uint64_t dials() const { return dials_; }

private:
    void arrived(std::string message) override;
    void closed(std::string why) override;
    void drained() override { pump(); }

    bool keeps_unknown() const override { return false; }
    sync::Outbound::Place place(const sync::Cursor&) override { return sync::Outbound::Place::known; }
    std::optional<std::vector<sync::ItemKey>> erased_since(sync::Lane, sync::Number) override {
        return std::vector<sync::ItemKey>{};
    }
    void load(sync::Lane, sync::Inbound&) override;

    void dial();
    void pump();
    void apply(sync::Apply&&);
    void drop_wire();
    Instant now() const { return {agenda_.now()}; }

    Agenda& agenda_;
    Network& network_;
    Cell cell_;
    std::string name_;
    CellId id_;
    Duration dials_within_{};
    std::uint64_t dials_ = 0;
    std::unique_ptr<sync::Session> session_;
    std::unique_ptr<env::Wire> wire_;
    std::unique_ptr<env::Timer> attempt_, timer_;
    Instant armed_ = Instant::never();
    bool pumping_ = false;
    std::map<sync::ItemKey, sync::Item> items_;
    std::optional<sync::Cursor> cursor_;
    bool reported_ = false;
};

} // namespace skerry::sim
