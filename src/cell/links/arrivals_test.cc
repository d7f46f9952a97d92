#include "cell/links/arrivals.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

namespace skerry::cell {
namespace {

/// A wire whose other end is the test.
class TestWire final : public env::Wire {
public:
    struct End {
        Listener* listener = nullptr;
        std::vector<std::string> sent;
        bool open = true;
    };
    TestWire(std::shared_ptr<End> end, std::string name)
        : end_(std::move(end)), peer_{env::Peer::Role::site, std::move(name), {}} {
        peer_.cell = CellId(Id{1, 1});
    }
    ~TestWire() override {
        end_->open = false;
        end_->listener = nullptr;
    }
    const env::Peer& peer() const override { return peer_; }
    env::Channel channel() const override { return env::Channel::control; }
    void listen(Listener& listener) override { end_->listener = &listener; }
    void send(std::string message) override { end_->sent.push_back(std::move(message)); }
    std::size_t unsent() const override { return 0; }
    Traffic traffic() const override { return {}; }

private:
    std::shared_ptr<End> end_;
    env::Peer peer_;
};

struct ArrivalsTest : testing::Test {
    store::TestEnv world{1};
    int met = 0;
    Arrivals arrivals{world.env().timers, [this](std::unique_ptr<env::Wire> wire, const sync::Hello&, std::string) {
                          ++met;
                          served.push_back(std::move(wire));
                      }};
    std::vector<std::unique_ptr<env::Wire>> served;

    std::shared_ptr<TestWire::End> arrive() {
        auto end = std::make_shared<TestWire::End>();
        arrivals.add(std::make_unique<TestWire>(end, "store-17"));
        return end;
    }
    std::string hello() {
        return sync::encode(sync::Hello{.version = "1", .cell = CellId(Id{1, 1}), .incarnation = IncarnationId(Id{2, 2})});
    }
};

TEST_F(ArrivalsTest, AHelloIsMetAndSilenceIsRefused) {
    auto talks = arrive(), silent = arrive();
    talks->listener->arrived(hello());
    EXPECT_EQ(met, 1);
    world.pass(31s);
    world.settle();
    EXPECT_FALSE(silent->open);
    EXPECT_EQ(silent->sent.size(), 1u);
    EXPECT_TRUE(talks->open);
}

TEST_F(ArrivalsTest, WhatComesOnAWireThatWasRefusedIsPassedOver) {
    // The fifth of one child makes the first give way; its wire goes a moment later.
    std::vector<std::shared_ptr<TestWire::End>> ends;
    for (std::size_t n = 0; n <= Arrivals::most; ++n) ends.push_back(arrive());
    ASSERT_EQ(ends[0]->sent.size(), 1u);
    ASSERT_TRUE(ends[0]->open);
    ends[0]->listener->arrived(hello());
    ends[0]->listener->arrived("rubbish");
    ends[0]->listener->closed("the other side closed the connection");
    EXPECT_EQ(met, 0);
    world.settle();
    EXPECT_FALSE(ends[0]->open);
    for (auto& end : ends)
        if (end->listener) end->listener->arrived(hello());
    EXPECT_EQ(met, 4);
}

} // namespace
} // namespace skerry::cell
