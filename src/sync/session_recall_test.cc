#include "sync/fake_link_test.h"

#include <gtest/gtest.h>

#include <string>

/// Senders whose history went back, and what their receivers give back to them (rule H3).
namespace skerry::sync {

namespace {

/// The parent's disk is back at before it said "two"; the link is down.
void forget_two(FakeLink& link) {
    link.parent.put(desired, key_of(1), "one");
    link.connect();
    ASSERT_TRUE(link.settle());
    auto backup = link.parent.save();
    link.parent.put(desired, key_of(2), "two");
    ASSERT_TRUE(link.settle());
    link.cut();
    link.parent.restore(backup);
}

TEST(SessionRecall, ASenderThatWentBackRemovesNothing) {
    FakeLink link;
    forget_two(link);
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.parent.session->view().history_behind);
    EXPECT_EQ(link.parent.session->view().orphans, 1u);
    EXPECT_TRUE(link.child.held[0].contains(key_of(2)));
    EXPECT_TRUE(link.up);
    ASSERT_TRUE(link.pass(10s));
    EXPECT_TRUE(link.up);
    link.parent.put(desired, key_of(3), "three");
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.child.held[0].contains(key_of(3)));
    EXPECT_TRUE(link.child.held[0].contains(key_of(2)));
}

TEST(SessionRecall, ASenderThatWentBackIsGivenBackWhatItForgot) {
    FakeLink link;
    for (std::uint64_t n = 0; n < 400; ++n) link.parent.put(desired, key_of(n), "kept " + std::to_string(n));
    link.connect();
    ASSERT_TRUE(link.settle());
    auto backup = link.parent.save();
    // More than one recall can ask for, one too long for a message, and one that the backup knows in an earlier generation.
    for (std::uint64_t n = 1'000; n < 1'300; ++n) link.parent.put(desired, key_of(n), "new " + std::to_string(n));
    std::string large(300'000, 'x');
    link.parent.put(desired, key_of(1'001), large);
    link.parent.put(desired, key_of(7), "changed");
    ASSERT_TRUE(link.settle());
    for (bool cut : {false, true}) {
        link.cut();
        link.parent.restore(backup);
        link.parent.takes_back = true;
        link.parent.returned.clear();
        auto received = link.child.received;
        link.connect();
        for (int step = 0; cut && step < 40; ++step) {
            link.output(link.parent), link.output(link.child), link.deliver(link.child), link.deliver(link.parent);
            if (step == 39) link.connect(); // in the middle of a recall: it is asked again
        }
        ASSERT_TRUE(link.settle());
        ASSERT_TRUE(link.pass(3s));
        EXPECT_TRUE(link.agree());
        EXPECT_FALSE(link.parent.session->view().recalling);
        EXPECT_EQ(link.parent.session->view().orphans, 0u);
        EXPECT_GE(link.parent.returned.size(), 301u);
        EXPECT_EQ(*link.parent.mine[0].at(key_of(7)).bytes, "changed");
        EXPECT_EQ(*link.parent.mine[0].at(key_of(1'001)).bytes, large);
        EXPECT_EQ(link.parent.returned.front().seal, std::string(16, 's'));
        // What the backup had, and nobody changed, did not cross; and the child never saw the old one again.
        EXPECT_EQ(link.child.received.at(key_of(8)), received.at(key_of(8)));
        EXPECT_EQ(link.child.held[0].at(key_of(7)).bytes, "changed");
    }
}

/// The power of both went in the middle of a batch, and the parent's disk is put back: only the part that landed tells.
TEST(SessionRecall, ThePartOfABatchThatLandedTellsOfTheHistoryThatWentBack) {
    for (bool crash : {false, true}) {
        FakeLink link;
        link.parent.takes_back = true;
        for (std::uint64_t n = 0; n < 10; ++n) link.parent.put(desired, key_of(n), "kept");
        link.connect();
        ASSERT_TRUE(link.settle());
        auto backup = link.parent.save();
        for (std::uint64_t n = 100; n < 1'100; ++n) link.parent.put(desired, key_of(n), "new");
        link.parent.put(desired, key_of(3), "changed");
        std::uint64_t landed = link.child.landed;
        while (link.child.landed < landed + 2)
            link.output(link.parent), link.deliver(link.child), link.output(link.child), link.land(link.child);
        link.cut();
        if (crash) link.child.crash();
        while (link.land(link.child)) {
        }
        auto held = link.child.held[0];
        ASSERT_GT(held.size(), 100u);
        ASSERT_LT(held.size(), 900u);
        link.parent.restore(backup);
        link.connect();
        ASSERT_TRUE(link.settle());
        ASSERT_TRUE(link.pass(3s));
        EXPECT_TRUE(link.parent.session->view().history_behind);
        EXPECT_TRUE(link.agree());
        for (const auto& [key, got] : held) ASSERT_TRUE(link.parent.mine[0].contains(key)) << key.text();
        EXPECT_FALSE(link.child.open) << "the end came";
    }
}

TEST(SessionRecall, APartOfABatchTellsNothingWhereTheSenderKnowsIt) {
    FakeLink link;
    for (std::uint64_t n = 0; n < 400; ++n) link.parent.put(desired, key_of(n), "new");
    link.connect();
    while (link.child.landed < 2)
        link.output(link.parent), link.deliver(link.child), link.output(link.child), link.deliver(link.parent),
            link.land(link.child);
    ASSERT_TRUE(link.child.open);
    link.crash_parent();
    ASSERT_TRUE(link.settle());
    EXPECT_FALSE(link.parent.session->view().history_behind);
    EXPECT_TRUE(link.agree());
    EXPECT_FALSE(link.child.open);
}

TEST(SessionRecall, APeerThatAnswersNoRecallHoldsNothingUp) {
    FakeLink link;
    forget_two(link);
    link.connect();
    link.parent.put(desired, key_of(3), "three");
    // Everything but the recall arrives.
    for (int i = 0; i < 200; ++i) {
        link.output(link.parent), link.output(link.child);
        std::erase_if(link.down_wire, [](const std::string& message) {
            auto frame = decode(message);
            return frame && std::holds_alternative<Recall>(*frame);
        });
        link.deliver(link.child), link.deliver(link.parent), link.land(link.child), link.land(link.parent);
    }
    EXPECT_TRUE(link.parent.session->view().recalling);
    EXPECT_FALSE(link.child.held[0].contains(key_of(3)));
    ASSERT_TRUE(link.pass(3min, 1s));
    EXPECT_TRUE(link.child.held[0].contains(key_of(3)));
    EXPECT_TRUE(link.child.held[0].contains(key_of(2))) << "absence deletes nothing";
}

/// Over a slow link one answer may take minutes; it comes, and is waited for.
TEST(SessionRecall, WhatIsOnItsWayIsWaitedFor) {
    FakeLink link;
    for (std::uint64_t n = 0; n < 10; ++n) link.parent.put(desired, key_of(n), "kept");
    link.connect();
    ASSERT_TRUE(link.settle());
    auto backup = link.parent.save();
    // Several messages, since one holds no more than so much.
    for (std::uint64_t n = 100; n < 105; ++n) link.parent.put(desired, key_of(n), std::string(400'000, 'x'));
    ASSERT_TRUE(link.settle());
    link.cut();
    link.parent.restore(backup);
    link.parent.takes_back = true;
    link.connect();
    // A message from below each 90 s; beats and all else at once.
    std::size_t late = 0;
    for (int i = 0; i < 4'000 && !(link.agree() && link.parent.returned.size() >= 5); ++i) {
        link.output(link.parent), link.output(link.child), link.deliver(link.child);
        while (!link.up_wire.empty()) {
            bool is_large = link.up_wire.front().size() > 50'000;
            if (is_large) link.now = link.now + 90s, ++late;
            link.parent.session->received(link.up_wire.front(), link.now);
            link.up_wire.pop_front();
        }
        link.parent.session->tick(link.now);
        link.parent.take_back();
        link.land(link.child), link.land(link.parent);
        link.now = link.now + 10ms;
    }
    EXPECT_GE(late, 3u) << "longer than the patience, all in all";
    EXPECT_EQ(link.parent.returned.size(), 5u);
    EXPECT_TRUE(link.parent.mine[0].contains(key_of(104)));
}

TEST(SessionRecall, WhatTheReceiverCannotGiveBackIsNoWishAndGoes) {
    FakeLink link;
    forget_two(link);
    link.child.gives_back = false;
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_FALSE(link.child.held[0].contains(key_of(2)));
    EXPECT_EQ(link.parent.session->view().orphans, 0u);
}

TEST(SessionRecall, WhatNobodyRecalledIsRefused) {
    FakeLink link;
    forget_two(link);
    link.connect();
    for (int i = 0; i < 200 && link.parent.session->view().recalling == false; ++i)
        link.output(link.parent), link.output(link.child), link.deliver(link.child), link.deliver(link.parent);
    ASSERT_TRUE(link.parent.session->view().recalling);
    link.output(link.parent);
    Item forged{key_of(77), 9, std::make_shared<const std::string>("mine now"), "sealed"};
    link.parent.session->received(encode(Returned{desired, {forged}, true}), link.now);
    ASSERT_TRUE(link.parent.session->over());
    EXPECT_NE(link.parent.session->over()->find("nobody asked for"), std::string::npos) << *link.parent.session->over();
}

/// Of a sender that decides nothing the peer keeps no durable cursor: it knows the openings that it has seen.
TEST(SessionRecall, AnOpeningThatTheStoreLacksTellsOfAHistoryThatWentBack) {
    FakeLink link;
    link.child.put(status, key_of(1, 10, 1), "x");
    link.connect();
    ASSERT_TRUE(link.settle());
    auto backup = link.child.save();
    link.crash_child();
    ASSERT_TRUE(link.pass(1s));
    EXPECT_FALSE(link.child.session->view().history_behind);
    link.child.put(status, key_of(1, 10, 1), "y");
    ASSERT_TRUE(link.pass(1s));
    link.cut();
    link.child.restore(backup);
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.child.session->view().history_behind);
}

TEST(SessionRecall, SoftNumbersForgottenByACrashAreNoHistoryThatWentBack) {
    FakeLink link;
    link.child.put(status, key_of(1, 10, 1), "x");
    link.connect();
    ASSERT_TRUE(link.settle());
    link.cut();
    link.child.mine[1].clear();
    link.child.crash();
    link.child.incarnations.front().second = 0; // the opening is durable, what was soft in it is not
    link.connect();
    ASSERT_TRUE(link.pass(1s));
    EXPECT_FALSE(link.child.session->view().history_behind);
    EXPECT_TRUE(link.agree());
}

} // namespace

} // namespace skerry::sync
