#include "sync/lease.h"

#include "base/test_seeds.h"
#include "sync/fake_link_test.h"

#include <gtest/gtest.h>

namespace skerry::sync {
namespace {

using What = Granting::Answer::What;

LeaseQuestion question(Instant arrived, std::uint64_t opening = 1, std::string boot = "boot-1") {
    return {.request = {.number = 1, .earlier = {}, .held = false},
            .incarnation = incarnation_id(2, opening),
            .boot_id = std::move(boot),
            .arrived = arrived};
}

Granting::Terms terms(Duration length, Instant own_end = Instant::never()) {
    return {.length = length, .own_end = own_end, .why_none = {}, .child_is_current = true};
}

/// As the cell does it: the note becomes durable first.
Granting::Answer grant(Granting& granting, const LeaseQuestion& asked, const Granting::Terms& given) {
    auto answer = granting.answer(asked, given, asked.arrived);
    if (answer.what == What::note) {
        granting.noted(answer.note);
        answer = granting.answer(asked, given, asked.arrived);
        EXPECT_NE(answer.what, What::note);
    }
    if (answer.what == What::grant) granting.granted(asked, answer.length);
    return answer;
}

constexpr Instant start{100s};

TEST(Lease, NotesWhoHoldsItAndForHowLongBeforeTheFirstGrantAndNeverAgain) {
    Granting granting;
    auto first = granting.answer(question(start), terms(30s), start);
    ASSERT_EQ(first.what, What::note);
    EXPECT_EQ(first.note, (LeaseNote{incarnation_id(2, 1), "boot-1", 30s}));
    EXPECT_FALSE(granting.over(start));
    EXPECT_EQ(grant(granting, question(start), terms(30s)).length, Duration(30s));
    EXPECT_EQ(granting.over(start), start + 30s + lease_margin(30s));
    for (int n = 1; n < 100; ++n)
        EXPECT_EQ(granting.answer(question(start + n * 1s), terms(30s), start + n * 1s).what, What::grant);
    EXPECT_EQ(read_lease_note(write_lease_note(first.note)), first.note);
    EXPECT_FALSE(read_lease_note("x"));
}

/// Rule F4: the parent's store may be an old backup, and somebody else may hold what it has forgotten to have moved.
TEST(Lease, AfterAStartOnlyWhoHoldsOneHasItRenewed) {
    Granting granting({incarnation_id(2, 1), "boot-1", 30s}, start);
    auto given = terms(30s);
    given.fresh_from = start + 40s;
    auto asked = question(start + 1s);
    auto answer = granting.answer(asked, given, asked.arrived);
    EXPECT_EQ(answer.what, What::refuse);
    EXPECT_NE(answer.reason.find("39s"), std::string::npos) << answer.reason;
    asked.request.held = true;
    EXPECT_EQ(grant(granting, asked, given).what, What::grant);
    EXPECT_EQ(grant(granting, question(start + 40s), given).what, What::grant);
}

/// Rule F4.
TEST(Lease, ARestartedParentTakesItForGrantedAtItsStart) {
    Granting granting({incarnation_id(2, 1), "boot-1", 30s}, start);
    EXPECT_EQ(granting.over(start), start + 30s + lease_margin(30s));
    auto away = terms(30s);
    away.child_is_current = false;
    EXPECT_EQ(granting.answer(question(start + 1s), away, start + 1s).what, What::wait)
        << "what it decided before, the child may not know";
    EXPECT_EQ(grant(granting, question(start + 1s), terms(30s)).what, What::grant);
    EXPECT_EQ(granting.answer(question(start + 2s), away, start + 2s).what, What::grant) << "a renewal waits for nothing";
}

TEST(Lease, AfterALapseTheChildMustKnowAllFirst) {
    Granting granting;
    ASSERT_EQ(grant(granting, question(start), terms(10s)).what, What::grant);
    auto behind = terms(10s);
    behind.child_is_current = false;
    EXPECT_EQ(granting.answer(question(start + 9s), behind, start + 9s).what, What::grant);
    EXPECT_EQ(granting.answer(question(start + 10s), behind, start + 10s).what, What::wait);
}

/// Rule F1.
TEST(Lease, ACloneOrARestoredDiskWaitsForTheOlderOnesLease) {
    Granting granting;
    ASSERT_EQ(grant(granting, question(start), terms(10s)).what, What::grant);
    Instant over = *granting.over(start);
    for (const auto& other : {question(start + 1s, 2), question(start + 1s, 1, "boot-2"), question(start + 1s, 2, "boot-2")}) {
        auto answer = granting.answer(other, terms(10s), start + 1s);
        EXPECT_EQ(answer.what, What::refuse);
        EXPECT_NE(answer.reason.find("rule F1"), std::string::npos) << answer.reason;
    }
    auto restarted = question(start + 1s, 2);
    restarted.request.earlier = {incarnation_id(2, 1)};
    EXPECT_EQ(grant(granting, restarted, terms(10s)).what, What::grant) << "its daemon only was started again";
    restarted = question(start + 1s, 3, "boot-2");
    restarted.request.earlier = {incarnation_id(2, 2)};
    EXPECT_EQ(granting.answer(restarted, terms(10s), start + 1s).what, What::refuse) << "a copy knows the past as well";
    EXPECT_EQ(grant(granting, question(over + 2s, 9, "boot-9"), terms(10s)).what, What::grant);
}

/// Rule F5.
TEST(Lease, NothingIsGrantedBeyondTheGrantersOwn) {
    Granting granting;
    auto answer = grant(granting, question(start), terms(30s, start + 10s));
    EXPECT_EQ(answer.what, What::grant);
    EXPECT_LT(answer.length, Duration(10s));
    EXPECT_GT(answer.length, Duration(9s));
    EXPECT_EQ(granting.answer(question(start + 9500ms), terms(30s, start + 10s), start + 9500ms).what, What::refuse);
    EXPECT_EQ(granting.answer(question(start), terms(30s, Instant{}), start).what, What::refuse);
}

TEST(Lease, AShorterLengthIsNotedOnceNothingLongerCanRun) {
    Granting granting;
    ASSERT_EQ(grant(granting, question(start), terms(60s)).what, What::grant);
    Instant over = *granting.over(start);
    ASSERT_EQ(grant(granting, question(start + 1s), terms(10s)).what, What::grant);
    EXPECT_EQ(granting.note()->longest, Duration(60s));
    EXPECT_EQ(granting.over(start + 1s), over) << "the longer one may still run";
    for (Instant at = start + 5s; at <= over + 5s; at = at + 5s)
        ASSERT_EQ(grant(granting, question(at), terms(10s)).what, What::grant);
    EXPECT_EQ(granting.note()->longest, Duration(10s));
}

/// Whatever a child with a clock of its own holds is over before the parent takes it for over, in all orders of asking, losing
/// and restarting at random (rules F1, F4, F6).
TEST(Lease, PropertyWhatTheChildHoldsIsOverBeforeTheParentThinksSo) {
    for (std::uint64_t seed = 1, end = test::seeds(500); seed <= end; ++seed) {
        env::SeededChance chance(seed);
        // Nanoseconds of the child's clock per nanosecond of the parent's.
        double rate = 1 + (chance.fraction() - 0.5) * 0.002;
        auto child_clock = [&](Instant at) {
            return Instant{Duration(static_cast<Duration::rep>(static_cast<double>(at.since_boot.count()) * rate)) + 1h};
        };
        Granting granting;
        std::optional<LeaseNote> disk;
        Instant now = start, child_until{};
        for (int n = 0; n < 200; ++n) {
            now = now + chance.up_to(8s);
            if (chance.bits() % 20 == 0) granting = disk ? Granting(*disk, now) : Granting();
            Duration length = 1s + chance.up_to(20s);
            Instant sent = child_clock(now);
            now = now + chance.up_to(2s); // on its way
            auto asked = question(now);
            auto answer = granting.answer(asked, terms(length), now);
            if (answer.what == What::note) {
                if (chance.bits() % 4 == 0) continue; // it crashed in between: nothing was granted
                disk = answer.note;
                granting.noted(answer.note);
                if (chance.bits() % 4 == 0) {
                    granting = Granting(*disk, now); // or right behind
                    continue;
                }
                answer = granting.answer(asked, terms(length), now);
            }
            ASSERT_EQ(answer.what, What::grant);
            granting.granted(asked, answer.length);
            if (chance.bits() % 4 != 0) child_until = std::max(child_until, sent + answer.length);
            auto over = granting.over(now);
            ASSERT_TRUE(over);
            ASSERT_LE(child_until, child_clock(*over)) << "seed " << seed;
        }
    }
}

TEST(Lease, RidesOnBeatsAndCostsNothingWithoutNeed) {
    FakeLink link;
    link.connect();
    ASSERT_TRUE(link.settle());
    ASSERT_TRUE(link.pass(5s));
    auto bytes = link.bytes, messages = link.messages;
    ASSERT_TRUE(link.pass(5s));
    EXPECT_EQ(link.messages - messages, 5u);
    EXPECT_FALSE(link.parent.session->lease_question());
    bytes = (link.bytes - bytes) / 5;
    link.child.session->want_lease(true);
    Instant asked = link.now;
    ASSERT_TRUE(link.settle());
    ASSERT_TRUE(link.parent.session->lease_question()) << "the first is asked for at once";
    link.now = link.now + 2s; // the answer takes its time
    link.parent.session->answer_lease(10s, {});
    ASSERT_TRUE(link.settle());
    EXPECT_EQ(link.child.session->lease().until, asked + 10s) << "rule F1: from when the beat was sent";
    messages = link.messages;
    auto before = link.bytes;
    for (int n = 0; n < 20; ++n) {
        ASSERT_TRUE(link.pass(1s));
        if (link.parent.session->lease_question()) link.parent.session->answer_lease(10s, {});
    }
    EXPECT_GE(link.child.session->lease().until, link.now + 6s);
    EXPECT_LE(link.messages - messages, 20u + 20 / 2 + 1) << "a beat each second, and an answer to every second or third";
    RecordProperty("beat_bytes", static_cast<int>(bytes));
    RecordProperty("leased_second_bytes", static_cast<int>((link.bytes - before) / 20));
    link.child.session->want_lease(false);
    ASSERT_TRUE(link.pass(10s));
    EXPECT_FALSE(link.parent.session->lease_question());
}

TEST(Lease, ARefusalIsToldAndAskedAgain) {
    FakeLink link;
    link.connect();
    link.child.session->want_lease(true);
    ASSERT_TRUE(link.settle());
    ASSERT_TRUE(link.parent.session->lease_question());
    link.parent.session->answer_lease({}, "not now");
    ASSERT_TRUE(link.settle());
    EXPECT_EQ(link.child.session->lease_refused(), "not now");
    ASSERT_TRUE(link.pass(2s));
    EXPECT_TRUE(link.parent.session->lease_question());
}

TEST(Lease, AGrantForAnotherRunEndsTheLink) {
    FakeLink link;
    link.connect();
    link.child.session->want_lease(true);
    ASSERT_TRUE(link.settle());
    link.down_wire.push_back(encode(Grant{.number = 1, .length_ms = 10'000, .holder = 7, .reason = {}}));
    ASSERT_TRUE(link.settle());
    EXPECT_NE(link.ended.find("another run"), std::string::npos) << link.ended;
    EXPECT_EQ(link.child.session->lease().until, Instant{});
}

TEST(Lease, AnAnswerOfALostConnectionCountsForNothing) {
    FakeLink link;
    link.connect();
    link.child.session->want_lease(true);
    ASSERT_TRUE(link.settle());
    link.cut();
    link.parent.session->answer_lease(10s, {});
    EXPECT_EQ(link.child.session->lease().until, Instant{});
    link.connect();
    ASSERT_TRUE(link.settle());
    EXPECT_TRUE(link.parent.session->lease_question()) << "asked again at once";
}

} // namespace
} // namespace skerry::sync
