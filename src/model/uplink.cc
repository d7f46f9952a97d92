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

} // namespace skerry::model
