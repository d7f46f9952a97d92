#include "model/uplink.h"

#include "model/site.pb.h"

namespace skerry::model {

Duration beat_of(const Uplink& uplink) {
    if (uplink.has_beat())
        if (auto beat = parse_duration(uplink.beat()); beat && *beat >= 100ms) return *beat;
    if (uplink.profile() == "dsl") return 15s;
    if (uplink.profile() == "cellular") return 60s;
    if (uplink.profile() == "satellite") return 300s;
    return 1s;
}

std::uint64_t beats_of_a_day(const Uplink& uplink) {
    return static_cast<std::uint64_t>(Duration(24h) / beat_of(uplink) + 1) * beat_bytes;
}

} // namespace skerry::model
