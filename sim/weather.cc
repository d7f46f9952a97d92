#include "sim/weather.h"

#include "base/digest.h"
#include "sim/fleet.h"
#include "sim/hazards/hazards.h"
#include "sim/scenario.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace skerry::sim {

namespace {

std::uint64_t seed_of(const Fleet& fleet, std::string_view kind) { return keyed_digest(fleet.seed(), kind).low; }

/// One kind of event, at random moments until the end.
struct Stream {
    Fleet& fleet;
    const Hazard& hazard;
    Duration mean, lasts, end;
    const Size& size;
    env::SeededChance times;
    std::uint32_t count = 0;

    bool wanted(std::uint32_t n) const {
        return !size.without.contains(std::string(hazard.name)) &&
               (!size.only || size.only->contains({std::string(hazard.name), n}));
    }
};

void next(const std::shared_ptr<Stream>& stream) {
    double drawn = -std::log(1.0 - stream->times.fraction()) * static_cast<double>(stream->mean.count());
    Duration when = stream->fleet.now() + Duration(static_cast<Duration::rep>(drawn));
    if (when >= stream->end) return;
    stream->fleet.agenda().at(when, What::weather, 0, Agenda::Bound::free, [stream] {
        std::uint32_t n = ++stream->count;
        if (stream->wanted(n)) {
            env::SeededChance chance(seed_of(stream->fleet, stream->hazard.name) + n * 0x9e3779b97f4a7c15ULL);
            stream->fleet.happens({stream->hazard.name, n, stream->fleet.now()});
            stream->hazard.happen(stream->fleet, chance, 1s + chance.up_to(2 * stream->lasts));
        }
        next(stream);
    });
}

void begin(Fleet& fleet, const Size& size, const Hazard& hazard, Duration mean, Duration lasts, Duration end,
           env::SeededChance times) {
    next(std::make_shared<Stream>(fleet, hazard, mean, lasts, end, size, times));
}

} // namespace

const Hazard* find_hazard(std::string_view name) {
    auto found = std::find_if(hazards().begin(), hazards().end(), [&](const Hazard& one) { return one.name == name; });
    return found == hazards().end() ? nullptr : &*found;
}

void later(Fleet& fleet, Duration wait, std::function<void()> call) {
    fleet.agenda().at(fleet.now() + wait, What::weather, 0, Agenda::Bound::free, std::move(call));
}

std::int64_t wrong_clock(env::Chance& chance) {
    switch (chance.bits() % 4) {
    case 0:
        return -1'800'000'000;
    case 1:
        return 2'300'000'000;
    case 2:
        return static_cast<std::int64_t>(chance.bits() % 7'200) - 3'600;
    default:
        return 0;
    }
}

void begin_swarm(Fleet& fleet, const Size& size, Duration lasts, const std::vector<Rate>& instead) {
    begin_weather(fleet, size, lasts, instead);
    for (const Hazard& hazard : hazards()) {
        if (std::ranges::find(instead, hazard.name, &Rate::kind) != instead.end()) continue;
        env::SeededChance chance(seed_of(fleet, hazard.name));
        bool absent = chance.fraction() < hazard.absent;
        Duration mean = hazard.often + chance.up_to(hazard.seldom - hazard.often);
        Duration length = hazard.least + chance.up_to(hazard.most - hazard.least);
        bool asked = size.with.contains(std::string(hazard.name));
        if (asked || (hazard.in_swarm && !absent)) begin(fleet, size, hazard, mean, length, fleet.now() + lasts, chance);
    }
}

void begin_weather(Fleet& fleet, const Size& size, Duration lasts, const std::vector<Rate>& rates) {
    for (const Rate& rate : rates) {
        const Hazard* hazard = find_hazard(rate.kind);
        if (hazard && rate.mean > Duration(0))
            begin(fleet, size, *hazard, rate.mean, rate.lasts, fleet.now() + lasts, env::SeededChance(seed_of(fleet, rate.kind)));
    }
}

} // namespace skerry::sim
