#include "sim/weather.h"

#include "base/digest.h"
#include "sim/fleet.h"
#include "sim/scenario.h"

#include <string>

namespace skerry::sim {

void play_weather(Fleet& fleet, const Size& size) {
    auto& chance = fleet.chance();
    constexpr const char* profiles[] = {"lan", "dsl", "cellular"};
    constexpr std::int64_t rates[] = {0, 0, 1 << 20, 64 << 10, 16 << 10};
    std::size_t drawn = 1 + chance.bits() % 5;
    for (std::size_t n = 1; n <= (size.sites > 0 ? size.sites : drawn); ++n) {
        SiteShape shape{.name = "site-" + std::to_string(n)};
        // Each from a stream of its own: the others stay as they are when one is left out.
        env::SeededChance of_site(keyed_digest(fleet.seed(), "shape of " + shape.name).low);
        shape.labels["tier"] = n == 1 || of_site.fraction() < 0.75 ? "store" : "depot";
        shape.more_nodes = of_site.fraction() < 0.5 ? 0 : of_site.bits() % 3;
        shape.profile = profiles[of_site.bits() % 3];
        auto& uplink = shape.uplink;
        uplink.delay = 1ms + of_site.up_to(300ms);
        uplink.jitter = of_site.up_to(200ms);
        uplink.loss = of_site.fraction() < 0.5 ? 0 : of_site.fraction() * 0.1;
        uplink.reorder = of_site.fraction() < 0.5 ? 0 : of_site.fraction() * 0.1;
        uplink.duplicate = of_site.fraction() < 0.5 ? 0 : of_site.fraction() * 0.1;
        uplink.bytes_per_second = rates[of_site.bits() % std::size(rates)];
        uplink.patience = 5s + of_site.up_to(60s);
        uplink.trace = size.trace;
        if (size.trace) uplink.trace_from = of_site.up_to(static_cast<std::int64_t>(size.trace->seconds()) * 1s);
        fleet.add_site(shape);
    }
    if (chance.fraction() < 0.1) fleet.use_files();
    fleet.newer_core = chance.fraction() < 0.25;
    fleet.cut_kills = size.cut_kills;
    Duration lasts = 30min + chance.up_to(90min);
    if (size.lasts > Duration(0)) lasts = size.lasts;
    fleet.start_all();
    fleet.operators().push_image();
    fleet.operators().do_something(chance);
    fleet.pass(2min);
    begin_swarm(fleet, size, lasts);
    fleet.pass(lasts + 2min);
    fleet.converge(30min);
}

} // namespace skerry::sim
