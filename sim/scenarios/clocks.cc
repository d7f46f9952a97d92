#include "sim/fleet.h"
#include "sim/scenario.h"
#include "sim/weather.h"

namespace skerry::sim {

namespace {

/// Two sites, one with a further node.
void tell_story(Fleet& fleet) {
    PathOptions steady{.delay = 20ms, .jitter = 0ns};
    Cell early = fleet.add_site({.name = "early", .labels = {{"tier", "store"}}, .uplink = steady});
    Cell late = fleet.add_site({.name = "late", .labels = {{"tier", "store"}}, .more_nodes = 1, .uplink = steady});
    for (Cell node : fleet.children(late)) fleet.network().options(node).jitter = 0ns;
    // At the first boot already, before anybody told the time.
    fleet.set_wall(early, -1'800'000'000);
    fleet.set_wall(late, 2'300'000'000);
    fleet.start_all();
    auto& people = fleet.operators();
    people.push_image();
    people.apply({.name = "till", .replicas = 2});
    fleet.pass(5min);
    for (std::uint32_t round = 1; round <= 3; ++round) {
        Cell one = fleet.chance().fraction() < 0.5 ? early : late;
        fleet.set_wall(one, wrong_clock(fleet.chance()));
        fleet.cut(one);
        fleet.pass(fleet.chance().up_to(20min));
        fleet.reboot(one, 10s + fleet.chance().up_to(3min));
        fleet.pass(4min);
        fleet.set_wall(one, wrong_clock(fleet.chance()));
        people.apply({.name = "till", .replicas = 2, .marker = round});
        fleet.pass(10min);
        fleet.heal(one);
        fleet.pass(5min);
    }
    fleet.converge(10min);
}

} // namespace

/// What nodes end, and what runs when all is over, is the same with right clocks and with wrong ones (rule T1). Not to the
/// millisecond: words about a clock are writes too.
void play_clocks(Fleet& fleet, const Size&) {
    Fleet twin(fleet.seed());
    twin.clocks_are_right = true;
    tell_story(twin);
    tell_story(fleet);
    if (fleet.violated() || twin.violated()) return;
    for (const auto& one : fleet.computers()) {
        if (!one) continue;
        auto ended = [&](Fleet& of) {
            auto at = of.ledger().endings().find(one->cell);
            return at == of.ledger().endings().end() ? 0 : at->second;
        };
        std::size_t runs = one->machine.running().size(), would_run = twin.computer(one->cell).machine.running().size();
        if (ended(fleet) != ended(twin) || runs != would_run)
            fleet.violate("clocks-decide-nothing", one->name + " ended " + std::to_string(ended(fleet)) + " instances and runs " +
                                                       std::to_string(runs) + "; with right clocks it would have ended " +
                                                       std::to_string(ended(twin)) + " and run " + std::to_string(would_run));
    }
}

} // namespace skerry::sim
