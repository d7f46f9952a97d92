#include "cell/links/slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::cell {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Instant at(Duration since) { return Instant{since}; }

TEST(Slots, GoToThoseThatCameFirst) {
    Slots slots({.most = 2, .waiting = 10, .turn = 10s});
    EXPECT_TRUE(slots.ask("a", at(0s)));
    EXPECT_TRUE(slots.ask("b", at(0s)));
    EXPECT_FALSE(slots.ask("c", at(0s)));
    EXPECT_FALSE(slots.ask("d", at(0s)));
    EXPECT_FALSE(slots.ask("c", at(1s))) << "asking again changes nothing";
    EXPECT_TRUE(slots.ask("a", at(1s)));
    EXPECT_EQ(slots.waiting(), 2u);
    EXPECT_THAT(slots.next(at(1s)), IsEmpty());
    slots.release("b");
    EXPECT_FALSE(slots.ask("e", at(1s))) << "not before those in line";
    EXPECT_THAT(slots.next(at(1s)), ElementsAre("c"));
    EXPECT_TRUE(slots.ask("c", at(1s)));
    slots.release("a");
    slots.release("d");
    EXPECT_THAT(slots.next(at(1s)), ElementsAre("e")) << "who is gone has no place in it";
    EXPECT_EQ(slots.waiting(), 0u);
}

TEST(Slots, WhoIsSlowKeepsNobodyWaiting) {
    Slots slots({.most = 2, .waiting = 10, .turn = 10s});
    EXPECT_TRUE(slots.ask("slow", at(0s)));
    EXPECT_TRUE(slots.ask("slower", at(5s)));
    EXPECT_FALSE(slots.ask("a", at(5s)));
    EXPECT_FALSE(slots.ask("b", at(5s)));
    EXPECT_THAT(slots.next(at(9s)), IsEmpty());
    EXPECT_THAT(slots.next(at(10s)), ElementsAre("a"));
    EXPECT_TRUE(slots.ask("slow", at(11s))) << "it goes on";
    EXPECT_THAT(slots.next(at(14s)), IsEmpty());
    EXPECT_THAT(slots.next(at(15s)), ElementsAre("b"));
    slots.release("slow");
    slots.release("slower");
    EXPECT_FALSE(slots.ask("c", at(16s))) << "what counted no more frees nothing";
    slots.release("a");
    EXPECT_THAT(slots.next(at(16s)), ElementsAre("c"));
}

TEST(Slots, WhoNeverAgreesTakesNoPlaceForEver) {
    Slots slots({.most = 1, .waiting = 10, .turn = 10s});
    EXPECT_TRUE(slots.ask("stuck", at(0s)));
    EXPECT_FALSE(slots.ask("a", at(1s)));
    slots.release("a");
    EXPECT_TRUE(slots.ask("b", at(10s))) << "nobody has to be in line for it";
    EXPECT_FALSE(slots.ask("c", at(11s)));
    slots.release("stuck");
    EXPECT_THAT(slots.next(at(12s)), IsEmpty()) << "what counted no more frees nothing";
    slots.release("b");
    EXPECT_THAT(slots.next(at(12s)), ElementsAre("c"));
}

TEST(Slots, WhoComesAgainStandsAtTheEnd) {
    Slots slots({.most = 1, .waiting = 10, .turn = 10s});
    EXPECT_TRUE(slots.ask("a", at(0s)));
    EXPECT_FALSE(slots.ask("b", at(0s)));
    EXPECT_FALSE(slots.ask("c", at(0s)));
    slots.release("b");
    EXPECT_FALSE(slots.ask("b", at(1s)));
    slots.release("a");
    EXPECT_THAT(slots.next(at(1s)), ElementsAre("c"));
    slots.release("c");
    EXPECT_THAT(slots.next(at(1s)), ElementsAre("b"));
}

TEST(Slots, TheLineIsBounded) {
    Slots slots({.most = 1, .waiting = 2, .turn = 10s});
    for (const char* each : {"a", "b", "c"}) {
        EXPECT_FALSE(slots.is_full());
        slots.ask(each, at(0s));
    }
    EXPECT_TRUE(slots.is_full());
    EXPECT_GE(slots.come_back(0), 10s);
    EXPECT_LE(slots.come_back(1), 30s);
    slots.release("b");
    EXPECT_FALSE(slots.is_full());
}

} // namespace
} // namespace skerry::cell
