#include "fleet/fleet.h"
#include "fleet/rest.h"
#include "store/memory/memory_backend.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

namespace skerry::fleet {
namespace {

/// Turns at every change of a Site, as far as its rest lets it.
class Restful final : public cell::Loop {
public:
    Restful(cell::Cell& cell, int& turns) : turns_(turns), rest_(cell, "restful") {}
    std::string_view name() const override { return "restful"; }
    bool wakes(const store::Change& change) const override { return change.key.kind == model::Kind::site; }
    void turn() override { turns_ += rest_.is_over(); }

private:
    int& turns_;
    Rest rest_;
};

class RestTest : public testing::Test {
protected:
    RestTest() {
        cell->add(std::make_unique<Restful>(*cell, turns));
        cell->start();
        world.settle();
    }
    void make_sites(int from, int until) {
        for (int n = from; n < until; ++n) {
            ensure_site(
                *cell,
                {.name = "s" + std::to_string(n), .labels = {}, .values = {}, .parents = {}, .jurisdiction = {}, .profile = {}},
                [](auto) {});
            world.settle();
        }
    }

    store::TestEnv world{1};
    std::shared_ptr<store::MemoryDisk> disk = std::make_shared<store::MemoryDisk>();
    std::unique_ptr<store::Store> store = *store::Store::open(world.env(), std::make_unique<store::MemoryBackend>(disk), {});
    std::unique_ptr<cell::Cell> cell = cell::Cell::make(
        world.env(), *store, {.self = {.role = env::Peer::Role::core, .name = "core", .cell = {}}, .version = "test"}, nullptr,
        nullptr);
    int turns = 0;
};

TEST_F(RestTest, A_small_fleet_does_not_notice) {
    int before = turns;
    make_sites(0, 50);
    EXPECT_GE(turns, before + 50);
}

TEST_F(RestTest, A_turn_that_nothing_calls_for_comes_seldom_in_a_large_fleet) {
    Rest rest(*cell, "other");
    make_sites(0, 50);
    EXPECT_EQ(rest.period(2s), 2s);
    make_sites(50, 400);
    EXPECT_EQ(rest.period(100ms), 200ms);
    EXPECT_EQ(rest.period(2s), 2s);
}

TEST_F(RestTest, Many_changes_of_a_large_fleet_cost_one_turn_and_the_last_is_seen) {
    make_sites(0, 1'000);
    world.pass(1s);
    world.settle();
    int before = turns;
    make_sites(1'000, 1'200);
    EXPECT_LE(turns, before + 1);
    world.pass(1s);
    world.settle();
    EXPECT_GE(turns, before + 1);
    EXPECT_LE(turns, before + 2);
}

} // namespace
} // namespace skerry::fleet
