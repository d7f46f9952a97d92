#include "model/epoch.h"

#include "model/allocation.pb.h"

#include <gtest/gtest.h>

namespace skerry::model {
namespace {

Epoch epoch(std::uint32_t term, std::uint32_t count) {
    Epoch out;
    out.set_term(term);
    out.set_count(count);
    return out;
}

Epoch within(const Epoch& above, Epoch own) {
    *own.mutable_above() = above;
    return own;
}

TEST(Epoch, TermCountsBeforeCount) {
    EXPECT_TRUE(compare(epoch(1, 9), epoch(2, 1)) < 0);
    EXPECT_TRUE(compare(epoch(2, 2), epoch(2, 1)) > 0);
    EXPECT_TRUE(compare(epoch(2, 2), epoch(2, 2)) == 0);
    EXPECT_TRUE(compare(Epoch(), epoch(0, 1)) < 0);
}

TEST(Epoch, WhatTheCellAboveGaveCountsFirst) {
    EXPECT_TRUE(compare(within(epoch(1, 1), epoch(9, 9)), within(epoch(1, 2), epoch(1, 1))) < 0);
    EXPECT_TRUE(compare(within(epoch(1, 1), epoch(1, 2)), within(epoch(1, 1), epoch(1, 1))) > 0);
    // A cell that came in between divides what was given without it before.
    EXPECT_TRUE(compare(epoch(9, 9), within(epoch(1, 1), epoch(1, 1))) < 0);
    EXPECT_TRUE(compare(within(Epoch(), epoch(1, 1)), epoch(1, 1)) == 0);
}

TEST(Epoch, ReadsAsFirstToLast) {
    EXPECT_EQ(text(epoch(2, 5)), "2.5");
    EXPECT_EQ(text(within(epoch(1, 3), epoch(2, 5))), "1.3/2.5");
}

} // namespace
} // namespace skerry::model
