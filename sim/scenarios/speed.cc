#include "sim/fleet.h"
#include "sim/scenario.h"

#include <string>

namespace skerry::sim {

void play_speed(Fleet& fleet, const Size& size) {
    std::size_t sites = size.sites > 0 ? size.sites : 200;
    fleet.audit_period = 60s;
    for (std::size_t n = 0; n < sites + sites / 10; ++n)
        fleet.add_site({.name = "site-" + std::to_string(n), .labels = {{"tier", "store"}}, .more_nodes = n < sites ? 0u : 2u});
    fleet.start_all();
    fleet.operators().push_image();
    fleet.operators().apply({.name = "till", .health = false});
    fleet.converge(30min);
    fleet.pass(size.lasts > Duration(0) ? size.lasts : 24h);
    fleet.converge(10min);
}

} // namespace skerry::sim
