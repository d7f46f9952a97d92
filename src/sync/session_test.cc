#include "sync/descent.h"
#include "sync/fake_link_test.h"

#include <gtest/gtest.h>

#include <string>

namespace skerry::sync {

namespace {

/// What one message costs beyond its bytes: IPv4 and TCP with time stamps 52, TLS 1.3 record 22, masked WebSocket frame 6; and a
/// bare TCP acknowledgement, as if none ever rode along.
constexpr std::uint64_t per_message = 52 + 22 + 6 + 52;

TEST(Session, BringsWhatEachSideShouldHold) {
    FakeLink link;
    for (std::uint64_t n = 0; n < 300; ++n) link.parent.put(desired, key_of(n, 1 + n % 5), "wish " + std::to_string(n));
    link.child.put(status, key_of(1000, 10, 1), "running");
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.agree());
    EXPECT_EQ(link.child.cursor->incarnation, incarnation_id(1, link.parent.incarnations.back().first));
    for (const auto& [key, count] : link.child.received) EXPECT_EQ(count, 1) << key.text();
}

TEST(Session, AHeldParentSendsNothingOfItsSlicesAndAllElseGoesOn) {
    FakeLink link;
    for (std::uint64_t n = 0; n < 300; ++n) link.parent.put(desired, key_of(n), "wish " + std::to_string(n));
    link.child.put(status, key_of(1000, 10, 1), "running");
    link.child.session->want_lease(true);
    link.parent.session->hold(true);
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.child.received.empty());
    EXPECT_TRUE(link.parent.mirrors(link.child, status)) << "what comes is taken";
    EXPECT_TRUE(link.parent.session->lease_question()) << "leases do not wait";
    EXPECT_TRUE(link.parent.session->catching_up());
    EXPECT_GT(link.parent.session->next_wake(), link.now) << "nor is there anything to do";
    ASSERT_TRUE(link.pass(10s));
    EXPECT_TRUE(link.parent.session->view().up) << "beats go on";
    EXPECT_TRUE(link.child.received.empty());
    link.parent.session->hold(false);
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.agree());
    EXPECT_FALSE(link.parent.session->catching_up());
    link.parent.put(desired, key_of(1), "another");
    EXPECT_FALSE(link.parent.session->catching_up()) << "once in agreement, an edit is not catching up";
    ASSERT_TRUE(link.settle());
    link.cut();
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_FALSE(link.parent.session->catching_up()) << "who comes back in agreement has nothing to catch up with";
}

TEST(Session, AChildKnowsWhenItIsToComeBack) {
    FakeLink link;
    link.connect();
    ASSERT_TRUE(link.settle());
    link.child.session->received(encode(Bye{"too many return at once", 20'000}), link.now);
    ASSERT_TRUE(link.child.session->over());
    EXPECT_EQ(link.child.session->come_back(), 20s);
    link.connect();
    EXPECT_EQ(link.child.session->come_back(), 0s);
    link.child.session->received(encode(Bye{"for ever", ~0u}), link.now);
    EXPECT_EQ(link.child.session->come_back(), 10min) << "nobody is sent away for days";
    link.connect();
    ASSERT_TRUE(link.settle());
    link.parent.session->received(encode(Bye{"I am the child", 20'000}), link.now);
    EXPECT_EQ(link.parent.session->come_back(), 0s);
}

/// What comes into a slice for a status has the status's number, which a crash may forget (rule S1).
TEST(Session, NoCursorNamesWhatACrashMayForget) {
    FakeLink link;
    link.parent.put(desired, key_of(1, 9), "one");
    link.connect();
    ASSERT_TRUE(link.settle());
    Number durable = link.child.cursor->number;
    link.parent.on_disk = durable;
    link.parent.put(desired, key_of(2, 9), "two");
    link.parent.drop(desired, key_of(1, 9));
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.child.mirrors(link.parent, desired));
    EXPECT_EQ(link.child.held[0].size(), 1u);
    EXPECT_EQ(link.child.cursor->number, durable);
    link.cut();
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_EQ(link.child.received[key_of(2, 9)], 1) << "it is known to be there all the same";
}

TEST(Session, CarriesReferredKindsFirstAndRemovesThemLast) {
    FakeLink link;
    link.parent.put(desired, key_of(1, 9), "allocation");
    link.parent.put(desired, key_of(2, 8), "revision");
    link.parent.put(desired, key_of(3, 4), "secret");
    link.connect();
    std::vector<std::uint32_t> kinds;
    while (any({link.output(link.parent), link.output(link.child), link.deliver(link.parent), link.deliver(link.child)})) {
    }
    ASSERT_FALSE(link.child.waiting.empty());
    for (const Item& item : link.child.waiting.front().items) kinds.push_back(item.key.kind);
    EXPECT_EQ(kinds, (std::vector<std::uint32_t>{4, 8, 9}));
    ASSERT_TRUE(link.settle());
    for (std::uint64_t n : {1u, 2u, 3u}) link.parent.drop(desired, key_of(n, n == 1 ? 9 : n == 2 ? 8 : 4));
    while (any({link.output(link.parent), link.deliver(link.child), link.output(link.child)})) {
    }
    kinds.clear();
    ASSERT_FALSE(link.child.waiting.empty());
    for (const ItemKey& key : link.child.waiting.front().removed) kinds.push_back(key.kind);
    EXPECT_EQ(kinds, (std::vector<std::uint32_t>{9, 8, 4}));
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.agree());
}

TEST(Session, OneEditAmongAThousandIsCheapWhileConnectedAndAfterACut) {
    FakeLink link;
    std::string content(400, 'x');
    for (std::uint64_t n = 0; n < 1'000; ++n) link.parent.put(desired, key_of(n), content + std::to_string(n));
    link.connect();
    ASSERT_TRUE(link.settle());
    ASSERT_TRUE(link.agree());

    auto cost = [&](auto&& edit) {
        std::uint64_t bytes = link.bytes, messages = link.messages;
        edit();
        EXPECT_TRUE(link.settle());
        EXPECT_TRUE(link.agree());
        return link.bytes - bytes + (link.messages - messages) * per_message;
    };
    std::string edited = content + "edited";
    ItemKey key = key_of(500);
    std::uint64_t item =
        edited.size() + key.project.size() + key.name.size() + 16 + 16 + 6 + 18; // rule L1: key, generation, bytes; and a seal
    std::uint64_t connected = cost([&] { link.parent.put(desired, key, edited); });
    EXPECT_LE(connected, item + 300);
    EXPECT_LE(connected, edited.size() + 328); // the key itself does not cross again

    // After a cut, besides the two hellos that any reconnection has.
    link.cut();
    std::uint64_t greeting = cost([&] { link.connect(); });
    link.cut();
    std::uint64_t after_cut = cost([&] {
        link.parent.put(desired, key_of(501), edited);
        link.connect();
    });
    EXPECT_LE(after_cut, greeting + item + 300);
    // The same when the sender remembers nothing but its store, and goes by the cursor.
    link.cut();
    link.parent.crash();
    std::uint64_t after_crash = cost([&] {
        link.parent.put(desired, key_of(502), edited);
        link.connect();
    });
    EXPECT_LE(after_crash, greeting + item + 300);
    RecordProperty("connected", std::to_string(connected));
    RecordProperty("greeting", std::to_string(greeting));
    RecordProperty("after_cut", std::to_string(after_cut));
    RecordProperty("after_crash", std::to_string(after_crash));
}

TEST(Session, IdleCarriesBeatsOnly) {
    FakeLink link;
    link.parent.put(desired, key_of(1), "a");
    link.child.put(status, key_of(2, 10, 1), "b");
    link.connect();
    ASSERT_TRUE(link.settle());
    std::uint64_t messages = link.messages, bytes = link.bytes;
    ASSERT_TRUE(link.pass(3'600s, 500ms));
    EXPECT_TRUE(link.up);
    EXPECT_EQ(link.messages - messages, 3'600u);
    EXPECT_LE((link.bytes - bytes) / 3'600, 20u);
    EXPECT_EQ(link.child.received.size() + link.parent.received.size(), 2u);
}

TEST(Session, WhoLostItsCursorIsGivenOneEvenInAgreement) {
    FakeLink link;
    link.parent.put(desired, key_of(1), "a");
    link.connect();
    ASSERT_TRUE(link.settle());
    link.child.cursor.reset();
    link.crash_child();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.child.cursor);
    EXPECT_EQ(link.child.received[key_of(1)], 1);
}

TEST(Session, WhoReturnsInAgreementIsAnsweredFromMemory) {
    FakeLink link;
    for (std::uint64_t n = 0; n < 50; ++n) link.parent.put(desired, key_of(n), "wish");
    link.connect();
    ASSERT_TRUE(link.settle());
    // Much happens meanwhile to others.
    link.cut();
    for (std::uint64_t n = 0; n < 100; ++n) link.parent.tombstones.emplace_back(1'000 + n, key_of(1'000 + n));
    for (bool restarted : {false, true}) {
        if (restarted) link.parent.crash();
        link.connect();
        ASSERT_TRUE(link.settle());
        EXPECT_TRUE(link.agree());
        EXPECT_EQ(link.parent.history_reads, 0u);
        link.cut();
    }
    link.parent.drop(desired, key_of(7));
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.agree());
}

TEST(Session, AThousandEditsOfOneObjectCostOneSend) {
    FakeLink link;
    link.connect();
    ASSERT_TRUE(link.settle());
    link.cut();
    for (int n = 0; n < 1'000; ++n) link.parent.put(desired, key_of(1), "version " + std::to_string(n));
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_EQ(link.child.received[key_of(1)], 1);
    // While a batch is open: the receiver is slow to write.
    link.parent.put(desired, key_of(2), "slow");
    while (any({link.output(link.parent), link.deliver(link.child)})) {
    }
    for (int n = 0; n < 1'000; ++n) {
        link.parent.put(desired, key_of(1), "again " + std::to_string(n));
        while (any({link.output(link.parent), link.deliver(link.child)})) {
        }
    }
    ASSERT_TRUE(link.settle());
    EXPECT_EQ(link.child.received[key_of(1)], 2);
    EXPECT_TRUE(link.agree());
}

TEST(Session, StatusIsCoalesced) {
    FakeLink link;
    link.connect();
    ASSERT_TRUE(link.settle());
    for (int n = 0; n < 100; ++n) { // 1 s
        link.child.put(status, key_of(1, 10, 1), "cpu " + std::to_string(n));
        ASSERT_TRUE(link.pass(10ms, 10ms));
    }
    ASSERT_TRUE(link.pass(1s));
    EXPECT_LE(link.parent.received[key_of(1, 10, 1)], 7);
    EXPECT_TRUE(link.agree());
}

TEST(Session, AnItemLargerThanAMessageArrives) {
    FakeLink link;
    link.parent.put(desired, key_of(1), std::string(700 << 10, 'b'));
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.agree());
    EXPECT_GT(link.messages, 10u);
}

TEST(Session, ALostDiskIsRefilledAndADamagedObjectRepaired) {
    FakeLink link;
    for (std::uint64_t n = 0; n < 50; ++n) link.parent.put(desired, key_of(n), "w" + std::to_string(n));
    link.connect();
    ASSERT_TRUE(link.settle());
    link.cut();
    link.child.held[0].erase(key_of(7));
    link.child.held[0][key_of(8)].bytes = "rot";
    link.child.received.clear();
    link.child.crash();
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.agree());
    EXPECT_EQ(link.child.received.size(), 2u); // exactly the differences
    link.cut();
    link.child.held[0].clear();
    link.child.cursor.reset();
    link.child.crash();
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.agree());
}

TEST(Session, BeatsFindADifferenceWhileConnected) {
    FakeLink link;
    for (std::uint64_t n = 0; n < 50; ++n) link.parent.put(desired, key_of(n), "w" + std::to_string(n));
    link.connect();
    ASSERT_TRUE(link.settle());
    link.child.held[0].erase(key_of(7)); // found damaged by a scrub
    link.child.session->forget(desired, key_of(7));
    ASSERT_TRUE(link.pass(3s));
    EXPECT_TRUE(link.agree());
}

TEST(Session, TheHighestFormatThatBothSpeakIsUsedOrTheRemedyTold) {
    auto hello = [](std::uint32_t lowest, std::uint32_t highest) {
        return encode(Hello{.format = highest,
                            .lowest_format = lowest,
                            .version = "9.9",
                            .cell = cell_id(1),
                            .incarnation = incarnation_id(1, 1)});
    };
    auto answer = [&](std::uint32_t lowest, std::uint32_t highest) {
        FakeLink link;
        link.child.session->connected(link.now);
        link.child.session->received(hello(lowest, highest), link.now);
        while (link.child.session->take_output(link.now)) {
        }
        if (link.child.session->over()) return *link.child.session->over();
        EXPECT_TRUE(link.child.session->view().up);
        return std::to_string(link.child.session->view().format);
    };
    EXPECT_EQ(answer(lowest_frame_format, frame_format), std::to_string(frame_format));
    EXPECT_EQ(answer(0, frame_format), std::to_string(frame_format)) << "one that names no lowest";
    EXPECT_EQ(answer(1, frame_format + 7), std::to_string(frame_format)) << "a newer one that still speaks ours";
    EXPECT_NE(answer(frame_format + 1, frame_format + 7).find("upgrade this side"), std::string::npos);
    EXPECT_NE(answer(0, 1).find("upgrade the other side"), std::string::npos);
    EXPECT_NE(answer(1, 1).find("version 9.9"), std::string::npos);

    FakeLink link;
    link.connect();
    link.child.session->received(hello(frame_format + 1, frame_format + 1), link.now);
    ASSERT_TRUE(link.settle());
    EXPECT_NE(link.ended.find("upgrade"), std::string::npos) << "the other end is told";
    EXPECT_FALSE(link.up);
}

TEST(Session, FramesAndFieldsOfANewerBuildAreSkipped) {
    FakeLink link;
    link.connect();
    ASSERT_TRUE(link.settle());
    std::string frame_of_tomorrow("\xFA\x07\x02\x08\x01", 5);          // field 127: a message
    std::string beat = encode(Beat{.busy = true}) + frame_of_tomorrow; // and beside one that is known
    link.parent.session->received(frame_of_tomorrow, link.now);
    link.parent.session->received(beat, link.now);
    EXPECT_FALSE(link.parent.session->over());
    link.parent.put(desired, key_of(1), "one");
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.agree());
    link.parent.session->received(std::string(), link.now);
    EXPECT_TRUE(link.parent.session->over()) << "nothing is no frame";
    // Before the hello nothing is skipped.
    FakeLink other;
    other.parent.session->connected(other.now);
    other.parent.session->received(frame_of_tomorrow, other.now);
    EXPECT_TRUE(other.parent.session->over());
}

TEST(Session, ASilentChildIsOutOfPatienceAfterThreeBeatsAndTwoSeconds) {
    FakeLink link;
    link.connect();
    ASSERT_TRUE(link.settle());
    link.parent.session->tick(link.now + 4'900ms);
    EXPECT_FALSE(link.parent.session->over());
    EXPECT_EQ(link.parent.session->next_wake(), link.now + 5s);
    link.parent.session->tick(link.now + 5s);
    EXPECT_TRUE(link.parent.session->over());
}

TEST(Session, TheBeatOfAConnectedChildFollowsItsParent) {
    FakeLink link;
    link.connect();
    ASSERT_TRUE(link.settle());
    link.parent.session->set_beat(10s);
    ASSERT_TRUE(link.settle());
    std::uint64_t messages = link.messages;
    ASSERT_TRUE(link.pass(100s));
    EXPECT_LE(link.messages - messages, 10u);
    EXPECT_TRUE(link.up);
}

TEST(Session, WhatCannotBeAppliedEndsTheConnectionAndMovesNoCursor) {
    FakeLink link;
    link.parent.put(desired, key_of(1), "bad");
    link.connect();
    while (any({link.output(link.parent), link.output(link.child), link.deliver(link.parent), link.deliver(link.child)})) {
    }
    ASSERT_EQ(link.child.waiting.size(), 1u);
    link.child.session->rejected(link.child.waiting.front().ticket, "not yours");
    link.child.waiting.clear();
    ASSERT_TRUE(link.settle());
    EXPECT_FALSE(link.up);
    EXPECT_NE(link.ended.find("not yours"), std::string::npos);
    EXPECT_FALSE(link.child.cursor);
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.agree());
}

TEST(Session, HostileFramesEndItWithAReason) {
    auto ends = [](auto&& attack) {
        FakeLink link;
        link.child.put(status, key_of(1, 10, 1), "x");
        link.connect();
        EXPECT_TRUE(link.settle());
        attack(link);
        return link.parent.session->over().has_value();
    };
    auto from_child = [](const Frame& frame) {
        return [frame](FakeLink& link) { link.parent.session->received(encode(frame), link.now); };
    };
    EXPECT_TRUE(ends(from_child(Hello{.cell = cell_id(2), .incarnation = incarnation_id(2, 1)})));
    EXPECT_TRUE(ends(from_child(Ack{.frames = {1'000, 0}})));
    EXPECT_TRUE(ends(from_child(Ack{.frames = {0, 0}, .differs = {true, false}})));
    EXPECT_TRUE(ends(from_child(Ranges{.answer = true, .last = true})));
    EXPECT_TRUE(ends(from_child(Settings{1})));
    EXPECT_FALSE(decode(encode(Settings{1'000, std::vector<std::string>(most_names_taken + 1, "App retail/till")})));
    EXPECT_TRUE(ends(from_child(Fragment{.content = "nonsense", .last = true})));
    EXPECT_TRUE(ends(from_child(
        Batch{.items = {{.hash = {}, .item = {.key = {}, .generation = 0, .bytes = std::make_shared<const std::string>()}}}})));
    EXPECT_TRUE(ends([](FakeLink& link) { link.parent.session->received(std::string(1 << 20, 'x'), link.now); }));
    EXPECT_TRUE(ends([](FakeLink& link) {
        for (int n = 0; n < 100 && !link.parent.session->over(); ++n)
            link.parent.session->received(encode(Fragment{.content = std::string(60'000, 'x')}), link.now);
    }));
    EXPECT_TRUE(ends([](FakeLink& link) { // more than the window
        for (std::uint64_t n = 0; n < 100; ++n)
            link.parent.session->received(
                encode(Batch{
                    .items = {{.hash = {},
                               .item = {.key = key_of(n), .generation = 1, .bytes = std::make_shared<const std::string>("y")}}}}),
                link.now);
    }));
    EXPECT_FALSE(ends([](FakeLink&) {}));
}

TEST(Session, DigestsThatDifferAfterEveryDescentEndIt) {
    FakeLink link;
    link.connect();
    ASSERT_TRUE(link.settle());
    Batch lie{
        .items = {{.hash = {}, .item = {.key = key_of(1), .generation = 1, .bytes = std::make_shared<const std::string>("y")}}},
        .close = 5,
        .digest = 12};
    for (unsigned n = 0; n <= most_descents; ++n) {
        EXPECT_FALSE(link.parent.session->over()) << n;
        link.parent.session->received(encode(lie), link.now);
        link.land(link.parent);
        while (auto message = link.parent.session->take_output(link.now)) {
        }
        lie.items.clear();
    }
    EXPECT_TRUE(link.parent.session->over());
    // A receiver that never agrees.
    FakeLink other;
    other.parent.put(desired, key_of(1), "one");
    other.connect();
    ASSERT_TRUE(other.settle());
    other.parent.put(desired, key_of(1), "two");
    std::uint32_t frames = 1;
    for (int n = 0; n < 100 && !other.parent.session->over(); ++n)
        while (auto message = other.parent.session->take_output(other.now)) {
            auto frame = decode(*message);
            if (std::holds_alternative<Batch>(*frame))
                other.parent.session->received(encode(Ack{.frames = {++frames, 0}, .differs = {true, false}}), other.now);
            if (std::holds_alternative<Ranges>(*frame))
                other.parent.session->received(
                    encode(Ranges{.answer = true, .word = std::get<Ranges>(*frame).word, .last = true}), other.now);
        }
    ASSERT_TRUE(other.parent.session->over());
    EXPECT_NE(other.parent.session->over()->find("3 descents"), std::string::npos) << *other.parent.session->over();
    EXPECT_LE(frames, 6u);
}

} // namespace

} // namespace skerry::sync
