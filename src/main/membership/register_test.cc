#include "main/membership/register.h"

#include "cell/links/seats.h"
#include "model/site.pb.h"
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

/// A state of before seats were noted (rule H6).
TEST_F(RegisterTest, MembersWithoutASeatGetOneOfTheObjectThereIsOrOfNone) {
    open();
    const Uid here(Id{1, 1});
    auto cell_of = [](int n) { return CellId(Id{2, static_cast<std::uint64_t>(n + 1)}); };
    auto name_of = [](int n) { return "s" + std::to_string(n); };
    constexpr int count = 150; // more than one transaction holds
    for (int n = 0; n < count; ++n) {
        store::Transaction joined;
        if (n < 10)
            joined.put({model::Kind::site, "", name_of(n)}, here, store->cell(), 1, model::Site().SerializeAsString(),
                       store::Transaction::absent());
        Register(*store).put(std::move(joined), {.role = trust::Role::site, .name = name_of(n)}, {.cell = cell_of(n), .key = "k"},
                             nullptr);
        env.settle();
    }
    store::Transaction sits;
    cell::take_seat(sits, env::Peer::Role::site, name_of(3), {.object = here, .cell = CellId(Id{9, 9})});
    commit(std::move(sits));
    ASSERT_TRUE(Register(*store).seat_all());
    for (int n = 0; n < count; ++n) {
        auto seat = cell::seat_of(*store, env::Peer::Role::site, name_of(n));
        ASSERT_TRUE(seat) << n;
        EXPECT_EQ(seat->cell, n == 3 ? CellId(Id{9, 9}) : cell_of(n)) << n;
        EXPECT_EQ(seat->object, n < 10 ? here : Uid{}) << n;
        EXPECT_EQ(bool(cell::may_speak(*store, {env::Peer::Role::site, name_of(n), cell_of(n)})), n < 10 && n != 3) << n;
    }
}

/// A join on its way to disk, and a renewal by what was there before.
TEST_F(RegisterTest, NothingIsDecidedByARecordThatIsBeingReplaced) {
    open();
    Register members(*store);
    const trust::Identity who{.role = trust::Role::site, .name = "store-17"};
    auto put = [&](const std::string& key, store::Transaction with = {}) {
        auto outcome = std::make_shared<std::optional<bool>>();
        members.put(std::move(with), who, {.cell = CellId(Id{1, 1}), .key = key},
                    [outcome](auto done) { *outcome = done.has_value(); });
        return outcome;
    };
    put("old");
    env.settle();
    auto outcome = put("new");
    EXPECT_EQ(members.member(who)->key, "new");
    EXPECT_EQ(Register(*store).member(who)->key, "old") << "not yet on the disk";
    env.settle();
    EXPECT_EQ(*outcome, true);
    EXPECT_EQ(Register(*store).member(who)->key, "new");

    store::Transaction refused; // there is no such object
    refused.put({model::Kind::site, "", "store-17"}, Uid(Id{1, 1}), store->cell(), 1, "x", {.number = 5, .uid = {}});
    outcome = put("third", std::move(refused));
    EXPECT_EQ(members.member(who)->key, "third");
    env.settle();
    EXPECT_EQ(*outcome, false);
    EXPECT_EQ(members.member(who)->key, "new");
}

/// All that a damaged note says is that it is there.
TEST_F(RegisterTest, ARevocationThatCannotBeReadIsOneAllTheSame) {
    open();
    store::Transaction damaged;
    damaged.note("revoked", "k1", "");
    commit(std::move(damaged));
    EXPECT_TRUE(Register(*store).is_revoked("k1"));
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
