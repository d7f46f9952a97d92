#include "site/neighbours.h"

#include "cell/test_world.h"
#include "model/site.pb.h"

#include <gtest/gtest.h>

namespace skerry::site {
namespace {

using cell::FakeWire;
using cell::Machine;
using cell::Pipe;
using cell::World;
using Role = env::Peer::Role;

/// A site, and its way to one other site.
struct Place final : env::Dialer {
    Place(World& world, const std::string& name, std::uint64_t seed)
        : world(world), machine(world, {Role::site, name, {}}, {.version = "1"}, seed) {
        machine.boot(nullptr, nullptr);
        neighbours = std::make_unique<Neighbours>(machine.env(), *machine.store, name, *this, [this] { ++turns; });
    }
    std::unique_ptr<env::Timer> dial(const std::string&, env::Channel,
                                     std::function<void(Result<std::unique_ptr<env::Wire>>)> then) override {
        ++dials;
        return machine.after(1ms, [this, then = std::move(then)] {
            if (world.is_cut || !other) return then(fail(Code::unavailable, "nobody answers"));
            auto pipe = std::make_shared<Pipe>(world);
            world.pipes.push_back(pipe);
            other->neighbours->accept(std::make_unique<FakeWire>(pipe, 1, machine.peer()));
            then(std::make_unique<FakeWire>(pipe, 0, other->machine.peer()));
        });
    }
    void wish(std::vector<std::string> peers) {
        model::Site site;
        auto before = machine.store->get({model::Kind::site, "", machine.peer().name});
        Uid uid = before ? before->uid : Uid(machine.chance.id());
        std::uint32_t generation = before ? before->generation + 1 : 1;
        site.mutable_metadata()->set_name(machine.peer().name);
        site.mutable_metadata()->set_uid(uid.text());
        site.mutable_spec()->add_uplinks()->set_beat("1s");
        for (const auto& name : peers) {
            auto& peer = *site.mutable_spec()->add_peers();
            peer.set_name(name);
            peer.add_addresses(name + ":7444");
        }
        store::Transaction transaction;
        transaction.put({model::Kind::site, "", machine.peer().name}, uid, machine.store->cell(), generation,
                        site.SerializeAsString(), store::Transaction::anything());
        machine.store->commit(std::move(transaction), nullptr);
        world.settle();
    }

    World& world;
    Machine machine;
    Place* other = nullptr;
    std::unique_ptr<Neighbours> neighbours;
    int turns = 0, dials = 0;
};

class NeighboursTest : public testing::Test {
protected:
    NeighboursTest() : one(world, "store-1", 1), two(world, "store-2", 2) {
        one.other = &two;
        two.other = &one;
        one.neighbours->start();
        two.neighbours->start();
        two.wish({});
    }
    using Names = std::vector<std::string>;

    World world;
    Place one, two;
};

TEST_F(NeighboursTest, OneDialsAndBothHear) {
    one.wish({"store-2"});
    world.pass(3s);
    EXPECT_EQ(one.neighbours->heard(), Names{"store-2"});
    EXPECT_EQ(two.neighbours->heard(), Names{"store-1"});
    EXPECT_EQ(two.dials, 0);
    world.pass(1h);
    EXPECT_EQ(one.dials, 1);
    EXPECT_EQ(one.turns, 1) << "nothing is told while nothing changes";
}

TEST_F(NeighboursTest, SilenceIsNoticedAndMended) {
    one.wish({"store-2"});
    world.pass(3s);
    world.cut();
    world.pass(3s);
    EXPECT_EQ(one.neighbours->heard(), Names{"store-2"}) << "a moment is no silence";
    world.pass(5s);
    EXPECT_TRUE(one.neighbours->heard().empty());
    EXPECT_TRUE(two.neighbours->heard().empty());
    world.pass(1h);
    EXPECT_LT(one.dials, 150) << "with back-off";
    world.heal();
    world.pass(70s);
    EXPECT_EQ(one.neighbours->heard(), Names{"store-2"});
    EXPECT_EQ(two.neighbours->heard(), Names{"store-1"});
}

TEST_F(NeighboursTest, OneThatIsNoNeighbourAnyMoreIsLetGo) {
    one.wish({"store-2"});
    world.pass(3s);
    one.wish({});
    world.pass(10s);
    EXPECT_TRUE(one.neighbours->heard().empty());
    EXPECT_TRUE(two.neighbours->heard().empty());
}

TEST_F(NeighboursTest, AnotherThatAnswersAtItsAddressIsNotHeard) {
    one.wish({"store-3"});
    world.pass(1min);
    EXPECT_TRUE(one.neighbours->heard().empty());
}

TEST_F(NeighboursTest, WhatIsNoBeatClosesTheWire) {
    for (std::string message : {"", "x", "-1", "0", "123456789", "1000 "}) {
        auto pipe = std::make_shared<Pipe>(world);
        FakeWire hostile(pipe, 0, two.machine.peer());
        two.neighbours->accept(std::make_unique<FakeWire>(pipe, 1, one.machine.peer()));
        hostile.send(message);
        world.settle();
        EXPECT_TRUE(two.neighbours->heard().empty()) << message;
        EXPECT_TRUE(pipe->closed) << message;
    }
}

} // namespace
} // namespace skerry::site
