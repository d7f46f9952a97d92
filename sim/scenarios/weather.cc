#include "sim/weather.h"

#include "sim/fleet.h"
#include "sim/scenario.h"

#include <string>

namespace skerry::sim {

void play_weather(Fleet& fleet, const Size& size) {
    auto& chance = fleet.chance();
    constexpr const char* profiles[] = {"lan", "dsl", "cellular"};
    constexpr std::int64_t rates[] = {0, 0, 1 << 20, 64 << 10, 16 << 10};
    std::size_t sites = size.sites > 0 ? size.sites : 1 + chance.bits() % 5;
    for (std::size_t n = 1; n <= sites; ++n) {
        SiteShape shape{.name = "site-" + std::to_string(n), .labels = {{"tier", chance.fraction() < 0.75 ? "store" : "depot"}}};
        if (n == 1) shape.labels["tier"] = "store";
        shape.more_nodes = chance.fraction() < 0.5 ? 0 : chance.bits() % 3;
        shape.profile = profiles[chance.bits() % 3];
        shape.uplink.delay = 1ms + chance.up_to(300ms);
        shape.uplink.jitter = chance.up_to(200ms);
        shape.uplink.loss = chance.fraction() < 0.5 ? 0 : chance.fraction() * 0.1;
        shape.uplink.bytes_per_second = rates[chance.bits() % std::size(rates)];
        shape.uplink.patience = 5s + chance.up_to(60s);
        fleet.add_site(shape);
    }
    fleet.start_all();
    fleet.operators().push_image();
    fleet.operators().do_something();
    fleet.pass(2min);
    auto options = WeatherOptions::draw(chance);
    begin_weather(fleet, options, size.lasts > Duration(0) ? size.lasts : 1h + chance.up_to(1h));
    fleet.pass(size.lasts > Duration(0) ? size.lasts : 2h);
    fleet.converge(30min);
}

} // namespace skerry::sim
