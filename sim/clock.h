#pragma once

#include "sim/agenda.h"

#include <string>

namespace skerry::sim {

/// The clocks of one computer. Boot-time runs a little fast or slow, as quartz does, and starts afresh at each boot; the wall
/// clock may be wrong by years after a boot.
class ComputerClock final : public env::Clock {
public:
    ComputerClock(const Agenda& agenda, std::int64_t drift_ppm) : agenda_(agenda), drift_(drift_ppm) {}

    void boot(Id id, std::int64_t wall_error_seconds) {
        booted_ = agenda_.now();
        id_ = id;
        wall_error_ = wall_error_seconds;
    }

    Instant now() const override { return {start + local(agenda_.now() - booted_)}; }
    WallTime wall() const override {
        auto passed = agenda_.now();
        return {1'800'000'000 + wall_error_ + passed / 1s, static_cast<std::int32_t>((passed % 1s).count())};
    }
    std::string boot_id() const override { return id_.text(); }

    /// When this much has passed on this clock, never earlier.
    Duration world_after(Duration duration) const {
        Duration since = local(agenda_.now() - booted_) + duration;
        Duration world = since - since / 1'000'000 * drift_;
        while (local(world) < since) world += std::max<Duration>(1ns, since - local(world));
        return booted_ + world;
    }

private:
    static constexpr Duration start = 20s; ///< a kernel runs a while before we do
    Duration local(Duration world) const { return world + world / 1'000'000 * drift_; }

    const Agenda& agenda_;
    std::int64_t drift_;
    Duration booted_{};
    Id id_;
    std::int64_t wall_error_ = 0;
};

} // namespace skerry::sim
