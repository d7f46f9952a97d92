#include "cell/cell_test.h"
#include "cell/links/site_link.h"
#include "cell/slices/closure.h"
#include "model/conditions.h"

namespace skerry::cell {

namespace {

/// Budgets and windows of a site's uplink, at both ends (rule L6).
class MetersTest : public CellTest {
protected:
    void write_uplink(const std::string& budget, const std::vector<std::pair<std::string, std::string>>& windows = {}) {
        model::Site message;
        message.mutable_metadata()->set_name("store-17");
        auto& uplink = *message.mutable_spec()->add_uplinks();
        uplink.set_name("wan");
        uplink.set_beat("60s");
        if (!budget.empty()) uplink.set_budget(budget);
        uplink.set_cost_per_gigabyte(1'000);
        for (const auto& [start, lasts] : windows) {
            auto& window = *uplink.add_windows();
            window.set_start(start);
            window.set_lasts(lasts);
        }
        write(core, Kind::site, message);
    }
    /// A status of so many bytes, of an instance of that name.
    void report(const std::string& name, std::size_t bytes) {
        if (!has(site, Kind::instance, name)) write_instance(name);
        auto object = site.store->get({Kind::instance, "default", name});
        model::Instance found;
        found.mutable_status()->set_message(std::string(bytes, 'x') + std::to_string(++reports_));
        report_part(*site.store, *object, Part::found, found);
        world.settle();
    }
    std::string arrived(const std::string& name) {
        const auto* instance = core.store->get<model::Instance>({Kind::instance, "default", name});
        return instance ? instance->status().message().substr(instance->status().message().find_first_not_of('x')) : "";
    }
    std::string link_of(Machine& at) {
        auto object = with_link(*at.cell, at.store->get({Kind::site, "", "store-17"}));
        return store::as<model::Site>(*object).status().link().ShortDebugString();
    }
    /// Until the site's parent told it the time, a day is one of boot-time; here nobody tells it.
    static constexpr Duration day = 24h;

    int reports_ = 0;
};

TEST_F(MetersTest, Status_waits_for_the_next_day_and_the_rest_goes_on) {
    boot();
    write_uplink("1M");
    world.pass(5s);
    report("a.x", 100);
    world.pass(5s);
    EXPECT_EQ(arrived("a.x"), "1");
    // The room is used up, by what is not held back either.
    site.cell->meters().count(std::string(parent_tag), sync::Flow::bulk, {.sent = 0, .received = 1'000'000});
    for (int n = 0; n < 3; ++n) report("a.x", 100);
    world.pass(1h);
    EXPECT_EQ(arrived("a.x"), "1");
    EXPECT_TRUE(in_touch());
    EXPECT_TRUE(site.cell->peers().parent()->status_waits);
    EXPECT_EQ(site.cell->meters().waiting(std::string(parent_tag)).reason, "BudgetUsed");
    write_allocation("late", "r");
    world.pass(1s);
    EXPECT_TRUE(has(site, Kind::allocation, "late"));
    world.pass(day);
    EXPECT_EQ(arrived("a.x"), "4");
    EXPECT_FALSE(site.cell->peers().parent()->status_waits);
}

TEST_F(MetersTest, A_larger_budget_lets_it_through_at_once) {
    boot();
    write_uplink("1M");
    world.pass(5s);
    site.cell->meters().count(std::string(parent_tag), sync::Flow::bulk, {.sent = 0, .received = 1'000'000});
    report("a.x", 100);
    world.pass(10s);
    EXPECT_EQ(arrived("a.x"), "");
    write_uplink("5M");
    world.pass(1s);
    EXPECT_EQ(arrived("a.x"), "1");
    EXPECT_EQ(site.cell->meters().waiting(std::string(parent_tag)), Waiting{});
}

TEST_F(MetersTest, Restarts_give_no_second_budget) {
    boot();
    write_uplink("1M");
    world.pass(5s);
    std::uint64_t up = 0;
    for (int n = 0; n < 40; ++n) {
        std::uint64_t before = world.bytes;
        report("a.x", 60'000);
        world.pass(2s);
        up += world.bytes - before;
        if (n % 3 == 2) {
            site.crash();
            boot_site();
            world.pass(1min);
        }
    }
    EXPECT_LE(up, 1'000'000u);
    EXPECT_GE(up, 500'000u) << "what a crash may have forgotten is not all of it";
}

TEST_F(MetersTest, An_idle_hour_notes_nothing) {
    boot();
    write_uplink("1M");
    world.pass(5s);
    auto note = [&] { return site.store->note("link.use", parent_tag); };
    auto before = note();
    ASSERT_TRUE(before);
    auto notes_at_core = core.store->note("link.use", "site/store-17");
    world.pass(3h);
    EXPECT_EQ(note(), before);
    EXPECT_EQ(core.store->note("link.use", "site/store-17"), notes_at_core);
    report("a.x", 60'000);
    world.pass(2s);
    EXPECT_NE(note(), before);
    site.cell->meters().settle();
    world.settle();
    site.crash();
    boot_site();
    EXPECT_EQ(link_of(site).find("unseen"), std::string::npos);
}

TEST_F(MetersTest, Windows_hold_bulk_where_the_time_is_known) {
    boot();
    write_uplink({}, {{"0 3 * * *", "1h"}}); // it is 2027-01-15T08:00:01Z
    world.pass(5s);
    std::string tag = "site/store-17";
    EXPECT_EQ(core.cell->meters().bulk_room(tag), 0u);
    EXPECT_FALSE(core.cell->meters().status_room(tag));
    Waiting why = core.cell->meters().waiting(tag);
    EXPECT_EQ(why.reason, "OutsideWindow");
    EXPECT_EQ(why.message,
              "images wait for the next window, at 2027-01-16 03:00 UTC; to let them through sooner, add a window to "
              "spec.uplinks[name=wan].windows, or leave them out");
    EXPECT_FALSE(site.cell->meters().bulk_room(std::string(parent_tag))) << "nobody told the site the time";
    std::vector<Instant> turns;
    core.cell->meters().on_turn([&](const std::string&) { turns.push_back(world.now); });
    world.pass(24h);
    ASSERT_EQ(turns.size(), 2u);
    EXPECT_EQ(turns[1] - turns[0], 1h);
    write_uplink({}, {{"0 3 * * *", "1h"}, {"0 * * * *", "1h"}});
    world.pass(1s);
    EXPECT_FALSE(core.cell->meters().bulk_room(tag));
    model::Site shown;
    core.cell->meters().report(tag, *shown.mutable_status()->mutable_conditions());
    EXPECT_TRUE(model::holds(shown.status().conditions(), "WindowOpen"));
    EXPECT_FALSE(model::find_condition(shown.status().conditions(), "WithinBudget"));
}

TEST_F(MetersTest, A_Site_shows_what_crossed_its_link) {
    boot();
    write_uplink("1M");
    world.pass(3min);
    report("a.x", 5'000);
    world.pass(2s);
    std::string at_core = link_of(core);
    EXPECT_NE(at_core.find(R"(day: "2027-01-15")"), std::string::npos) << at_core;
    EXPECT_NE(at_core.find(R"(name: "lease")"), std::string::npos) << at_core;
    EXPECT_NE(at_core.find(R"(name: "status")"), std::string::npos) << at_core;
    EXPECT_NE(at_core.find("cost: \"0.0"), std::string::npos) << at_core;
    EXPECT_EQ(at_core.find("bulk"), std::string::npos) << at_core;
    auto total = [&](Machine& at, const std::string& tag) {
        std::uint64_t sum = 0;
        model::LinkUse use = at.cell->meters().use(tag);
        for (const auto& lane : use.lanes())
            if (lane.name() != "unseen") sum += std::stoull(lane.sent()) + std::stoull(lane.received());
        return sum;
    };
    EXPECT_NEAR(static_cast<double>(total(core, "site/store-17")), static_cast<double>(total(site, std::string(parent_tag))), 600)
        << "both ends count the same";
    // What is stored has no numbers that change with each beat.
    EXPECT_FALSE(core.store->get<model::Site>({Kind::site, "", "store-17"})->status().has_link());
}

} // namespace

} // namespace skerry::cell
