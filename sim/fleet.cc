#include "sim/fleet.h"

#include "base/digest.h"
#include "cell/links/seats.h"
#include "sim/checks/convergence.h"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace skerry::sim {

using Role = env::Peer::Role;

Fleet::Fleet(std::uint64_t seed)
    : seed_(seed), chance_(seed), network_(agenda_, chance_.bits()), ledger_(*this), checks_(*this), operators_(*this),
      site_people_(*this) {
    network_.watched = [this](Cell child, int side, bool sent, const std::string& message) {
        checks_.crossed(child, side, sent, message);
    };
    computers_.push_back(nullptr);
    shapes_.emplace_back();
    add(Role::core, "core", 0);
    computers_[1]->joined = true;
}

Fleet::~Fleet() {
    for (auto& computer : computers_)
        if (computer) computer->process.reset();
}

Cell Fleet::add(Role role, const std::string& name, Cell parent) {
    Cell cell = static_cast<Cell>(computers_.size());
    auto made = std::make_unique<Computer>(agenda_, keyed_digest(seed_, name).low);
    made->cell = cell;
    made->role = role;
    made->name = name;
    made->parent = parent;
    made->has_node = role != Role::core;
    made->site = role == Role::site ? name : role == Role::node ? computers_[parent]->name : "";
    made->disturbed = -1h;
    made->machine.leash_changed = [this, cell] { set_leash(cell); };
    Computer& computer = *made;
    computers_.push_back(std::move(made));
    shapes_.emplace_back();
    network_.add(
        cell,
        {.powered = [&computer] { return computer.powered && !computer.frozen; },
         .peer = [&computer] { return computer.process && computer.process->works() ? computer.process->peer() : env::Peer{}; },
         .attends = [&computer] { return !computer.stopped && !computer.frozen; },
         .accept =
             [this, &computer](std::unique_ptr<env::Wire> wire) {
                 if (computer.process && computer.process->works())
                     agenda_.as(computer.cell, [&] { computer.process->cell().accept(std::move(wire)); });
             }});
    return cell;
}

Cell Fleet::add_site(const SiteShape& shape) {
    auto furnish = [&](Cell cell) {
        Computer& one = *computers_[cell];
        one.capacity = {.cpu = shape.cpu,
                        .memory = shape.memory,
                        .addresses = {"192.0.2." + std::to_string(cell % 250 + 1)},
                        .os = "linux",
                        .kernel = "6",
                        .architecture = "amd64"};
        one.claims = one.capacity;
    };
    Cell parent = shape.region == 0 ? 1 : shape.region;
    Cell site = add(Role::site, shape.name, parent);
    shapes_[site] = shape;
    network_.join(site, parent, shape.uplink);
    computers_[site]->divides = shape.divides;
    if (shape.divides) computers_[site]->has_node = false;
    furnish(site);
    for (std::size_t n = 1; n <= shape.more_nodes; ++n) {
        Cell node = add(Role::node, shape.name + "-n" + std::to_string(n), site);
        network_.join(node, site, {.delay = 200us, .jitter = 100us});
        furnish(node);
    }
    return site;
}

fleet::SiteWish Fleet::wish_of(Cell site) const {
    const SiteShape& shape = shapes_[site];
    return {.name = shape.name,
            .labels = shape.labels,
            .values = {},
            .parents = {computers_[computers_[site]->parent]->name},
            .jurisdiction = {},
            .profile = shape.profile,
            .region = shape.divides};
}

std::map<std::string, std::string> Fleet::labels_of(Cell site) const {
    auto labels = shapes_[site].labels;
    if (shapes_[site].region != 0) labels.merge(labels_of(shapes_[site].region));
    return labels;
}

std::vector<Cell> Fleet::sites() const {
    std::vector<Cell> list;
    for (const auto& computer : computers_)
        if (computer && computer->role == Role::site && !computer->divides) list.push_back(computer->cell);
    return list;
}

std::vector<Cell> Fleet::children(Cell cell) const {
    std::vector<Cell> list;
    for (const auto& computer : computers_)
        if (computer && computer->parent == cell && computer->cell != 1) list.push_back(computer->cell);
    return list;
}

Computer* Fleet::find(const std::string& name) {
    for (auto& computer : computers_)
        if (computer && computer->name == name) return computer.get();
    return nullptr;
}

void Fleet::start_all() {
    start(1);
    audit();
}

void Fleet::start(Cell cell) {
    Computer& one = computer(cell);
    if (!one.powered || !one.joined || one.process || violated()) return;
    if (one.frozen) return agenda_.at(now() + 1s, What::process, 0, Agenda::Bound::free, [this, cell] { start(cell); });
    one.process = std::make_unique<Process>(*this, one);
    if (!one.process->works()) {
        one.process.reset();
        agenda_.at(now() + 2s, What::process, 0, Agenda::Bound::free, [this, cell] { start(cell); });
        return;
    }
    if (one.divides) seat(one);
    if (one.starts > 1) tell(one.name + " starts again");
    checks_.opened(one);
    one.process->join_children();
}

void Fleet::seat(const Computer& region) {
    Computer& parent = computer(region.parent);
    if (!parent.process) return;
    auto& store = parent.process->store();
    auto object = store.get({model::Kind::site, "", region.name});
    if (!object || cell::seat_of(store, Role::site, region.name)) return;
    store::Transaction transaction;
    cell::take_seat(transaction, Role::site, region.name, {.object = object->uid, .cell = region.process->store().cell()});
    store.commit(std::move(transaction), nullptr);
}

void Fleet::joined(Cell cell) {
    if (std::exchange(computer(cell).joined, true)) return;
    agenda_.at(now() + 1s, What::process, 0, Agenda::Bound::free, [this, cell] { start(cell); });
}

void Fleet::kill(Cell cell) {
    Computer& one = computer(cell);
    if (!one.process) return;
    tell(one.name + " is killed");
    thaw(cell);
    one.stopped = false;
    one.process.reset();
    one.disturbed = now();
}

void Fleet::fell_over(Cell cell) {
    if (!computer(cell).process) return;
    tell(computer(cell).name + ": its disk refused a write");
    kill(cell);
    agenda_.at(now() + 2s, What::process, 0, Agenda::Bound::free, [this, cell] { start(cell); });
}

void Fleet::power_off(Cell cell) {
    Computer& one = computer(cell);
    if (!one.powered) return;
    tell(one.name + " loses power");
    checks_.before_reboot(one);
    ledger_.audit(one);
    network_.power_lost(cell);
    one.disk.loses_power();
    one.powered = one.stopped = one.frozen = false;
    one.process.reset();
    one.machine.reboot();
    ledger_.lost_power(cell);
    one.disturbed = now();
    if (one.forgets_images) one.images.clear(), one.bytes_of.clear();
}

void Fleet::power_on(Cell cell) {
    Computer& one = computer(cell);
    if (one.powered) return;
    tell(one.name + " has power");
    one.powered = true;
    Id boot = chance_.id();
    std::int64_t error = chance_.fraction() < 0.3 ? static_cast<std::int64_t>(chance_.bits() % 100'000'000) - 90'000'000 : 0;
    one.clock.boot(boot, 0);
    set_wall(cell, error);
    network_.power_back(cell);
    agenda_.at(now() + 5s, What::process, 0, Agenda::Bound::free, [this, cell] { start(cell); });
}

void Fleet::set_wall(Cell cell, std::int64_t error_seconds) {
    if (clocks_are_right) error_seconds = 0;
    if (error_seconds != 0)
        tell("the clock of " + computer(cell).name + " says " +
             rfc3339(ComputerClock::truth(agenda_) + std::chrono::seconds(error_seconds)));
    Computer& one = computer(cell);
    one.clock.set_wall(error_seconds);
    if (!probes_believe_clocks || error_seconds == 0) return;
    for (const auto& name : one.machine.running()) one.sick.insert(name);
    agenda_.at(now() + 2min, What::weather, 0, Agenda::Bound::free, [&one] { one.sick.clear(); });
}

void Fleet::reboot(Cell cell, Duration off) {
    power_off(cell);
    agenda_.at(now() + off, What::process, 0, Agenda::Bound::free, [this, cell] { power_on(cell); });
}

void Fleet::stop(Cell cell) {
    Computer& one = computer(cell);
    if (!one.attends()) return;
    tell("the process of " + one.name + " is stopped");
    one.stopped = true;
    one.disturbed = now();
    agenda_.pause(cell);
}

void Fleet::go_on(Cell cell) {
    Computer& one = computer(cell);
    if (!std::exchange(one.stopped, false) || one.frozen) return;
    tell("the process of " + one.name + " goes on");
    one.disturbed = now();
    agenda_.resume(cell);
    network_.attends_again(cell);
}

void Fleet::freeze(Cell cell, Clocks clocks) {
    Computer& one = computer(cell);
    if (!one.powered || one.frozen) return;
    tell(one.name + " stands still" + (clocks == Clocks::stand ? ", and its clock too" : ""));
    one.frozen = true;
    one.disturbed = now();
    if (clocks == Clocks::stand) one.clock.stand();
    agenda_.pause(cell);
}

void Fleet::thaw(Cell cell) {
    Computer& one = computer(cell);
    if (!std::exchange(one.frozen, false)) return;
    tell(one.name + " goes on");
    one.disturbed = now();
    one.thawed = now();
    agenda_.delay(cell, one.clock.go_on());
    set_leash(cell);
    network_.power_back(cell);
    if (one.stopped) return;
    agenda_.resume(cell);
    network_.attends_again(cell);
}

void Fleet::cut(Cell child) {
    tell(computer(child).name + " is cut off");
    network_.cut(child, Way::up);
    network_.cut(child, Way::down);
    if (computer(child).role == Role::site) checks_.cut(child);
    if (cut_kills) {
        Computer& one = computer(child);
        one.faults.always_says_running = true;
        for (const auto& name : one.machine.running()) {
            ledger_.ended_by_weather(child, name);
            one.machine.exit(name, 1);
        }
    }
}

void Fleet::cut(Cell child, Way way) {
    tell(computer(child).name + (way == Way::up ? " is not heard any more" : " hears nothing any more"));
    network_.cut(child, way);
}

void Fleet::make_room(Cell cell) {
    Computer& one = computer(cell);
    tell("the disk of " + one.name + " has room again");
    one.disk.make_room();
    one.disturbed = now();
}

void Fleet::recovered(Computer& computer) {
    tell(computer.name + " has recovered");
    if (!people_look_again) return;
    if (computer.role == Role::core) operators_.look_again();
    if (computer.role == Role::site) site_people_.look_again(computer.cell);
}

void Fleet::restore(Cell cell, const Disk::Backup& backup) {
    Computer& one = computer(cell);
    if (one.process) kill(cell);
    tell("the disk of " + one.name + " is put back as it was a while ago");
    one.disk.restore(backup);
    checks_.went_back(one);
    one.disturbed = now();
    agenda_.at(now() + 5s, What::process, 0, Agenda::Bound::free, [this, cell] {
        if (computer(cell).powered && !computer(cell).process) start(cell);
    });
}

void Fleet::use_files() {
    for (auto& computer : computers_)
        if (computer) computer->disk.use_files();
}

void Fleet::heal(Cell child) {
    if (!network_.is_cut(child)) return;
    tell(computer(child).name + " is linked again");
    network_.heal(child, Way::up);
    network_.heal(child, Way::down);
    Computer& one = computer(child);
    if (one.role != Role::site) return;
    checks_.healed(child);
    ledger_.healed(child);
    if (heal_forgets) one.faults.says_lost = [at = now(), this] { return now() - at < 60s; };
}

void Fleet::changed(Computer& computer, const store::Change& change) { checks_.changed(computer, change); }

void Fleet::touched(Computer& computer) {
    ledger_.audit(computer);
    checks_.started(computer);
}

void Fleet::set_leash(Cell cell) {
    Computer& one = computer(cell);
    std::uint64_t turn = ++one.leash_turn;
    one.leash_still = 0;
    auto hold = one.machine.leashed();
    if (hold && one.leash_until && *one.leash_until - one.clock.now() <= 10s) one.leash_ebbed = now();
    one.leash_until = hold ? std::optional(hold->until) : std::nullopt;
    if (!hold || one.leash_is_slack || one.frozen) return;
    Duration left = std::max<Duration>(hold->until - one.clock.now(), 0ns);
    agenda_.at(one.clock.world_after(left), What::leash, cell, Agenda::Bound::free, [this, cell, turn] { tug(cell, turn); });
}

void Fleet::tug(Cell cell, std::uint64_t turn) {
    Computer& one = computer(cell);
    if (one.leash_turn != turn || one.frozen || one.leash_is_slack) return;
    auto ended = one.machine.tug(one.clock.now());
    for (const auto& name : ended) {
        ledger_.ended_by_weather(cell, name);
        tell("the leash of " + one.name + " ends " + name);
    }
    one.leash_still = ended.empty() && !one.process ? one.leash_still + 1 : 0;
    if (one.leash_still > 100) {
        drivers::fake::FakeLeash(one.machine).let_go();
        return;
    }
    agenda_.at(now() + 100ms, What::leash, cell, Agenda::Bound::free, [this, cell, turn] { tug(cell, turn); });
}

void Fleet::audit() {
    for (auto& computer : computers_)
        if (computer && computer->has_node) ledger_.audit(*computer);
    checks_.audit();
    agenda_.at(now() + audit_period, What::check, 0, Agenda::Bound::free, [this] { audit(); });
}

void Fleet::pass(Duration duration) {
    Duration end = now() + duration;
    while (!violated() && agenda_.step(end)) {
    }
    if (!violated()) agenda_.pass_to(end);
}

void Fleet::tell(std::string line) {
    line = "[" + text(now() / 1'000'000 * 1'000'000) + "] " + line;
    if (verbose) std::fprintf(stderr, "  %s\n", line.c_str());
    if (story_.size() >= 200) story_.erase(story_.begin(), story_.begin() + 100);
    story_.push_back(std::move(line));
}

void Fleet::violate(std::string_view check, std::string message) {
    if (violation_) return;
    tell("VIOLATION of " + std::string(check) + ": " + message);
    violation_ = {std::string(check), std::move(message), now()};
}

void Fleet::converge(Duration limit) {
    if (violated()) return;
    tell("the weather is over");
    for (auto& one : computers_) {
        if (!one) continue;
        one->machine.behaviour.chance = nullptr;
        one->sick.clear();
        one->disk.make_room();
        one->disk.slow = {};
        if (one->parent != 0) heal(one->cell);
        power_on(one->cell);
        thaw(one->cell);
        go_on(one->cell);
        if (one->joined && !one->process) start(one->cell);
    }
    Duration began = now();
    std::string why;
    while (!violated() && now() - began < limit) {
        pass(2s);
        why = why_not_converged(*this);
        if (!why.empty()) continue;
        // It stays so.
        pass(30s);
        why = why_not_converged(*this);
        if (why.empty() && !violated()) {
            tell("converged " + text((now() - began - 30s) / 1s * 1s) + " after the weather");
            return;
        }
    }
    if (!violated()) violate("converged", "not within " + text(limit) + ": " + why);
}

} // namespace skerry::sim
