#pragma once

#include "env/env.h"
#include "sync/session.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace skerry::sim {

/// A site of which only the link is real: a sync session over a wire, items in a map instead of a store, and no loops. A hundred
/// thousand of them fit where a hundred thousand whole cells would not; their parent cannot tell the difference. Over simulated
/// wires here, over real ones in `bench/link_children.cc`.
class LightChild final : private env::Wire::Listener, private sync::Host {
public:
    struct Options {
        env::Clock& clock;
        env::Timers& timers;
        env::Dialer& dialer;
        std::string parent; ///< its address
        std::string name;
        CellId id;
        std::uint64_t number = 0; ///< among its like
    };
    explicit LightChild(Options);
    ~LightChild() override;

    /// Dials, at a moment within this; afterwards again whenever the wire is gone.
    void dial_within(Duration);
    bool in_agreement() const { return session_ && wire_ && session_->view().up && session_->view().agreement; }
    std::uint64_t dials() const { return dials_; }
    /// Ends the wire; it dials again as before.
    void hang_up() { drop_wire(); }
    /// Why the last dial failed.
    const std::string& failure() const { return failure_; }

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
    Instant now() const { return options_.clock.now(); }

    Options options_;
    std::string failure_;
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
