#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/override.pb.h"
#include "sim/fleet.h"
#include "sim/scenario.h"

namespace skerry::sim {

namespace {

using model::Kind;

const model::Override* override_at(const store::Store& store, const std::string& name) {
    return store.get<model::Override>({Kind::override_, Operators::project, name});
}

void require(Fleet& fleet, bool holds, const std::string& what) {
    if (!holds) fleet.violate("writes-while-cut", what);
}

/// How many instances of the app run on machines of that site.
std::size_t running(Fleet& fleet, Cell site, const std::string& app) {
    std::size_t count = 0;
    for (const auto& computer : fleet.computers()) {
        if (!computer || computer->site != fleet.computer(site).name) continue;
        for (const auto& [name, process] : computer->machine.processes())
            count += process.phase == drivers::Phase::running && process.spec.title.find("/" + app + ".") != std::string::npos;
    }
    return count;
}

/// What people do at the core about an override of a site (rule W5), as `skerry override` does.
void decide(Fleet& fleet, const std::string& name, const std::string& by) {
    const auto* theirs = override_at(fleet.core().process->store(), name);
    if (!theirs) return require(fleet, false, "the core does not show override " + name);
    auto made = std::make_unique<model::Override>();
    made->mutable_metadata()->set_name(name + "." + by);
    made->mutable_metadata()->set_namespace_(Operators::project);
    *made->mutable_spec() = theirs->spec();
    made->mutable_spec()->mutable_settles()->set_uid(theirs->metadata().uid());
    made->mutable_spec()->mutable_settles()->set_generation(theirs->metadata().generation());
    made->mutable_spec()->mutable_settles()->set_by(by);
    fleet.core().process->cell().admission().create(
        people(), Kind::override_, std::move(made), {}, [&fleet](std::expected<cell::Admitted, cell::Refusal> answer) {
            if (!answer) require(fleet, false, "a decision is refused: " + answer.error().error.message);
        });
    fleet.pass(5s);
}

} // namespace

void play_writes_while_cut(Fleet& fleet, const Size&) {
    Cell one = fleet.add_site({.name = "store-1", .labels = {{"tier", "store"}}, .more_nodes = 1});
    Cell two = fleet.add_site({.name = "store-2", .labels = {{"tier", "store"}}});
    fleet.start_all();
    auto& people = fleet.operators();
    auto& there = fleet.site_people();
    people.push_image();
    people.apply({.name = "till"});
    people.apply({.name = "page", .publish = 80, .health = false});
    people.apply({.name = "once", .policy = "atMostOnce"});
    fleet.converge(10min);

    fleet.cut(one);
    there.mark(one, "once", 300);
    there.apply(one, {.name = "own-once", .tier = {}, .policy = "atMostOnce", .by_digest = true});
    there.apply(one, {.name = "own", .tier = {}, .marker = 3, .by_digest = true});
    there.mark(one, "till", 100);
    there.mark(one, "page", 200);
    fleet.pass(30s + fleet.chance().up_to(1min));
    fleet.kill(one);
    fleet.pass(fleet.chance().up_to(20s));
    fleet.start(one);
    there.apply(one, {.name = "own", .tier = {}, .marker = 4, .by_digest = true});
    // The core changes the same place of one, and another place of the other.
    people.apply({.name = "till", .marker = 1});
    people.apply({.name = "page", .image = 1, .publish = 80, .health = false});
    fleet.pass(5min);
    require(fleet, running(fleet, one, "once") == 0, "an override takes policy atMostOnce from what the core decides");
    require(fleet, running(fleet, one, "own-once") == 1, "what the site decides itself waits for a lease of its parent");
    fleet.reboot(one, 10s + fleet.chance().up_to(1min));
    if (fleet.chance().fraction() < 0.5) fleet.reboot(1, fleet.chance().up_to(1min));
    fleet.pass(5min);
    fleet.heal(one);
    fleet.pass(3min);
    fleet.converge(10min);
    if (fleet.violated()) return;

    // Rule W3: the conflict stands, and both sides show it.
    std::string till = there.marks().at({one, "till"}).override_name, page = there.marks().at({one, "page"}).override_name;
    for (Cell cell : {Cell{1}, one}) {
        const auto& store = fleet.computer(cell).process->store();
        const auto *of_till = override_at(store, till), *of_page = override_at(store, page);
        require(fleet, of_till && model::holds(of_till->status().conditions(), "Conflict"),
                "the conflict about till is not shown at " + fleet.computer(cell).name);
        require(fleet,
                of_page && model::holds(of_page->status().conditions(), "Applied") &&
                    !model::holds(of_page->status().conditions(), "Conflict"),
                "the override of page is not shown as applied at " + fleet.computer(cell).name);
    }
    if (fleet.violated()) return;

    // Rule W5, with the site out of touch when it is decided.
    fleet.cut(one);
    fleet.pass(1min);
    bool adopts = fleet.chance().fraction() < 0.5;
    decide(fleet, till, adopts ? "adopt" : "drop");
    decide(fleet, page, "drop");
    fleet.pass(fleet.chance().up_to(2min));
    there.let_go(one, "page");
    if (!adopts) there.let_go(one, "till");
    auto kept = there.marker_at(one, "till");
    there.let_go(one, "till");
    fleet.heal(one);
    fleet.pass(3min);
    const auto& store = fleet.computer(one).process->store();
    require(fleet, !override_at(store, till) && !override_at(store, page), "the site did not let go of what was decided");
    require(fleet, adopts == (override_at(store, till + ".adopt") != nullptr), "the site does not hold what was adopted");
    require(fleet, !override_at(fleet.core().process->store(), page + ".drop"), "a decision that was carried out is kept");
    if (adopts && !fleet.violated()) {
        require(fleet, kept == 100u && override_at(store, till + ".adopt")->spec().value().contains("--marker=100"),
                "what was adopted is not what the site said");
        // From here on the App says it again.
        fleet.core().process->cell().admission().remove(sim::people(), {Kind::override_, Operators::project, till + ".adopt"}, {},
                                                        {}, nullptr);
    }
    fleet.pass(1min);
    fleet.converge(10min);
    if (fleet.violated()) return;

    // Rule H5: the site's own keeps its name; the core's waits, says so, and comes in by itself.
    fleet.cut(two);
    there.apply(two, {.name = "both", .tier = {}, .marker = 9, .by_digest = true});
    people.apply({.name = "both", .marker = 1});
    fleet.pass(1min);
    fleet.heal(two);
    fleet.pass(3min);
    const auto* both = fleet.core().process->store().get<model::App>({Kind::app, Operators::project, "both"});
    const auto* available = both ? model::find_condition(both->status().conditions(), "Available") : nullptr;
    require(fleet, available && available->status() == "False" && available->reason() == "NameTaken",
            "the core does not say that the name is taken at " + fleet.computer(two).name + ": " +
                (available ? available->reason() : "no status"));
    const auto* own = fleet.computer(two).process->store().get<model::App>({Kind::app, Operators::project, "both"});
    require(fleet, own && model::holds(own->status().conditions(), "NameTaken"),
            fleet.computer(two).name + " does not say that its own app's name is taken at the core");
    there.remove(two, "both");
    fleet.pass(1min);
    fleet.converge(10min);
    if (fleet.violated()) return;

    // Rule H7: the delete waits for nobody, and what may run still is shown.
    fleet.cut(two);
    fleet.pass(3min);
    people.remove("page");
    fleet.pass(1min);
    const auto& core = fleet.core().process->store();
    require(fleet, !core.get({Kind::app, Operators::project, "page"}), "the delete waits for a site out of touch");
    const auto* left = core.get<model::Allocation>({Kind::allocation, Operators::project, "page.main.store-2"});
    require(fleet, left && model::holds(left->status().conditions(), "Removing"),
            "what may run at a site out of touch is not shown");
    require(fleet, !core.get({Kind::allocation, Operators::project, "page.main.store-1"}), "what ended is shown still");
    fleet.heal(two);
    fleet.pass(1min);
    fleet.converge(10min);
}

} // namespace skerry::sim
