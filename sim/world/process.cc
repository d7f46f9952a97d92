#include "sim/world/process.h"

#include "cell/wall_clock.h"
#include "fleet/fleet.h"
#include "model/project.pb.h"
#include "node/node.h"
#include "sim/fleet.h"
#include "site/site.h"

#include <utility>

namespace skerry::sim {

namespace {

constexpr std::string_view version = "sim";

class NodeWitness final : public RuntimeWitness {
public:
    NodeWitness(Fleet& fleet, Computer& computer) : fleet_(fleet), computer_(computer) {}
    void ending(const drivers::InstanceName& name) override { fleet_.ledger().ending(computer_, name); }
    void touched() override { fleet_.touched(computer_); }

private:
    Fleet& fleet_;
    Computer& computer_;
};

} // namespace

Process::Process(Fleet& fleet, Computer& computer)
    : fleet_(fleet), computer_(computer),
      clock_(computer.clock), env_{computer.shows_own_clock ? static_cast<env::Clock&>(computer.clock) : clock_, *this, *this,
                                   computer.chance, *this} {
    ++computer.starts;
    auto& agenda = fleet.agenda();
    Cell number = computer.cell;
    auto opened =
        store::Store::open(env_, computer.disk.open(), {.scrub_step = 60s, .failed = [&fleet, &agenda, number](const Error&) {
                                                            agenda.at(agenda.now(), What::process, number, Agenda::Bound::free,
                                                                      [&fleet, number] { fleet.fell_over(number); });
                                                        }});
    if (!opened) return; // the disk died on the way: see works()
    store_ = std::move(*opened);
    cell::restore_mark(clock_, *store_);

    bool is_core = computer.role == env::Peer::Role::core;
    bool is_site = computer.role == env::Peer::Role::site && !computer.divides;
    std::unique_ptr<cell::Slicer> down, up;
    if (is_core) down = cell::slices_for_sites();
    if (is_site) down = cell::slices_for_nodes(), up = cell::slice_of_site(computer.name, store_->cell());
    if (computer.divides) down = cell::slices_for_sites(), up = cell::slice_of_region(computer.name);
    if (computer.role == env::Peer::Role::node) up = cell::slice_of_node(computer.name);
    std::vector<std::string> parents;
    if (computer.parent != 0) parents.push_back(fleet.computer(computer.parent).name + ":7443");
    cell_ = cell::Cell::make(env_, *store_,
                             {.self = {.role = computer.role, .name = computer.name, .cell = {}},
                              .version = std::string(version),
                              .parents = std::move(parents),
                              .with_default_project = is_core},
                             std::move(down), std::move(up));
    if (is_core) fleet::add_loops(*cell_, {.own_site = ""});
    if (computer.divides) fleet::add_loops(*cell_, {.own_site = "", .region = computer.name, .version = std::string(version)});
    if (is_site) fleet::add_loops(*cell_, {.own_site = computer.name, .only_own_site = true});
    if (is_site)
        site::add_loops(*cell_, {.name = computer.name,
                                 .own_node = computer.has_node ? computer.name : "",
                                 .version = std::string(version),
                                 .api = {}});
    if (computer.has_node) {
        witness_ = std::make_unique<NodeWitness>(fleet, computer);
        runtime_ = std::make_unique<WitnessedRuntime>(computer.machine, computer.images, *witness_, computer.faults);
        network_ = std::make_unique<drivers::fake::FakeNetwork>(computer.machine);
        leash_ = std::make_unique<drivers::fake::FakeLeash>(computer.machine);
        images_ = std::make_unique<SimImages>(fleet, computer);
        prober_ = std::make_unique<SimProber>(fleet, computer);
        node::add_loops(*cell_, {.name = computer.name,
                                 .machine = computer.claims,
                                 .drivers = {{"container", runtime_.get()}},
                                 .network = network_.get(),
                                 .leash = leash_.get(),
                                 .images = images_.get(),
                                 .prober = prober_.get(),
                                 .version = std::string(version),
                                 .post_from_any_thread = {}});
    }
    watch_ = store_->watch([&fleet, &computer](const store::Change& change) { fleet.changed(computer, change); });
    cell_->start();
}

Process::~Process() {
    computer_.disk.process_dies();
    watch_.reset();
    cell_.reset();
    fleet_.agenda().end_life(computer_.cell);
    runtime_.reset();
    store_.reset();
    computer_.disk.lose_cache();
}

env::Peer Process::peer() const { return {computer_.role, computer_.name, store_ ? store_->cell() : CellId{}}; }

void Process::join_children() {
    for (Cell child : fleet_.children(computer_.cell)) {
        Computer& other = fleet_.computer(child);
        if (other.joined) continue;
        auto joined = [&fleet = fleet_, child](Result<store::Key> key) {
            if (key) fleet.joined(child);
        };
        if (other.role == env::Peer::Role::site)
            fleet::ensure_site(*cell_, fleet_.wish_of(child), joined);
        else
            site::ensure_node(*cell_, computer_.site, other.name, {}, joined);
    }
}

std::unique_ptr<env::Timer> Process::after(Duration duration, std::function<void()> call) {
    return fleet_.agenda().cancellable(computer_.clock.world_after(std::max<Duration>(duration, 0ns)), What::timer,
                                       computer_.cell, Agenda::Bound::life, std::move(call));
}

void Process::post(std::function<void()> call) {
    fleet_.agenda().at(fleet_.agenda().now(), What::post, computer_.cell, Agenda::Bound::life, std::move(call));
}

void Process::run(std::string lane, std::function<void()> job, std::function<void()> then) {
    ++jobs_;
    Job one{std::move(job), std::move(then)};
    if (!lane.empty()) {
        auto [at, free] = lanes_.try_emplace(lane);
        if (!free) return at->second.push_back(std::move(one));
    }
    begin(std::move(lane), std::move(one));
}

void Process::begin(std::string lane, Job job) {
    auto& agenda = fleet_.agenda();
    // The effect is somewhere between asking and answering: a process that dies in between has it or not.
    agenda.at(agenda.now() + computer_.chance.up_to(3ms), What::job, computer_.cell, Agenda::Bound::life,
              [this, lane = std::move(lane), job = std::move(job)]() mutable {
                  computer_.spent = {};
                  job.job();
                  auto& agenda = fleet_.agenda();
                  Duration takes = computer_.spent + computer_.chance.up_to(3ms);
                  agenda.at(agenda.now() + takes, What::landing, computer_.cell, Agenda::Bound::life,
                            [this, lane = std::move(lane), then = std::move(job.then)] {
                                --jobs_;
                                auto waiting = lanes_.find(lane);
                                if (waiting != lanes_.end() && waiting->second.empty()) {
                                    lanes_.erase(waiting);
                                } else if (waiting != lanes_.end()) {
                                    Job next = std::move(waiting->second.front());
                                    waiting->second.pop_front();
                                    begin(lane, std::move(next));
                                }
                                if (then) then();
                            });
              });
}

std::unique_ptr<env::Timer> Process::dial(const std::string&, env::Channel channel,
                                          std::function<void(Result<std::unique_ptr<env::Wire>>)> then) {
    return fleet_.network().dial(computer_.cell, channel,
                                 [this, channel, then = std::move(then)](Result<std::unique_ptr<env::Wire>> wire) {
                                     bool began = wire.has_value() && channel == env::Channel::control;
                                     then(std::move(wire));
                                     if (began && cell::wants_time(clock_)) ask_for_the_time();
                                 });
}

/// As `main` does over TLS: half a round trip there, half a round trip back.
void Process::ask_for_the_time() {
    constexpr Duration round_trip = 40ms;
    Instant asked = clock_.now();
    auto& agenda = fleet_.agenda();
    agenda.at(agenda.now() + round_trip, What::dial, computer_.cell, Agenda::Bound::life, [this, asked] {
        const Computer& parent = fleet_.computer(computer_.parent);
        if (!parent.process || !parent.process->works()) return;
        if (auto told = parent.process->clock().told(parent.parent != 0))
            cell::confirm_clock(clock_, *store_, *told, asked + (clock_.now() - asked) / 2);
    });
}

} // namespace skerry::sim
