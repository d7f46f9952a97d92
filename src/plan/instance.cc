#include "plan/instance.h"

#include <algorithm>

namespace skerry::plan {

void BackOff::failed(Instant now, std::optional<Instant> started) {
    if (started && now - *started >= forgiven) count_ = 0;
    Duration delay = count_ >= 6 ? most : std::min(most, first * (1 << count_));
    ++count_;
    until_ = now + delay;
}

namespace {

InstanceStep toward_nothing(const FoundInstance& found, InstanceStep when_clean) {
    if (found.presence == Presence::running) return InstanceStep::stop;
    if (found.presence != Presence::nothing || found.connected) return InstanceStep::clean;
    return when_clean;
}

} // namespace

InstanceStep next_step(const std::optional<WantedInstance>& wanted, const FoundInstance& found, const BackOff& back_off,
                       Instant now) {
    if (!wanted) return toward_nothing(found, InstanceStep::forget);
    // What is not known to be out of date runs on, whatever is missing for a new start; unhealthy, too, since it could not be
    // started again.
    if (!wanted->running) return toward_nothing(found, InstanceStep::nothing);
    bool is_over = now >= wanted->stop_by;
    if (is_over && found.presence == Presence::running) return InstanceStep::fence;
    bool current = found.hash == wanted->hash;
    if (found.presence == Presence::running && !wanted->obstacle.empty()) return InstanceStep::nothing;
    if (found.presence == Presence::running && current) return found.unhealthy ? InstanceStep::restart : InstanceStep::nothing;
    if (!wanted->obstacle.empty()) return InstanceStep::wait_obstacle;
    if (!found.image_ready) return found.image_asked ? InstanceStep::wait_image : InstanceStep::fetch;
    if (found.presence == Presence::running) return InstanceStep::update;
    if (found.presence != Presence::nothing) return InstanceStep::clean;
    // Ports may have changed with the hash: connected afresh.
    if (found.connected && !current) return InstanceStep::clean;
    if (now < back_off.until()) return InstanceStep::wait_back_off;
    if (found.port_taken) return InstanceStep::wait_port;
    if (is_over || !wanted->leashed) return InstanceStep::wait_lease;
    return InstanceStep::start;
}

} // namespace skerry::plan
