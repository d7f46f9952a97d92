#include "base/test_seeds.h"
#include "sync/courier.h"
#include "sync/fake_link_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace skerry::sync {

namespace {

using testing::HasSubstr;

/// Two places that meet in files alone, and what their hosts note of them.
class Post {
public:
    struct Notes {
        std::optional<Cursor> status;
        std::optional<Cursor> acknowledged;
        std::optional<Cursor> recovers; // what the peer holds of ours, and our history does not know
        bool asks = false;
    };

    FakeLink link;
    Notes notes[2];

    Place& at(int side) { return side == 0 ? link.parent : link.child; }

    std::string pack(int side, bool everything = false) {
        Place& from = at(side);
        Courier courier{.from = cell_id(side == 0 ? 1 : 2), .to = cell_id(side == 0 ? 2 : 1)};
        for (const auto& [n, head] : from.incarnations)
            courier.history.push_back(
                {incarnation_id(side == 0 ? 1 : 2, n), n == from.incarnations.back().first ? from.head() : head});
        courier.until[0] = courier.until[1] = from.head();
        if (!everything) courier.base = notes[side].acknowledged;
        if (!notes[side].asks) courier.held = from.cursor;
        courier.recovers = notes[side].recovers;
        courier.keep_unknown = courier.recovers.has_value();
        auto bytes = write_carried(from.session->carry(std::move(courier)));
        EXPECT_TRUE(bytes);
        return *bytes;
    }

    /// `lands`: so many transactions become durable, then the power goes.
    Result<Taken> apply(int side, const std::string& bytes, int lands = 1'000'000) {
        Place& to = at(side);
        auto carried = read_carried(bytes);
        EXPECT_TRUE(carried) << carried.error().message;
        auto taking = to.session->take(*carried, notes[side].status, false);
        if (!taking) return std::unexpected(taking.error());
        for (; lands > 0 && link.land(to); --lands) {
        }
        while (auto apply = to.session->take_apply()) to.waiting.push_back(std::move(*apply));
        if (!to.waiting.empty()) {
            to.crash();
            return taking->taken;
        }
        if (!taking->taken.is_latest) return taking->taken;
        const Courier& courier = carried->courier;
        if (taking->taken.brings != Brings::nothing)
            notes[side].status = Cursor{courier.history.back().incarnation, courier.until[1]};
        if (taking->taken.brings == Brings::news || taking->taken.lacking > 0) notes[side].asks = taking->taken.lacking > 0;
        auto where = courier.held ? to.place(*courier.held) : Outbound::Place::none;
        notes[side].acknowledged = where == Outbound::Place::known ? courier.held : std::nullopt;
        notes[side].recovers = where == Outbound::Place::ahead ? courier.held : std::nullopt;
        to.session->set_peer_cursor(notes[side].acknowledged);
        return taking->taken;
    }

    bool agree() { return mirrors(0) && mirrors(1); }
    bool mirrors(int side) {
        return at(side).mirrors(at(1 - side), Lane::desired) && at(side).mirrors(at(1 - side), Lane::status);
    }
};

TEST(Courier, BringsADifferenceThereAndAnAcknowledgementBack) {
    Post post;
    for (std::uint64_t n = 0; n < 300; ++n) post.link.parent.put(Lane::desired, key_of(n), std::string(100, 'a'));
    post.link.child.put(Lane::status, key_of(7, 9, 1), "running");
    std::string first = post.pack(0);
    auto taken = post.apply(1, first);
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_EQ(taken->items, 300u);
    EXPECT_EQ(post.apply(1, first)->brings, Brings::nothing);
    ASSERT_TRUE(post.apply(0, post.pack(1)));
    EXPECT_TRUE(post.agree());

    post.link.parent.put(Lane::desired, key_of(3), "b");
    post.link.parent.drop(Lane::desired, key_of(4));
    std::string second = post.pack(0);
    EXPECT_LT(second.size(), 300 * 32 + 400) << "an item that did not change costs 32 bytes";
    taken = post.apply(1, second);
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_EQ(taken->items, 1u);
    EXPECT_EQ(taken->removals, 1u);
    EXPECT_TRUE(post.agree());
    EXPECT_EQ(post.apply(1, first)->brings, Brings::nothing) << "replayed behind a later one";

    // A link that returns has nothing to say.
    post.link.connect();
    ASSERT_TRUE(post.link.settle());
    EXPECT_TRUE(post.link.agree());
    EXPECT_LT(post.link.bytes, 1'000u);
}

TEST(Courier, AFileWhoseBaseIsBeyondIsRefusedAndSaysWhichIsMissing) {
    Post post;
    post.link.parent.put(Lane::desired, key_of(1), "a");
    ASSERT_TRUE(post.apply(1, post.pack(0)));
    ASSERT_TRUE(post.apply(0, post.pack(1)));
    auto disk = post.link.child.save();
    post.link.parent.put(Lane::desired, key_of(2), "b");
    ASSERT_TRUE(post.apply(1, post.pack(0)));
    ASSERT_TRUE(post.apply(0, post.pack(1)));
    Number base = post.notes[0].acknowledged->number;
    post.link.parent.put(Lane::desired, key_of(3), "c");
    std::string third = post.pack(0);

    post.link.child.restore(disk);
    auto refused = post.apply(1, third);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::conflict);
    EXPECT_THAT(refused.error().message, HasSubstr("apply the file first that ends at " + std::to_string(base)));
    ASSERT_TRUE(post.apply(1, post.pack(0, true)));
    EXPECT_TRUE(post.mirrors(0));
}

TEST(Courier, AnotherHistoryOfTheSenderIsRefused) {
    Post post;
    post.link.parent.put(Lane::desired, key_of(1), "a");
    auto disk = post.link.parent.save();
    post.link.parent.crash(); // another opening, which the older disk does not have
    post.link.parent.put(Lane::desired, key_of(2), "b");
    ASSERT_TRUE(post.apply(1, post.pack(0)));
    post.link.parent.restore(disk);
    post.link.parent.put(Lane::desired, key_of(3), "c");
    auto refused = post.apply(1, post.pack(0));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("went back to an older state"));
    EXPECT_EQ(post.link.child.held[0].size(), 2u);

    // It learns so by a file from there, and the next one says that it knows.
    ASSERT_TRUE(post.apply(0, post.pack(1)));
    auto taken = post.apply(1, post.pack(0));
    ASSERT_TRUE(taken) << taken.error().message;
    EXPECT_EQ(post.link.child.held[0].size(), 3u) << "absence deletes nothing (rule H3)";
    ASSERT_TRUE(post.apply(0, post.pack(1)));
    EXPECT_TRUE(post.notes[0].acknowledged) << "from here on they go on as ever";
}

TEST(Courier, WhatWasLostIsAskedFor) {
    Post post;
    for (std::uint64_t n = 0; n < 5; ++n) post.link.parent.put(Lane::desired, key_of(n), "a");
    ASSERT_TRUE(post.apply(1, post.pack(0)));
    ASSERT_TRUE(post.apply(0, post.pack(1)));
    post.link.child.held[0].erase(key_of(3));
    post.link.child.crash();
    post.link.parent.put(Lane::desired, key_of(9), "b");
    auto taken = post.apply(1, post.pack(0));
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->lacking, 1u);
    ASSERT_TRUE(post.apply(0, post.pack(1)));
    taken = post.apply(1, post.pack(0));
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->lacking, 0u);
    EXPECT_TRUE(post.mirrors(0));
}

TEST(Courier, ACutOrChangedTextIsAnErrorAndNothingElse) {
    Post post;
    for (std::uint64_t n = 0; n < 4; ++n) post.link.parent.put(Lane::desired, key_of(n), "a");
    std::string bytes = post.pack(0);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        // Cut between two frames it reads as a shorter one: that is for the file around it to find.
        auto shorter = read_carried(std::string_view(bytes).substr(0, n));
        EXPECT_TRUE(!shorter || shorter->slices[0].listing.empty()) << n;
        std::string changed = bytes;
        changed[n] = static_cast<char>(changed[n] ^ 0x41);
        auto carried = read_carried(changed);
        EXPECT_TRUE(!carried || carried->slices[0].listing.size() <= 4) << n;
    }
    EXPECT_FALSE(read_carried(""));
    EXPECT_FALSE(read_carried(bytes.substr(0, bytes.size() - 1)));
}

/// Edits, files packed, lost, applied in any order and again, power cuts in the middle, at times a link; then both sides pack and
/// apply in turn, and agree. What is held never goes back.
void exchange(std::uint64_t seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    env::SeededChance chance(seed);
    auto pick = [&](std::uint64_t below) { return chance.bits() % below; };
    Post post;
    std::vector<std::string> files[2];
    std::map<ItemKey, std::uint32_t> newest[2];
    std::set<ItemKey> dropped; // a name that is used again is another object (rule H1)
    std::uint64_t objects = 1 + pick(40);
    int versions = 0;
    auto look = [&](int side) {
        for (const auto& [key, got] : post.at(side).held[0]) {
            auto& known = newest[side][key];
            EXPECT_GE(got.generation, known) << key.text();
            known = std::max(known, got.generation);
        }
    };
    for (int step = 0; step < 150; ++step) {
        int side = static_cast<int>(pick(2));
        Lane lane = pick(3) ? Lane::desired : Lane::status;
        ItemKey key = key_of(pick(objects), 1 + pick(10), lane == Lane::status ? 1 : 0, cell_id(side == 0 ? 1 : 2));
        switch (pick(8)) {
        case 0:
        case 1:
        case 2:
            if (dropped.contains(key)) break;
            post.at(side).put(lane, key,
                              "v" + std::to_string(++versions) + std::string(pick(10) ? pick(200) : pick(300'000), 'x'));
            break;
        case 3:
            if (!post.at(side).mine[static_cast<std::size_t>(lane)].contains(key) || pick(2)) break;
            post.at(side).drop(lane, key);
            dropped.insert(key);
            break;
        case 4:
            files[side].push_back(post.pack(side));
            break;
        case 5:
        case 6: {
            auto& mine = files[1 - side];
            if (mine.empty()) break;
            std::string file = mine[pick(mine.size())];
            auto before = post.at(side).cursor;
            int lands = pick(4) ? 1'000'000 : static_cast<int>(pick(3));
            (void)post.apply(side, file, lands);
            EXPECT_GE(post.at(side).cursor, before);
            if (lands < 1'000'000) (void)post.apply(side, file); // as people do
            look(side);
            break;
        }
        case 7:
            if (pick(6) == 0) post.at(side).crash();
            break;
        }
    }
    for (int round = 0; round < 3; ++round)
        for (int side : {0, 1}) {
            auto taken = post.apply(1 - side, post.pack(side));
            if (!taken) taken = post.apply(1 - side, post.pack(side, true));
            EXPECT_TRUE(taken) << taken.error().message;
        }
    EXPECT_TRUE(post.agree());
}

TEST(CourierProperty, FilesInAnyOrderConverge) {
    for (std::uint64_t seed = 1, end = test::seeds(60); seed <= end; ++seed) {
        exchange(seed);
        if (testing::Test::HasFailure()) return;
    }
}

} // namespace

} // namespace skerry::sync
