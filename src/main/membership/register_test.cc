#include "main/membership/register.h"

#include "store/memory/memory_backend.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

namespace skerry::main {
namespace {

struct RegisterTest : testing::Test {
    void open() {
        store.reset();
        store = std::move(*store::Store::open(env.env(), std::make_unique<store::MemoryBackend>(disk), {}));
    }
    void commit(store::Transaction transaction) {
        store->commit(std::move(transaction), nullptr);
        env.settle();
    }

    store::TestEnv env{7};
    std::shared_ptr<store::MemoryDisk> disk = std::make_shared<store::MemoryDisk>();
    std::unique_ptr<store::Store> store;
};

TEST_F(RegisterTest, WhatIsRevokedStaysSoAndTheFirstReasonStands) {
    open();
    Register members(*store);
    store::Transaction first, second;
    members.revoke(first, {.key = "k1", .holder = "site store-17", .reason = "stolen", .when = "2026-01-01T00:00:00Z"});
    EXPECT_TRUE(members.is_revoked("k1")) << "in force at once";
    commit(std::move(first));
    members.revoke(second, {.key = "k1", .holder = "site store-17", .reason = "again", .when = "2026-01-02T00:00:00Z"});
    EXPECT_TRUE(second.empty());
    open();
    Register after(*store);
    ASSERT_EQ(after.revocations().size(), 1u);
    EXPECT_EQ(after.revocations()[0].reason, "stolen");
}

TEST_F(RegisterTest, ARevocationWhoseCommitWasRefusedIsWrittenAtTheSecondTry) {
    open();
    Register members(*store);
    {
        store::Transaction refused; // a disk without room
        members.revoke(refused, {.key = "k1", .holder = "site store-17", .reason = "stolen", .when = {}});
    }
    store::Transaction again;
    members.revoke(again, {.key = "k1", .holder = "site store-17", .reason = "stolen", .when = {}});
    commit(std::move(again));
    open();
    EXPECT_TRUE(Register(*store).is_revoked("k1"));
}

} // namespace
} // namespace skerry::main
