#include "base/test_seeds.h"
#include "sync/fake_link_test.h"

#include <gtest/gtest.h>

#include <string>

/// Lanes counted apart, and status that waits for room (rule L6).
namespace skerry::sync {

namespace {

TEST(SessionBudget, BothEndsCountTheSame) {
    FakeLink link;
    for (std::uint64_t n = 0; n < 50; ++n) link.parent.put(Lane::desired, key_of(n), std::string(500, 'w'));
    for (std::uint64_t n = 0; n < 40; ++n) link.child.put(Lane::status, key_of(100 + n, 10, 1), std::string(300, 's'));
    link.parent.put(Lane::desired, key_of(900), std::string(200'000, 'f')); // in fragments
    link.connect();
    ASSERT_TRUE(link.pass(5s));
    ASSERT_TRUE(link.agree());
    Uses parent = link.parent.session->take_uses(), child = link.child.session->take_uses();
    std::uint64_t total = 0;
    for (std::size_t n = 0; n < flows; ++n) {
        EXPECT_EQ(parent.of[n].sent, child.of[n].received) << word(static_cast<Flow>(n));
        EXPECT_EQ(parent.of[n].received, child.of[n].sent) << word(static_cast<Flow>(n));
        total += parent.of[n].both();
    }
    EXPECT_GT(parent[Flow::desired].sent, 225'000u);
    EXPECT_GT(parent[Flow::status].received, 12'000u);
    EXPECT_LT(parent[Flow::status].received, 20'000u);
    EXPECT_GT(child[Flow::lease].sent, 4u * 40);
    EXPECT_GT(child[Flow::security].sent, 0u);
    EXPECT_EQ(parent[Flow::bulk], Use{});
    EXPECT_GE(total, link.bytes + link.messages * (52 + 22 + 6 + 52 / 2));
    EXPECT_EQ(link.parent.session->take_uses(), Uses{});
}

/// Rule H3: asking for what was forgotten, and the answers, count on their lane at both ends.
TEST(SessionBudget, WhatComesBackIsCountedOnItsLane) {
    FakeLink link;
    link.parent.put(Lane::desired, key_of(1), "kept");
    link.connect();
    ASSERT_TRUE(link.settle());
    auto backup = link.parent.save();
    for (std::uint64_t n = 0; n < 100; ++n) link.parent.put(Lane::desired, key_of(10 + n), std::string(1'000, 'f'));
    link.parent.put(Lane::desired, key_of(900), std::string(200'000, 'f')); // in fragments
    ASSERT_TRUE(link.settle());
    link.cut();
    link.parent.restore(backup);
    link.parent.takes_back = true;
    (void)link.child.session->take_uses();
    link.connect();
    ASSERT_TRUE(link.pass(5s));
    ASSERT_TRUE(link.agree());
    ASSERT_GE(link.parent.returned.size(), 101u);
    Uses parent = link.parent.session->take_uses(), child = link.child.session->take_uses();
    for (std::size_t n = 0; n < flows; ++n) {
        EXPECT_EQ(parent.of[n].sent, child.of[n].received) << word(static_cast<Flow>(n));
        EXPECT_EQ(parent.of[n].received, child.of[n].sent) << word(static_cast<Flow>(n));
    }
    EXPECT_GT(parent[Flow::desired].received, 300'000u);
    EXPECT_LT(parent[Flow::security].both(), 2'000u);
    EXPECT_LT(parent[Flow::status].both(), 2'000u);
}

TEST(SessionBudget, StatusWaitsAndWishesDoNot) {
    FakeLink link;
    link.child.session->set_status_room(0);
    link.connect();
    ASSERT_TRUE(link.settle());
    for (int n = 0; n < 5; ++n) link.child.put(Lane::status, key_of(1, 10, 1), "state " + std::to_string(n));
    link.parent.put(Lane::desired, key_of(2), "wish");
    link.child.put(Lane::desired, key_of(3, 9, 0, cell_id(2)), "of the site's own");
    std::uint64_t messages = link.messages;
    ASSERT_TRUE(link.pass(10s));
    EXPECT_TRUE(link.up);
    EXPECT_LE(link.messages - messages, 10u + 4u) << "beats go on, and nobody asks again and again";
    EXPECT_TRUE(link.child.mirrors(link.parent, Lane::desired));
    EXPECT_TRUE(link.parent.mirrors(link.child, Lane::desired));
    EXPECT_TRUE(link.parent.held[1].empty());
    EXPECT_TRUE(link.child.session->view().status_waits);
    EXPECT_FALSE(link.child.session->view().agreement);

    link.child.session->set_status_room({});
    ASSERT_TRUE(link.pass(1s));
    EXPECT_TRUE(link.agree());
    EXPECT_EQ(link.parent.received[key_of(1, 10, 1)], 1) << "only the newest";
    EXPECT_FALSE(link.child.session->view().status_waits);
}

TEST(SessionBudget, WhatFitsIsSentAndAgreesAfterACut) {
    FakeLink link;
    link.connect();
    ASSERT_TRUE(link.settle());
    for (std::uint64_t n = 0; n < 20; ++n) link.child.put(Lane::status, key_of(n, 10, 1), std::string(1'000, 's'));
    link.child.session->set_status_room(8'000);
    ASSERT_TRUE(link.pass(100ms));
    std::size_t held = link.parent.held[1].size();
    EXPECT_GE(held, 4u);
    EXPECT_LE(held, 8u);
    std::uint64_t used = link.child.session->take_uses()[Flow::status].both();
    EXPECT_LE(used, 8'000u);
    link.child.session->set_status_room(0);
    ASSERT_TRUE(link.pass(2s));
    EXPECT_EQ(link.parent.held[1].size(), held);

    link.cut();
    link.connect();
    ASSERT_TRUE(link.pass(2s));
    EXPECT_EQ(link.ended, "");
    EXPECT_EQ(link.parent.held[1].size(), held);
    link.child.session->set_status_room({});
    ASSERT_TRUE(link.pass(2s));
    EXPECT_TRUE(link.agree());
    for (const auto& [key, count] : link.parent.received) EXPECT_EQ(count, 1) << key.text();
}

/// Room that comes and goes, cuts, crashes: status batches never take more than there was room for, and in the end all agree.
TEST(SessionBudget, NeverMoreThanTheRoom) {
    for (std::uint64_t seed = 1, end = test::seeds(200); seed <= end; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        env::SeededChance chance(seed);
        auto pick = [&](std::uint64_t below) { return chance.bits() % below; };
        FakeLink link;
        link.connect();
        ASSERT_TRUE(link.settle());
        std::uint64_t room = pick(20'000);
        link.child.session->set_status_room(room);
        (void)link.child.session->take_uses();
        bool crashed = false;
        for (int step = 0; step < 60; ++step) {
            for (std::uint64_t n = pick(6); n > 0; --n) {
                ItemKey key = key_of(pick(30), 10, 1, cell_id(2));
                if (pick(6) == 0)
                    link.child.drop(Lane::status, key);
                else
                    link.child.put(Lane::status, key,
                                   std::string(pick(10) ? pick(2'000) : pick(90'000), 's') + std::to_string(step));
            }
            if (pick(10) == 0) link.cut(), link.connect();
            // Afterwards differences are looked for, which costs what it costs.
            if (pick(40) == 0) link.crash_parent(), crashed = true;
            ASSERT_TRUE(link.pass(500ms));
            ASSERT_EQ(link.ended, "");
            std::uint64_t used = link.child.session->take_uses()[Flow::status].both();
            ASSERT_TRUE(crashed || used <= room) << used << " of " << room;
            room = room > used ? room - used : 0;
            if (pick(4) == 0) room += pick(50'000);
            link.child.session->set_status_room(room);
        }
        link.child.session->set_status_room({});
        ASSERT_TRUE(link.pass(3s));
        EXPECT_TRUE(link.agree());
    }
}

TEST(SessionBudget, AnIdleBeatTellsNoDigestTwiceAndStillFindsWhatRots) {
    FakeLink link;
    link.parent.put(Lane::desired, key_of(1), "wish");
    link.child.put(Lane::status, key_of(2, 10, 1, cell_id(2)), "state");
    link.connect();
    ASSERT_TRUE(link.pass(3s));
    ASSERT_TRUE(link.agree());
    std::uint64_t bytes = link.bytes, messages = link.messages;
    ASSERT_TRUE(link.pass(10s));
    EXPECT_EQ(link.messages - messages, 10u);
    EXPECT_EQ(link.bytes - bytes, 40u);
    // Behind the protocol's back, and the child reads its disk anew.
    link.child.held[0].begin()->second.bytes = "rot";
    link.crash_child();
    ASSERT_TRUE(link.pass(5s));
    EXPECT_TRUE(link.agree());
    // At the parent, whose memory of the child's status is lost on the way.
    link.parent.held[1].clear();
    link.crash_parent();
    ASSERT_TRUE(link.pass(5s));
    EXPECT_TRUE(link.agree());
}

/// With a parent of format 2, which takes a digest that is left out for zero.
TEST(SessionBudget, AnOlderParentIsToldAllDigests) {
    FakeLink link;
    link.parent.put(Lane::desired, key_of(1), "wish");
    link.parent.session->connected(link.now);
    link.child.session->connected(link.now);
    auto hello = decode(*link.parent.session->take_output(link.now)).value();
    std::get<Hello>(hello).format = 2;
    link.child.session->received(encode(hello), link.now);
    EXPECT_EQ(link.child.session->view().format, 2u);
    ASSERT_TRUE(link.child.session->take_output(link.now)); // its hello
    for (int n = 0; n < 4; ++n) {
        link.now = link.now + 1s;
        auto beat = link.child.session->take_output(link.now);
        ASSERT_TRUE(beat);
        EXPECT_FALSE(std::get<Beat>(decode(*beat).value()).same);
    }
}

TEST(SessionBudget, TheParentLearnsHowTheWayCarriesWhenThatChanges) {
    FakeLink link;
    link.child.session->set_path({.round_trip_us = 40'000, .loss = 0});
    link.connect();
    ASSERT_TRUE(link.pass(1500ms));
    EXPECT_EQ(link.parent.session->path(), (Path{40'000, 0}));
    auto cost_of_beats = [&] {
        std::uint64_t bytes = link.bytes;
        EXPECT_TRUE(link.pass(4s));
        return link.bytes - bytes;
    };
    std::uint64_t idle = cost_of_beats();
    link.child.session->set_path({.round_trip_us = 45'000, .loss = 2}); // of no interest
    EXPECT_EQ(cost_of_beats(), idle);
    EXPECT_EQ(link.parent.session->path(), (Path{40'000, 0}));
    link.child.session->set_path({.round_trip_us = 600'000, .loss = 20});
    EXPECT_LE(cost_of_beats(), idle + 8);
    EXPECT_EQ(link.parent.session->path(), (Path{600'000, 20}));
    link.crash_parent();
    ASSERT_TRUE(link.pass(1500ms));
    EXPECT_EQ(link.parent.session->path(), (Path{600'000, 20}));
}

} // namespace

} // namespace skerry::sync
