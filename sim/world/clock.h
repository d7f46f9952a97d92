#pragma once

#include "sim/agenda.h"

#include <cstdint>
#include <string>

namespace skerry::sim {

/// The clocks of one computer. Boot-time runs a little fast or slow, as quartz does, and starts afresh at each boot; it also
/// counts while the computer is stopped, unless it is told to stand still (a virtual machine that its host suspends). The wall
/// clock runs with it, may be wrong by years after a boot, and jumps when somebody sets it.
class ComputerClock final : public env::Clock {
public:
    /// Within the margin for which leases hold (rule F6).
    static constexpr std::int64_t most_drift_ppm = 500;

    ComputerClock(const Agenda& agenda, std::int64_t drift_ppm) : agenda_(agenda), drift_(drift_ppm) {}

    void boot(Id id, std::int64_t wall_error_seconds) {
        id_ = id;
        since_ = agenda_.now();
        local_ = start;
        stands_ = false;
        wall_ahead_ = true_start + wall_error_seconds * 1s + since_ - start;
        was_wrong_ = was_wrong_ || wall_error_seconds != 0;
    }
    std::int64_t drift() const { return drift_; }
    /// From now on; a timer that is set may ring as the old rate had it.
    void set_drift(std::int64_t ppm) {
        settle();
        drift_ = ppm;
    }
    /// Somebody, or a time service, sets the wall clock.
    void jump(Duration by) {
        was_wrong_ = was_wrong_ || by != Duration{};
        wall_ahead_ += by;
    }
    /// The same, to the true time or so many seconds off.
    void set_wall(std::int64_t error_seconds) { jump(truth(agenda_) + error_seconds * 1s - wall()); }
    /// Boot-time neither counts nor drifts until it goes on.
    void stand() {
        settle();
        stands_ = true;
    }
    /// How long it stood.
    Duration go_on() {
        if (!stands_) return {};
        Duration stood = agenda_.now() - since_;
        since_ = agenda_.now();
        stands_ = false;
        stood_ += stood;
        return stood;
    }

    Instant now() const override { return {local()}; }
    WallTime wall() const override {
        Duration wall = local() + wall_ahead_;
        return {wall / 1s, static_cast<std::int32_t>((wall % 1s).count())};
    }
    /// What every wall clock should say.
    static WallTime truth(const Agenda& agenda) { return WallTime{} + (true_start + agenda.now()); }
    /// Whether the wall clock was ever set, or wrong at a boot.
    bool was_wrong() const { return was_wrong_; }
    /// How long it stood in all.
    Duration stood() const { return stood_; }
    std::string boot_id() const override { return id_.text(); }

    /// When this much has passed on this clock, never earlier, if it neither stands nor changes its rate meanwhile.
    Duration world_after(Duration duration) const {
        Duration wanted = local() - local_ + duration;
        Duration world = wanted - wanted / 1'000'000 * drift_;
        while (scaled(world) < wanted) world += std::max<Duration>(1ns, wanted - scaled(world));
        return since_ + world;
    }

private:
    static constexpr Duration start = 20s; ///< a kernel runs a while before we do
    static constexpr Duration true_start = 1'800'000'000s;
    Duration scaled(Duration world) const { return world + world / 1'000'000 * drift_; }
    /// What it shows now.
    Duration local() const { return stands_ ? local_ : local_ + scaled(agenda_.now() - since_); }
    void settle() {
        local_ = local();
        since_ = agenda_.now();
    }

    const Agenda& agenda_;
    std::int64_t drift_;
    Duration since_{}, local_ = start; ///< a moment of the world, and what this clock showed then
    bool stands_ = false, was_wrong_ = false;
    Duration stood_{};
    Duration wall_ahead_ = true_start;
    Id id_;
};

} // namespace skerry::sim
