#include "cell/links/doubles.h"
#include "store/memory/memory_backend.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

namespace skerry::cell {
namespace {

using Verdict = Doubles::Verdict;

class DoublesTest : public testing::Test {
protected:
    DoublesTest() { open(); }
    void open() {
        doubles.reset();
        store.reset();
        store = *store::Store::open(world.env(), std::make_unique<store::MemoryBackend>(disk), {});
        doubles = std::make_unique<Doubles>(*store);
    }
    Verdict shows(std::uint64_t incarnation, CellId cell = CellId(Id{1, 1})) {
        auto verdict = doubles->judge("site/store-17", cell, IncarnationId(Id{2, incarnation}), Instant{});
        world.settle();
        return verdict;
    }

    store::TestEnv world{1};
    std::shared_ptr<store::MemoryDisk> disk = std::make_shared<store::MemoryDisk>();
    std::unique_ptr<store::Store> store;
    std::unique_ptr<Doubles> doubles;
};

TEST_F(DoublesTest, RestartsAreNoDoubles) {
    for (std::uint64_t n = 1; n < 200; ++n)
        for (int again = 0; again < 3; ++again) ASSERT_EQ(shows(n), Verdict::serve);
    EXPECT_FALSE(doubles->trouble("site/store-17", Instant{}));
}

TEST_F(DoublesTest, OneLateWordOfADeadOneIsNoProof) {
    EXPECT_EQ(shows(1), Verdict::serve);
    EXPECT_EQ(shows(2), Verdict::serve);
    EXPECT_EQ(shows(1), Verdict::serve);
    for (int n = 0; n < 10; ++n) EXPECT_EQ(shows(2), Verdict::serve);
    EXPECT_EQ(shows(3), Verdict::serve);
}

TEST_F(DoublesTest, TheLaterOfTwoThatLiveIsRefusedForGood) {
    shows(1), shows(2), shows(1), shows(2);
    EXPECT_EQ(shows(1), Verdict::expel);
    EXPECT_EQ(shows(2), Verdict::refuse);
    ASSERT_TRUE(doubles->trouble("site/store-17", Instant{}));
    EXPECT_NE(doubles->trouble("site/store-17", Instant{})->find("skerry reset"), std::string::npos);
    EXPECT_FALSE(doubles->trouble("site/store-17", Instant{11min}));
    EXPECT_EQ(shows(1), Verdict::serve);
    open();
    EXPECT_EQ(shows(2), Verdict::refuse) << "also after our own restart";
    EXPECT_EQ(shows(1), Verdict::serve);
    // Each of them restarts.
    EXPECT_EQ(shows(3), Verdict::serve);
    EXPECT_EQ(shows(4), Verdict::serve) << "one of the two; which, time tells";
    shows(3), shows(4);
    EXPECT_EQ(shows(3), Verdict::expel);
    EXPECT_EQ(shows(4), Verdict::refuse);
    // Joined anew, it is another cell.
    EXPECT_EQ(shows(4, CellId(Id{1, 2})), Verdict::serve);
}

} // namespace
} // namespace skerry::cell
