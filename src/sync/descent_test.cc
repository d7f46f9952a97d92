#include "sync/descent.h"
#include "sync/fake_link_test.h"

#include <gtest/gtest.h>

#include <string>

namespace skerry::sync {

namespace {

constexpr std::uint64_t many = 8'000;

struct Cost {
    std::uint64_t bytes = 0;
    int half_trips = 0;
};

/// Until the child holds what the parent wants it to hold; then everything must agree.
Cost cost(FakeLink& link, const Place& from, const Place& to) {
    Cost cost{.bytes = link.bytes};
    while (!to.mirrors(from, Lane::desired) && cost.half_trips < 100) {
        link.travel();
        ++cost.half_trips;
    }
    EXPECT_TRUE(link.settle());
    EXPECT_TRUE(link.agree());
    EXPECT_TRUE(link.up) << link.ended;
    cost.bytes = link.bytes - cost.bytes;
    return cost;
}

void fill(Place& place, std::uint64_t count, std::uint64_t home) {
    for (std::uint64_t n = 0; n < count; ++n)
        place.put(Lane::desired, key_of(n, 9, 0, cell_id(home)), std::string(120, 'x') + std::to_string(n));
}

TEST(Descent, ReachesTenChangesInThreeRoundTripsWhicheverSideSends) {
    for (bool down : {true, false}) {
        FakeLink link;
        Place& from = down ? link.parent : link.child;
        Place& to = down ? link.child : link.parent;
        std::uint64_t home = down ? 1 : 2;
        fill(from, many, home);
        link.connect();
        ASSERT_TRUE(link.settle(2'000'000));
        link.cut();
        for (std::uint64_t n = 0; n < 10; ++n) {
            ItemKey key = key_of(n * 700, 9, 0, cell_id(home));
            if (n < 7) from.put(Lane::desired, key, std::string(120, 'y'));
            if (n == 7) from.drop(Lane::desired, key);
            if (n > 7) from.put(Lane::desired, key_of(many + n, 9, 0, cell_id(home)), std::string(120, 'z'));
        }
        from.tombstones.clear();
        to.cursor.reset();
        from.crash();
        to.crash();
        to.received.clear();
        link.connect();
        Cost spent = cost(link, from, to);
        EXPECT_LE(spent.bytes, 10'000u);
        EXPECT_LE(spent.half_trips, 6);
        EXPECT_EQ(to.received.size(), 9u) << "only what differs";
        RecordProperty(down ? "down" : "up", std::to_string(spent.bytes));
    }
}

TEST(Descent, RepairsWhatRottedWhileConnectedAtTheNextBeat) {
    for (bool down : {true, false}) {
        FakeLink link;
        Place& from = down ? link.parent : link.child;
        Place& to = down ? link.child : link.parent;
        std::uint64_t home = down ? 1 : 2;
        fill(from, many, home);
        link.connect();
        ASSERT_TRUE(link.settle(2'000'000));
        to.received.clear();
        std::uint64_t bytes = link.bytes;
        for (std::uint64_t n = 0; n < 10; ++n) { // found damaged by a scrub
            ItemKey key = key_of(n * 700 + 5, 9, 0, cell_id(home));
            to.held[0].erase(key);
            to.session->forget(Lane::desired, key);
        }
        ASSERT_TRUE(link.pass(2s));
        EXPECT_TRUE(link.agree());
        EXPECT_EQ(to.received.size(), 10u);
        EXPECT_LE(link.bytes - bytes, 40'000u);
        // A byte flipped on the disk, read at the next start.
        bytes = link.bytes;
        ItemKey key = key_of(77, 9, 0, cell_id(home));
        to.held[0][key].bytes = "rot";
        to.crash();
        link.connect();
        ASSERT_TRUE(link.pass(2s));
        EXPECT_TRUE(link.agree());
        EXPECT_LE(link.bytes - bytes, 10'000u);
    }
}

TEST(Descent, ADeletionWhoseTombstoneIsForgottenStillArrives) {
    for (bool keep : {false, true}) {
        FakeLink link;
        fill(link.parent, 500, 1);
        link.connect();
        ASSERT_TRUE(link.settle());
        link.cut();
        link.parent.drop(Lane::desired, key_of(7));
        link.parent.put(Lane::desired, key_of(1'000), "after it");
        link.parent.forget_tombstones();
        link.parent.keep_unknown = keep;
        link.parent.crash();
        link.connect();
        ASSERT_TRUE(link.settle());
        EXPECT_TRUE(link.up);
        EXPECT_TRUE(link.child.held[0].contains(key_of(1'000)));
        // Unless absence says nothing (rule H3).
        EXPECT_EQ(link.child.held[0].contains(key_of(7)), keep);
        EXPECT_EQ(link.parent.session->view().orphans, keep ? 1u : 0u);
        if (!keep) continue;
        // It says something again: at the next hello the orphan goes.
        link.parent.keep_unknown = false;
        link.connect();
        ASSERT_TRUE(link.settle());
        EXPECT_TRUE(link.agree());
        EXPECT_FALSE(link.child.held[0].contains(key_of(7)));
    }
}

TEST(Descent, CostFollowsTheDifferenceNotTheSize) {
    std::uint64_t spent[2];
    for (std::uint64_t size : {1'000u, 12'000u}) {
        FakeLink link;
        fill(link.parent, size, 1);
        link.connect();
        ASSERT_TRUE(link.settle(2'000'000));
        link.cut();
        for (std::uint64_t n = 0; n < 100; ++n) link.child.held[0][key_of(n * 7)].bytes = "rot";
        link.child.crash();
        link.connect();
        spent[size > 1'000] = cost(link, link.parent, link.child).bytes;
    }
    EXPECT_LE(spent[1], 2 * spent[0]);
}

TEST(Descent, SurvivesCutsAndEditsAtEveryStep) {
    for (int step = 0; step < 14; ++step) {
        FakeLink link;
        fill(link.parent, 3'000, 1);
        link.connect();
        ASSERT_TRUE(link.settle(2'000'000));
        link.cut();
        for (std::uint64_t n = 0; n < 40; ++n) link.child.held[0].erase(key_of(n * 50));
        link.child.cursor.reset();
        link.parent.crash();
        link.child.crash();
        link.connect();
        for (int n = 0; n < step; ++n) link.travel();
        link.parent.put(Lane::desired, key_of(50), "edited");
        link.parent.drop(Lane::desired, key_of(100));
        link.parent.put(Lane::desired, key_of(9'000), "new");
        if (step % 2 == 0) link.connect();
        ASSERT_TRUE(link.settle());
        EXPECT_TRUE(link.agree()) << step;
        EXPECT_EQ(link.ended, "");
    }
}

TEST(Descent, WhatHidesBehindEqualBitsIsFoundByTheNextOne) {
    Outbound out(Lane::desired, 7);
    ItemKey key = key_of(1);
    out.put(key, 1, std::make_shared<const std::string>("one"), 1);
    out.resume(Held{.count = 1, .digest = {1, 2}}, Outbound::Place::none, {}, false);
    for (unsigned n = 0; n < most_descents; ++n) {
        auto ask = out.next_ask();
        ASSERT_TRUE(ask);
        EXPECT_EQ(ask->word, n);
        // Unlucky: all the bits that were told are equal, so nothing is answered.
        ASSERT_TRUE(out.answered(Ranges{.answer = true, .word = ask->word, .last = true}));
        auto close = out.next(true);
        ASSERT_TRUE(close && close->close);
        EXPECT_TRUE(close->items.empty());
        ASSERT_EQ(out.acknowledged(1, true).has_value(), n + 1 < most_descents);
    }
}

TEST(Descent, AnswersThatNobodyAskedForAreRefused) {
    auto refused = [](auto&& bend) {
        Outbound out(Lane::desired, 7);
        for (std::uint64_t n = 0; n < 3'000; ++n)
            out.put(key_of(n), 1, std::make_shared<const std::string>(std::to_string(n)), n + 1);
        out.resume(Held{.count = 1, .digest = {1, 2}}, Outbound::Place::none, {}, false);
        auto ask = out.next_ask();
        EXPECT_EQ(ask->ranges.size(), 1u);
        EXPECT_GT(ask->ranges[0].split, 2);
        Ranges answer{.answer = true, .word = ask->word};
        bend(answer, ask->ranges[0].split);
        return !out.answered(std::move(answer)).has_value();
    };
    EXPECT_FALSE(refused([](Ranges& answer, std::uint8_t split) { answer.ranges = {{.range = {split, 3}}}; }));
    EXPECT_TRUE(refused([](Ranges& answer, std::uint8_t) { answer.word = 1; }));
    EXPECT_TRUE(refused([](Ranges& answer, std::uint8_t) { answer.ranges = {{.range = {1, 0}}}; }));
    EXPECT_TRUE(refused([](Ranges& answer, std::uint8_t split) {
        answer.ranges = {{.range = {split, 3}}, {.range = {split, 3}}};
    }));
    EXPECT_TRUE(refused([](Ranges& answer, std::uint8_t split) {
        answer.ranges = {{.range = {split, 3}}, {.range = {split, 2}}};
    }));
    // A descent that never ends: every answer tells new sums of everything that was asked.
    Outbound out(Lane::desired, 7);
    out.resume(Held{.count = 1, .digest = {1, 2}}, Outbound::Place::none, {}, false);
    unsigned asks = 0;
    for (; asks < 100; ++asks) {
        auto ask = out.next_ask();
        if (!ask) break;
        Ranges answer{.answer = true, .word = ask->word, .last = true};
        for (const RangeSums& each : ask->ranges) {
            EXPECT_EQ(each.split, 0) << "we hold nothing there";
            if (each.range.bits == Range::max_bits) continue;
            RangeSums sums{.range = each.range, .split = 1, .sums = {1, 0}};
            answer.ranges.push_back(sums);
        }
        ASSERT_TRUE(out.answered(std::move(answer)));
    }
    EXPECT_LE(asks, Range::max_bits + 1);
    EXPECT_TRUE(out.next(true)) << "then it closes";
}

TEST(Descent, AsksBeyondTheWindowAreRefused) {
    Inbound in(Lane::desired, 7);
    for (std::size_t n = 0; n < window; ++n) EXPECT_TRUE(in.asked(Ranges{.ranges = {{}}}));
    EXPECT_FALSE(in.asked(Ranges{.ranges = {{}}}));
    for (std::size_t n = 0; n < window; ++n) EXPECT_TRUE(in.next_answer()->last);
    EXPECT_FALSE(in.next_answer());
}

TEST(Descent, FramesOutOfOrderOrOverlappingAreNoFrames) {
    auto is_good = [](Ranges ranges) { return decode(encode(ranges)).has_value(); };
    EXPECT_TRUE(is_good({.ranges = {{.range = {2, 1}, .split = 1, .sums = {1, 2}}, {.range = {1, 1}}}}));
    EXPECT_FALSE(is_good({.ranges = {{.range = {1, 1}}, {.range = {2, 1}}}}));
    EXPECT_FALSE(is_good({.ranges = {{.range = {1, 0}}, {.range = {2, 1}}}}));
    EXPECT_FALSE(is_good({.ranges = {{.range = {2, 4}}}}));
    EXPECT_FALSE(is_good({.ranges = {{.range = {40, 0}}}}));
    EXPECT_FALSE(is_good({.ranges = {{.range = {31, 0}, .split = 2, .sums = {1, 2, 3, 4}}}}));
    EXPECT_FALSE(is_good({.ranges = {{.split = 3, .sums = {1}}}}));
    EXPECT_FALSE(is_good({.ranges = {{.entries = {{{}, {1, 1}}}}}})) << "an ask with entries";
    EXPECT_FALSE(is_good({.answer = true, .ranges = {{.range = {4, 1}, .entries = {{{}, {1, 1}}}}}})) << "outside";
    auto back = decode(encode(Ranges{.lane = Lane::status,
                                     .answer = true,
                                     .word = 3,
                                     .ranges = {{.range = {4, 1}, .entries = {{{9, 0x1000'0000'0000'0005}, {1, 2}}}}},
                                     .last = true}));
    ASSERT_TRUE(back);
    auto& ranges = std::get<Ranges>(*back);
    EXPECT_TRUE(ranges.answer && ranges.last && ranges.word == 3 && ranges.lane == Lane::status);
    EXPECT_EQ(ranges.ranges.at(0).entries.at(0).hash, (Digest{9, 0x1000'0000'0000'0005}));
}

} // namespace

} // namespace skerry::sync
