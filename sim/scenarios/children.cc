#include "fleet/fleet.h"

#include "sim/fleet.h"
#include "sim/scenario.h"
#include "sim/world/light_child.h"

#include <cstdio>
#include <vector>

namespace skerry::sim {

namespace {

/// A light child's place in the simulation.
class Berth final : public env::Clock, public env::Timers, public env::Dialer {
public:
    Berth(Agenda& agenda, Network& network, Cell cell) : agenda_(agenda), network_(network), cell_(cell) {}

    Instant now() const override { return {agenda_.now()}; }
    WallTime wall() const override { return {}; }
    std::string boot_id() const override { return "boot"; }
    std::unique_ptr<env::Timer> after(Duration wait, std::function<void()> call) override {
        return agenda_.cancellable(agenda_.now() + wait, What::timer, cell_, Agenda::Bound::free, std::move(call));
    }
    void post(std::function<void()> call) override {
        agenda_.at(agenda_.now(), What::post, cell_, Agenda::Bound::free, std::move(call));
    }
    std::unique_ptr<env::Timer> dial(const std::string&, env::Channel channel,
                                     std::function<void(Result<std::unique_ptr<env::Wire>>)> then) override {
        return network_.dial(cell_, channel, std::move(then));
    }

private:
    Agenda& agenda_;
    Network& network_;
    Cell cell_;
};

struct Many {
    Fleet& fleet;
    std::vector<std::unique_ptr<Berth>> berths;
    std::vector<std::unique_ptr<LightChild>> children;

    void wait_for_agreement(Duration limit, const char* what) {
        Duration began = fleet.now();
        std::size_t missing = children.size();
        while (!fleet.violated() && missing > 0 && fleet.now() - began < limit) {
            fleet.pass(1s);
            missing = 0;
            for (const auto& child : children) missing += !child->in_agreement();
        }
        std::size_t dark = 0;
        if (fleet.core().process && missing == 0)
            for (const auto& view : fleet.core().process->cell().peers().children()) dark += !view.in_touch || !view.in_agreement;
        if (missing + dark > 0)
            fleet.violate("converged", std::string(what) + ": " + std::to_string(missing) +
                                           " children and the parent's side of " + std::to_string(dark) +
                                           " are not in agreement");
    }
};

} // namespace

/// All children of one parent vanish, and return at once. The parent is a whole cell with all its loops; see `LightChild`.
void play_children(Fleet& fleet, const Size& size) {
    std::size_t count = size.sites > 0 ? size.sites : 100'000;
    fleet.audit_period = 10min;
    fleet.agenda().meter(1, size.processor_time);
    fleet.start_all();
    Many many{fleet, {}, {}};
    auto& network = fleet.network();
    for (std::size_t n = 0; n < count; ++n) {
        Cell cell = static_cast<Cell>(2 + n);
        auto name = "s" + std::to_string(n);
        CellId id(Id{0x5e, 1 + n});
        auto& berth = *many.berths.emplace_back(std::make_unique<Berth>(fleet.agenda(), network, cell));
        many.children.push_back(std::make_unique<LightChild>(LightChild::Options{
            .clock = berth, .timers = berth, .dialer = berth, .parent = "core", .name = name, .id = id, .number = cell}));
        network.add(cell, {.powered = [] { return true; },
                           .peer =
                               [name, id] {
                                   return env::Peer{env::Peer::Role::site, name, id};
                               },
                           .attends = [] { return true; },
                           .accept = [](std::unique_ptr<env::Wire>) {}});
        network.join(cell, 1, {.delay = 20ms, .jitter = 20ms});
        fleet::ensure_site(fleet.core().process->cell(), {.name = name, .parents = {"core"}, .profile = "satellite"},
                           [](auto) {});
        if (n % 500 == 499) fleet.pass(100ms);
    }
    fleet.pass(10s);
    for (auto& child : many.children) child->dial_within(60s);
    many.wait_for_agreement(1h, "at first");
    fleet.tell(std::to_string(count) + " children are in agreement; all are cut off");
    for (std::size_t n = 0; n < count; ++n)
        for (Way way : {Way::up, Way::down}) network.cut(static_cast<Cell>(2 + n), way);
    fleet.pass(30min);
    for (std::size_t n = 0; n < count; ++n)
        for (Way way : {Way::up, Way::down}) network.heal(static_cast<Cell>(2 + n), way);
    for (auto& child : many.children)
        if (!child->in_agreement()) child->dial_within(10s);
    Duration began = fleet.now(), spent = fleet.agenda().spent();
    std::uint64_t bytes = network.bytes();
    many.wait_for_agreement(1h, "after the heal");
    std::printf(
        "%zu children returned at once: %.1f CPU seconds of the parent, %.0f s virtual until all agree, %.0f bytes a child\n",
        count, static_cast<double>((fleet.agenda().spent() - spent).count()) / 1e9,
        static_cast<double>((fleet.now() - began).count()) / 1e9,
        static_cast<double>(network.bytes() - bytes) / static_cast<double>(count));
    // Its wires lead to children that end before the fleet does.
    fleet.core().process.reset();
}

} // namespace skerry::sim
