#include "cell/slices/couriers.h"
#include "fleet/fleet.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "sim/fleet.h"
#include "sim/scenario.h"

#include <fmt/format.h>

#include <unordered_set>

namespace skerry::sim {

namespace {

using model::Kind;
using Couriers = cell::Couriers;

/// Files between the core and its sites, and people who carry them.
class Post {
public:
    explicit Post(Fleet& fleet) : fleet_(fleet) {}

    struct File {
        Cell from = 0, to = 0;
        std::string bytes;
    };

    /// None while the cell is down.
    std::optional<File> pack(Cell from, Cell to) {
        auto& process = fleet_.computer(from).process;
        auto receiver = peer_of(to);
        if (!process || !process->works() || !receiver) return {};
        if (from == core) fleet::go_by_courier(process->cell(), receiver->name);
        // As the program does, it lets the loops work on what people wished just before.
        fleet_.pass(5s);
        if (!process || !process->works()) return {};
        auto carried = process->cell().couriers().pack(way(from), *receiver, Couriers::Extent::difference);
        if (!carried) return {};
        return File{from, to, sync::write_carried(*carried).value_or("")};
    }

    /// Whether it brought something; nothing where it was refused, or the cell is down.
    std::optional<sync::Taken> apply(const File& file) {
        auto& process = fleet_.computer(file.to).process;
        auto sender = peer_of(file.from);
        if (!process || !process->works() || !sender) return {};
        auto carried = sync::read_carried(file.bytes);
        if (!carried) return {};
        if (fleet_.files_are_whole && carried->courier.base) forget_the_rest(*carried, file);
        auto outcome = std::make_shared<std::optional<sync::Taken>>();
        process->cell().couriers().apply(way(file.to), *sender, std::move(*carried), Couriers::How::apply,
                                         [this, outcome](Result<Couriers::Outcome> done) {
                                             if (done) *outcome = done->taken;
                                             if (!done) fleet_.tell("a courier file is refused: " + done.error().message);
                                         });
        // Sometimes the power goes before it is done.
        if (fleet_.chance().fraction() < power_fails) fleet_.kill(file.to);
        fleet_.pass(2s);
        if (!process) fleet_.start(file.to);
        return *outcome;
    }

    double power_fails = 0;
    static constexpr Cell core = 1;

private:
    static Couriers::Neighbour way(Cell from) { return from == core ? Couriers::Neighbour::child : Couriers::Neighbour::parent; }
    std::optional<env::Peer> peer_of(Cell cell) {
        auto& process = fleet_.computer(cell).process;
        if (process && process->works()) peers_[cell] = process->peer();
        auto at = peers_.find(cell);
        return at == peers_.end() ? std::nullopt : std::optional(at->second);
    }
    /// Planted: as if the receiver did not look at the base.
    void forget_the_rest(sync::CarriedSlices& carried, const File& file) {
        auto key = file.from == core ? sync::link_key(carried.courier.from, carried.courier.to)
                                     : sync::link_key(carried.courier.to, carried.courier.from);
        std::unordered_set<Digest, sync::DigestHash> brought;
        for (const auto& batch : carried.slices[0].batches)
            for (const auto& each : batch.items) brought.insert(sync::key_hash(key, each.item.key));
        carried.courier.base.reset();
        std::erase_if(carried.slices[0].listing, [&](const sync::Listed& entry) { return !brought.contains(entry.hash); });
    }

    Fleet& fleet_;
    std::map<Cell, env::Peer> peers_;
};

/// Both hold what the other decided for them, and the core knows what the site did.
void require_same(Fleet& fleet, Cell site) {
    const std::string& name = fleet.computer(site).name;
    const auto& core = fleet.core().process->store();
    const auto& there = fleet.computer(site).process->store();
    auto demand = [&](bool holds, const std::string& what) {
        if (!holds) fleet.violate("couriers", what);
    };
    for (const auto& object : core.list(Kind::allocation)) {
        const auto& allocation = store::as<model::Allocation>(*object);
        if (allocation.spec().site() != name) continue;
        auto held = there.get(object->key);
        demand(held && held->generation == object->generation,
               fmt::format("{} does not hold generation {} of {}", name, object->generation, object->key.text()));
        if (!held || object->wish.from) continue;
        demand(allocation.status().observed_generation() == object->generation,
               fmt::format("the core does not know that {} has {}", name, object->key.text()));
        demand(allocation.status().ready_replicas() == allocation.spec().replicas(),
               fmt::format("{} runs {} of {} replicas of {}, as the core knows", name, allocation.status().ready_replicas(),
                           allocation.spec().replicas(), object->key.text()));
    }
    for (const auto& object : there.list(Kind::allocation)) {
        if (store::as<model::Allocation>(*object).spec().site() != name) continue;
        demand(core.get(object->key) != nullptr, fmt::format("the core does not show {} of {}", object->key.text(), name));
    }
    for (const auto& object : there.list(Kind::app)) {
        if (object->home != there.cell()) continue;
        auto shown = core.get(object->key);
        demand(shown && shown->generation == object->generation, "the core does not show " + object->key.text() + " of " + name);
    }
}

} // namespace

void play_couriers(Fleet& fleet, const Size&) {
    std::vector<Cell> sites{fleet.add_site({.name = "vessel-1", .labels = {{"tier", "store"}}}),
                            fleet.add_site({.name = "vessel-2", .labels = {{"tier", "store"}}})};
    fleet.start_all();
    auto& people = fleet.operators();
    auto& chance = fleet.chance();
    people.push_image();
    people.apply({.name = "till"});
    people.apply({.name = "page", .health = false});
    fleet.converge(10min);
    for (Cell site : sites) fleet.cut(site);
    fleet.pass(3min);

    Post post(fleet);
    post.power_fails = 0.2;
    std::vector<Post::File> bag;
    for (std::uint32_t round = 1; round <= 14 && !fleet.violated(); ++round) {
        auto pick = [&](std::size_t below) { return static_cast<std::size_t>(chance.bits() % below); };
        Cell site = sites[pick(sites.size())];
        switch (pick(6)) {
        case 0:
        case 1:
            people.apply({.name = pick(2) ? "till" : "page", .marker = round, .health = false});
            break;
        case 2:
            fleet.site_people().apply(site,
                                      {.name = "own-" + std::to_string(site), .tier = {}, .marker = round, .by_digest = true});
            break;
        case 3:
            if (pick(2)) fleet.kill(pick(2) ? site : Cell{1});
            break;
        default:
            break;
        }
        fleet.pass(Duration(chance.up_to(1min)));
        for (Cell cell : {Cell{1}, sites[0], sites[1]})
            if (!fleet.computer(cell).process) fleet.start(cell);
        bool down = pick(2) == 0;
        if (auto file = post.pack(down ? Post::core : site, down ? site : Post::core)) bag.push_back(std::move(*file));
        // Lost, late, in any order, and again.
        for (std::size_t n = pick(4); n > 0 && !bag.empty(); --n) {
            std::size_t at = pick(bag.size());
            if (pick(4) == 0)
                bag.erase(bag.begin() + static_cast<std::ptrdiff_t>(at));
            else
                post.apply(bag[at]);
        }
        fleet.pass(Duration(chance.up_to(2min)));
    }
    // From here on they are carried with care. What one asks for comes with the next file.
    post.power_fails = 0;
    for (Cell cell : {Cell{1}, sites[0], sites[1]})
        if (!fleet.computer(cell).process) fleet.start(cell);
    fleet.pass(1min);
    for (int round = 0; round < 4 && !fleet.violated(); ++round)
        for (Cell site : sites) {
            for (auto [from, to] : {std::pair(site, Post::core), std::pair(Post::core, site)})
                if (auto file = post.pack(from, to)) bag.push_back(*file), post.apply(*file);
            fleet.pass(1min);
        }
    for (Cell site : sites)
        if (auto file = post.pack(site, Post::core)) post.apply(*file);
    fleet.pass(30s);
    if (fleet.violated()) return;
    for (Cell site : sites) require_same(fleet, site);
    for (const auto& file : bag) {
        auto taken = post.apply(file);
        if (taken && taken->brings == sync::Brings::news && taken->items + taken->removals > 0)
            fleet.violate("couriers", "a file that was applied, or overtaken, changes something");
    }
    for (Cell site : sites) fleet.heal(site);
    fleet.pass(3min);
    fleet.converge(10min);
}

} // namespace skerry::sim
