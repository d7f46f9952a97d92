#include "base/test_seeds.h"
#include "sync/fake_link_test.h"

#include <gtest/gtest.h>

#include <string>

namespace skerry::sync {

namespace {

/// Edits, steps, cuts and crashes in an order drawn from a seed; then a heal. Both sides must agree, nothing that was
/// acknowledged may be missing, and with nothing crashed each version is received at most once.
void run(std::uint64_t seed, bool crashes) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    env::SeededChance chance(seed);
    auto pick = [&](std::uint64_t below) { return chance.bits() % below; };
    FakeLink link;
    std::uint64_t objects = 1 + pick(60);
    std::map<std::pair<ItemKey, std::string>, int> sent;
    int versions = 0;
    for (int step = 0; step < 600; ++step) {
        Place& side = pick(2) ? link.parent : link.child;
        std::uint64_t own = &side == &link.parent ? 1 : 2;
        Lane lane = pick(3) ? Lane::desired : Lane::status;
        ItemKey key = key_of(pick(objects), 1 + pick(10), lane == Lane::status ? 1 : 0, cell_id(own));
        switch (pick(12)) {
        case 0:
        case 1:
        case 2:
            side.put(lane, key, "v" + std::to_string(++versions) + std::string(pick(20) ? pick(200) : pick(40'000), 'x'));
            break;
        case 3:
            side.drop(lane, key);
            break;
        case 4:
            link.now = link.now + Duration(pick(300'000'000));
            break;
        case 5:
            if (pick(4) == 0) link.cut();
            break;
        case 6:
            if (!link.up) link.connect();
            break;
        case 7:
            if (crashes && pick(8) == 0) pick(2) ? link.crash_parent() : link.crash_child();
            break;
        default:
            for (std::uint64_t n = pick(6); n > 0; --n) {
                switch (pick(3)) {
                case 0:
                    link.output(side);
                    break;
                case 1:
                    link.deliver(side);
                    break;
                case 2:
                    link.land(side);
                    break;
                }
            }
        }
        if (!link.ended.empty()) break;
    }
    ASSERT_EQ(link.ended, "");
    if (!link.up) link.connect();
    ASSERT_TRUE(link.settle());
    ASSERT_TRUE(link.pass(2s));
    ASSERT_EQ(link.ended, "");
    EXPECT_TRUE(link.agree());
    EXPECT_TRUE(link.up);
    if (!crashes) {
        std::uint64_t received = 0;
        for (Place* side : {&link.parent, &link.child})
            for (const auto& [key, count] : side->received) received += static_cast<std::uint64_t>(count);
        EXPECT_LE(received, static_cast<std::uint64_t>(versions));
    }
    std::uint64_t messages = link.messages;
    ASSERT_TRUE(link.pass(10s));
    EXPECT_LE(link.messages - messages, 12u) << "an idle link carries beats only";
}

TEST(SessionProperty, AgreesAfterAnyCuts) {
    for (std::uint64_t seed = 1, end = test::seeds(400); seed <= end; ++seed) {
        run(seed, false);
        if (testing::Test::HasFailure()) return;
    }
}

TEST(SessionProperty, AgreesAfterAnyCutsAndCrashes) {
    for (std::uint64_t seed = 1, end = test::seeds(400); seed <= end; ++seed) {
        run(seed, true);
        if (testing::Test::HasFailure()) return;
    }
}

/// Rule H3: whatever is cut or crashes meanwhile, a sender that went back has again what the receiver held.
TEST(SessionProperty, ASenderThatWentBackIsGivenBackAll) {
    for (std::uint64_t seed = 1, end = test::seeds(200); seed <= end; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        env::SeededChance chance(seed);
        auto pick = [&](std::uint64_t below) { return chance.bits() % below; };
        FakeLink link;
        link.parent.takes_back = true;
        auto edit = [&](std::uint64_t objects) {
            for (std::uint64_t n = pick(objects); n > 0; --n)
                link.parent.put(Lane::desired, key_of(pick(objects), 1 + pick(10)), "v" + std::to_string(chance.bits()));
        };
        edit(400);
        link.connect();
        ASSERT_TRUE(link.settle());
        auto backup = link.parent.save();
        edit(500);
        link.parent.put(Lane::desired, key_of(1'000), "the last");
        if (pick(2) == 0) {
            ASSERT_TRUE(link.settle());
        } else { // some of it lands, and the power goes
            for (std::uint64_t steps = pick(30); steps > 0; --steps)
                link.output(link.parent), link.deliver(link.child), link.output(link.child), link.land(link.child);
        }
        link.cut();
        link.crash_child();
        auto held = link.child.held[0];
        link.parent.restore(backup);
        edit(20);
        link.connect();
        for (std::uint64_t steps = pick(200); steps > 0; --steps) {
            Place& side = pick(2) ? link.parent : link.child;
            (void)any({link.output(side), link.deliver(side), link.land(side)});
            if (pick(60) == 0) link.connect();
            if (pick(90) == 0) pick(2) ? link.crash_parent() : link.crash_child();
        }
        if (!link.up) link.connect();
        ASSERT_TRUE(link.settle());
        ASSERT_TRUE(link.pass(3s));
        ASSERT_EQ(link.ended, "");
        EXPECT_TRUE(link.agree());
        for (const auto& [key, got] : held) ASSERT_TRUE(link.parent.mine[0].contains(key)) << key.text();
    }
}

TEST(SessionProperty, RandomBytesNeitherCrashNorGrow) {
    for (std::uint64_t seed = 1, end = test::seeds(2'000); seed <= end; ++seed) {
        env::SeededChance chance(seed);
        FakeLink link;
        link.connect();
        ASSERT_TRUE(link.settle());
        // Frames that were good, bent a little; and plain noise.
        std::string message =
            chance.bits() % 4 == 0
                ? std::string{}
                : encode(Batch{
                      .items = {{.hash = {},
                                 .item = {.key = key_of(1), .generation = 1, .bytes = std::make_shared<const std::string>("y")}}},
                      .removed = {{1, 2}},
                      .close = 7,
                      .digest = 34});
        if (message.empty()) message.resize(chance.bits() % 200);
        for (std::uint64_t n = chance.bits() % 8; n > 0 && !message.empty(); --n)
            message[chance.bits() % message.size()] = static_cast<char>(chance.bits());
        link.parent.session->received(message, link.now);
        for (int i = 0; i < 10; ++i) {
            (void)link.parent.session->take_output(link.now);
            link.land(link.parent);
        }
        EXPECT_LE(link.parent.held[0].size() + link.parent.held[1].size(), 1u);
    }
}

} // namespace

} // namespace skerry::sync
