#include "store/store.h"

#include "model/app.pb.h"
#include "store/memory/memory_backend.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

namespace skerry::store {
namespace {

Key app(const std::string& name) { return {model::Kind::app, "retail", name}; }
Uid uid(std::uint64_t n) { return Uid(Id{7, n}); }
const CellId home{Id{1, 1}};

struct StoreTest : testing::Test {
    TestEnv env{1};
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
    std::optional<Error> failed;
    std::unique_ptr<Store> store;
    StoreTest() { store = reopen(); }

    std::unique_ptr<Store> reopen(Store::Options options = {}) {
        options.failed = [this](const Error& error) { failed = error; };
        store.reset();
        env.crash();
        auto opened = Store::open(env.env(), std::make_unique<MemoryBackend>(disk), options);
        EXPECT_TRUE(opened) << opened.error().message;
        return std::move(*opened);
    }

    std::shared_ptr<std::optional<Result<Number>>> commit(Transaction transaction) {
        auto answer = std::make_shared<std::optional<Result<Number>>>();
        store->commit(std::move(transaction), [answer](Result<Number> result) { *answer = std::move(result); });
        EXPECT_FALSE(answer->has_value()) << "never before it returns";
        return answer;
    }
    Transaction put(const Key& key, Uid uid, std::string bytes, Transaction::Expect expect = {}) {
        Transaction transaction;
        transaction.put(key, uid, home, 1, std::move(bytes), expect);
        return transaction;
    }
    Number done(Transaction transaction) {
        auto answer = commit(std::move(transaction));
        env.settle();
        EXPECT_TRUE(*answer && **answer) << (*answer ? (**answer).error().message : "no answer");
        return *answer && **answer ? ***answer : 0;
    }
    Code refused(Transaction transaction) {
        auto answer = commit(std::move(transaction));
        env.settle();
        EXPECT_TRUE(*answer && !**answer);
        return *answer && !**answer ? (**answer).error().code : Code::internal;
    }
};

TEST_F(StoreTest, NothingIsVisibleBeforeItIsDurable) {
    auto answer = commit(put(app("till"), uid(1), "x"));
    EXPECT_EQ(store->get(app("till")), nullptr);
    env.run_posted();
    env.run_job();
    EXPECT_EQ(store->get(app("till")), nullptr);
    EXPECT_FALSE(*answer);
    env.land_job();
    ASSERT_TRUE(store->get(app("till")));
    EXPECT_EQ(store->get(app("till"))->wish.number, ***answer);
    EXPECT_EQ(store->cursor().number, ***answer);
}

TEST_F(StoreTest, OneDecisionIsOneBatchAndLaterOnesGatherBehindIt) {
    const auto writes = disk->writes();
    for (int i = 0; i < 5; i++) commit(put(app("a" + std::to_string(i)), uid(i), "x"));
    env.run_posted();
    for (int i = 0; i < 7; i++) commit(put(app("b" + std::to_string(i)), uid(10 + i), "x"));
    env.settle();
    EXPECT_EQ(disk->writes() - writes, 2u);
    EXPECT_EQ(store->count(model::Kind::app), 12u);
}

TEST_F(StoreTest, ExpectationsSeeWhatIsOnItsWay) {
    auto first = commit(put(app("till"), uid(1), "x", Transaction::absent()));
    auto second = commit(put(app("till"), uid(2), "y", Transaction::absent()));
    bool visible_when_refused = false;
    store->commit(put(app("till"), uid(3), "z", Transaction::absent()),
                  [&](Result<Number> result) { visible_when_refused = !result && store->get(app("till")); });
    env.settle();
    EXPECT_TRUE(**first);
    EXPECT_EQ((**second).error().code, Code::conflict);
    EXPECT_TRUE(visible_when_refused) << "a refusal is told once the winner can be read";

    ObjectPtr read = store->get(app("till"));
    auto one = commit(put(app("till"), uid(1), "1", Transaction::unchanged(*read)));
    env.run_posted(); // in flight
    auto two = commit(put(app("till"), uid(1), "2", Transaction::unchanged(*read)));
    env.settle();
    EXPECT_TRUE(**one);
    EXPECT_EQ((**two).error().code, Code::conflict);
    EXPECT_EQ(*store->get(app("till"))->wish.bytes, "1");
}

TEST_F(StoreTest, RefusesAWholeTransactionForOneUnmetExpectation) {
    done(put(app("a"), uid(1), "x"));
    Transaction transaction;
    transaction.put(app("b"), uid(2), home, 1, "y", {});
    transaction.put(app("a"), uid(1), home, 1, "y", {.number = 3, .uid = {}});
    transaction.note("s", "k", "v");
    EXPECT_EQ(refused(std::move(transaction)), Code::conflict);
    EXPECT_FALSE(store->get(app("b")));
    EXPECT_FALSE(store->note("s", "k"));

    EXPECT_EQ(refused(put(app("a"), uid(9), "y", {.number = {}, .uid = uid(9)})), Code::conflict);
    Transaction erase;
    erase.erase(app("missing"), {.number = {}, .uid = uid(1)});
    EXPECT_EQ(refused(std::move(erase)), Code::conflict);
    Transaction status;
    status.put_part(app("missing"), uid(1), Part::found, "f", {});
    EXPECT_EQ(refused(std::move(status)), Code::not_found);
    Transaction nothing;
    nothing.erase(app("missing"), Transaction::anything());
    done(std::move(nothing));
}

TEST_F(StoreTest, AnotherUidReplacesTheObjectWhole) {
    done(put(app("till"), uid(1), "x"));
    ASSERT_TRUE(store->report(app("till"), uid(1), Part::found, "up"));
    std::vector<Change> changes;
    auto watch = store->watch([&](const Change& change) { changes.push_back(change); });
    done(put(app("till"), uid(2), "y"));
    EXPECT_FALSE(store->get(app("till"))->found.bytes);
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].before->uid, uid(1));
    EXPECT_EQ(changes[0].after->uid, uid(2));
    EXPECT_TRUE(changes[0].changed(Part::found));
    EXPECT_EQ(store->report(app("till"), uid(1), Part::found, "up").error().code, Code::not_found);
}

TEST_F(StoreTest, ReportsDuringAFlightShowRightBehindIt) {
    done(put(app("a"), uid(1), "x"));
    std::vector<Change> changes;
    auto watch = store->watch([&](const Change& change) { changes.push_back(change); });
    commit(put(app("b"), uid(2), "y"));
    env.run_posted();
    ASSERT_TRUE(store->report(app("a"), uid(1), Part::found, "up"));
    ASSERT_TRUE(store->report(app("a"), uid(1), Part::found, "down"));
    EXPECT_FALSE(store->get(app("a"))->found.bytes);
    env.settle();
    EXPECT_EQ(*store->get(app("a"))->found.bytes, "down");
    ASSERT_EQ(changes.size(), 2u);
    EXPECT_EQ(changes[0].key, app("b"));
    EXPECT_EQ(changes[1].key, app("a"));
    EXPECT_LT(changes[0].number, changes[1].number);
}

TEST_F(StoreTest, EqualReportsChangeNothingAndSoftStatusIsWrittenAtABoundedRate) {
    done(put(app("a"), uid(1), "x"));
    const auto writes = disk->writes();
    ASSERT_TRUE(store->report(app("a"), uid(1), Part::found, "up"));
    const Cursor cursor = store->cursor();
    ASSERT_TRUE(store->report(app("a"), uid(1), Part::found, "up"));
    EXPECT_EQ(store->cursor(), cursor);
    for (int i = 0; i < 50; i++) ASSERT_TRUE(store->report(app("a"), uid(1), Part::seen, std::to_string(i)));
    env.pass(59s);
    EXPECT_EQ(disk->writes(), writes);
    env.pass(2s);
    EXPECT_EQ(disk->writes(), writes + 1);
    env.pass(24h);
    EXPECT_EQ(disk->writes(), writes + 1) << "an idle store writes nothing";
    store = reopen();
    EXPECT_EQ(*store->get(app("a"))->found.bytes, "up");
    EXPECT_EQ(*store->get(app("a"))->seen.bytes, "49");
}

TEST_F(StoreTest, ACrashForgetsSoftStatusButNoNumberIsGivenTwice) {
    done(put(app("a"), uid(1), "x"));
    const Cursor durable = store->cursor();
    ASSERT_TRUE(store->report(app("a"), uid(1), Part::found, "up"));
    const Cursor soft = store->cursor();
    EXPECT_TRUE(store->knows(soft));
    store = reopen();
    EXPECT_FALSE(store->get(app("a"))->found.bytes);
    EXPECT_TRUE(store->knows(durable));
    EXPECT_FALSE(store->knows(soft));
    EXPECT_FALSE(store->knows(soft.number));
    EXPECT_GE(store->cursor().number - durable.number, Number{1} << 32);
    EXPECT_LT(store->cursor().number - durable.number, Number{1} << 33);
    EXPECT_EQ(store->incarnations().size(), 2u);
    EXPECT_FALSE(store->knows(Cursor{IncarnationId(Id{5, 5}), durable.number}));
}

TEST_F(StoreTest, KeepsItsCellId) {
    const CellId cell = store->cell();
    EXPECT_TRUE(cell);
    store = reopen();
    EXPECT_EQ(store->cell(), cell);
}

TEST_F(StoreTest, SinceShowsLatestStatesInOrderAndEndsAtTheTombstoneFloor) {
    store = reopen({.tombstones_kept = 3});
    const Number start = store->cursor().number;
    done(put(app("a"), uid(1), "1"));
    done(put(app("b"), uid(2), "1"));
    done(put(app("a"), uid(1), "2"));
    Transaction erase;
    erase.erase(app("b"), {});
    const Number erased = done(std::move(erase));
    auto changes = store->since(start);
    ASSERT_TRUE(changes);
    ASSERT_EQ(changes->size(), 2u);
    EXPECT_EQ((*changes)[0].key, app("a"));
    EXPECT_EQ((*changes)[1].key, app("b"));
    EXPECT_FALSE((*changes)[1].after);
    EXPECT_EQ((*changes)[1].before->uid, uid(2));
    EXPECT_EQ((*changes)[1].number, erased);
    const Cursor early{store->cursor().incarnation, start};
    EXPECT_TRUE(store->knows(early));
    for (int i = 0; i < 4; i++) {
        done(put(app("c" + std::to_string(i)), uid(20 + i), "x"));
        Transaction transaction;
        transaction.erase(app("c" + std::to_string(i)), {});
        done(std::move(transaction));
    }
    EXPECT_FALSE(store->knows(early));
    EXPECT_EQ(store->since(start).error().code, Code::gone);
    EXPECT_TRUE(store->since(store->cursor().number)->empty());
    store = reopen({.tombstones_kept = 3});
    EXPECT_FALSE(store->knows(early));
}

TEST_F(StoreTest, WatchersMayDoAnythingFromWithin) {
    std::vector<Number> order, late;
    std::unique_ptr<Watch> self, added;
    bool committed = false;
    self = store->watch([&](const Change& change) {
        order.push_back(change.number);
        if (change.key == app("a") && change.changed(Part::wish)) {
            ASSERT_TRUE(store->report(app("a"), uid(1), Part::found, "up"));
            store->commit(put(app("c"), uid(3), "z"), [&](Result<Number>) { committed = true; });
            added = store->watch([&](const Change& c) { late.push_back(c.number); });
        }
        if (change.key == app("c")) self.reset();
    });
    commit(put(app("a"), uid(1), "x"));
    commit(put(app("b"), uid(2), "y"));
    env.settle();
    EXPECT_TRUE(committed);
    ASSERT_EQ(order.size(), 4u) << "a, b, a's status, c";
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_EQ(late, std::vector<Number>{order[3]}) << "what was visible when the watch began it could read";
    done(put(app("d"), uid(4), "w"));
    EXPECT_EQ(order.size(), 4u);
    EXPECT_EQ(late.size(), 2u);
}

TEST_F(StoreTest, ARefusedWriteEndsTheCell) {
    auto first = commit(put(app("a"), uid(1), "x"));
    disk->crash_on_write(1, MemoryDisk::Fate::kept);
    env.run_posted();
    auto second = commit(put(app("b"), uid(2), "y"));
    env.settle();
    EXPECT_EQ((**first).error().code, Code::unavailable);
    EXPECT_EQ((**second).error().code, Code::unavailable);
    EXPECT_TRUE(failed);
    EXPECT_EQ(refused(put(app("c"), uid(3), "z")), Code::unavailable);
    EXPECT_EQ(store->report(app("a"), uid(1), Part::found, "up").error().code, Code::unavailable);
    EXPECT_FALSE(store->flush());
    store = reopen();
    EXPECT_TRUE(store->get(app("a"))) << "written, though nobody was told";
    EXPECT_FALSE(store->get(app("b")));
}

TEST_F(StoreTest, BoundsTransactionsAndTheQueue) {
    Transaction many;
    for (int i = 0; i < 129; i++) many.put(app("a" + std::to_string(i)), uid(i), home, 1, "x", {});
    EXPECT_EQ(refused(std::move(many)), Code::exhausted);
    EXPECT_EQ(refused(put(app("big"), uid(1), std::string((1 << 20) + 1, 'x'))), Code::exhausted);
    store = reopen({.queue = 2});
    commit(put(app("a"), uid(1), "x"));
    commit(put(app("b"), uid(2), "x"));
    EXPECT_EQ(refused(put(app("c"), uid(3), "x")), Code::exhausted);
    done(put(app("c"), uid(3), "x"));
}

TEST_F(StoreTest, FlushWritesEverythingWithoutAWorker) {
    auto first = commit(put(app("a"), uid(1), "x"));
    env.run_posted();
    auto second = commit(put(app("b"), uid(2), "y"));
    ASSERT_TRUE(store->flush());
    EXPECT_TRUE(**first);
    EXPECT_TRUE(**second);
    ASSERT_TRUE(store->report(app("a"), uid(1), Part::found, "up"));
    ASSERT_TRUE(store->flush());
    const Cursor cursor = store->cursor();
    env.settle(); // the worker comes too late, and does no harm
    store = reopen();
    EXPECT_EQ(*store->get(app("a"))->found.bytes, "up");
    EXPECT_TRUE(store->knows(cursor));
}

TEST_F(StoreTest, ListsByProjectAndName) {
    for (const char* name : {"b", "a", "c"}) done(put({model::Kind::app, "retail", name}, uid(name[0]), "x"));
    done(put({model::Kind::app, "kitchen", "z"}, uid(99), "x"));
    auto names = [](const std::vector<ObjectPtr>& objects) {
        std::string all;
        for (const auto& object : objects) all += object->key.name;
        return all;
    };
    EXPECT_EQ(names(store->list(model::Kind::app)), "zabc");
    EXPECT_EQ(names(store->list(model::Kind::app, "retail")), "abc");
    EXPECT_EQ(names(store->list(model::Kind::app, "retai")), "");
    EXPECT_EQ(names(store->list(model::Kind::site)), "");
}

TEST_F(StoreTest, NotesArePrivateBytes) {
    Transaction transaction;
    transaction.note("sync", "b", "2");
    transaction.note("sync", "a", "1");
    transaction.note("sync", "c", "3");
    transaction.erase_note("sync", "c");
    const Number before = store->cursor().number;
    done(std::move(transaction));
    EXPECT_EQ(store->cursor().number, before);
    store = reopen();
    using Pairs = std::vector<std::pair<std::string, std::string>>;
    EXPECT_EQ(store->notes("sync"), (Pairs{{"a", "1"}, {"b", "2"}}));
    EXPECT_FALSE(store->note("sync", "c"));
}

TEST_F(StoreTest, ADamagedObjectIsMissingAndListed) {
    done(put(app("a"), uid(1), "x"));
    disk->damage(app("a"));
    store = reopen();
    EXPECT_FALSE(store->get(app("a")));
    EXPECT_EQ(store->damaged(), std::vector<std::string>{"App retail/a"});
}

TEST_F(StoreTest, WhatIsMissingIsSoUntilItIsPutAgainOrErased) {
    done(put(app("a"), uid(1), "x"));
    done(put(app("b"), uid(2), "x"));
    disk->damage(app("a"));
    disk->damage(app("b"));
    store = reopen();
    EXPECT_EQ(store->missing(), (std::set{app("a"), app("b")}));
    done(put(app("a"), uid(1), "x"));
    EXPECT_EQ(store->missing(), std::set{app("b")});
    Transaction transaction;
    transaction.erase(app("b"), {});
    done(std::move(transaction));
    EXPECT_TRUE(store->missing().empty());
    store = reopen();
    EXPECT_TRUE(store->missing().empty()) << "nothing is left on the disk";
    EXPECT_TRUE(store->damaged().empty());
}

TEST_F(StoreTest, TheScrubWritesAgainWhatTheDiskLostAndNothingElse) {
    store = reopen({.scrub_step = 60s});
    for (std::uint64_t n = 0; n < 300; ++n) done(put(app("a" + std::to_string(n)), uid(n + 1), "x"));
    ASSERT_TRUE(store->report(app("a7"), uid(8), Part::found, "soft and not on the disk yet"));
    auto pass = [&] {
        env.pass(1h);
        for (int step = 0; step < 3; ++step) env.pass(60s);
    };
    pass();
    std::uint64_t writes = disk->writes();
    pass();
    EXPECT_EQ(disk->writes(), writes) << "reading wears nothing out";
    EXPECT_EQ(store->mended(), 0u);
    disk->damage(app("a5"));
    disk->lose(app("a6"));
    // While it reads, the cell works on.
    auto answer = commit(put(app("a9"), uid(10), "y"));
    pass();
    EXPECT_TRUE(*answer && **answer);
    EXPECT_EQ(store->mended(), 2u);
    EXPECT_TRUE(disk->is_sound(app("a5")));
    EXPECT_TRUE(disk->is_sound(app("a6")));
    store = reopen();
    EXPECT_EQ(store->count(model::Kind::app), 300u);
    EXPECT_TRUE(store->damaged().empty());
}

TEST_F(StoreTest, MergesPartsAndIgnoresUndecodableOnes) {
    model::App wish, found;
    wish.mutable_metadata()->set_name("till");
    found.mutable_status()->add_conditions()->set_type("Ready");
    done(put(app("till"), uid(1), wish.SerializeAsString()));
    ASSERT_TRUE(store->report(app("till"), uid(1), Part::found, found.SerializeAsString()));
    ASSERT_TRUE(store->report(app("till"), uid(1), Part::seen, "\xff\xff\xff garbage"));
    const model::App* merged = store->get<model::App>(app("till"));
    ASSERT_TRUE(merged);
    EXPECT_EQ(merged->metadata().name(), "till");
    EXPECT_EQ(merged->status().conditions_size(), 1);
}

TEST_F(StoreTest, AnsweringStopsWithTheStore) {
    auto answer = commit(put(app("a"), uid(1), "x"));
    env.run_posted();
    store.reset();
    env.settle();
    EXPECT_FALSE(*answer);
}

} // namespace
} // namespace skerry::store
