#include "base/test_seeds.h"
#include "env/fake_files.h"
#include "store/memory/memory_backend.h"
#include "store/sqlite/sqlite_backend.h"
#include "store/store.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

namespace skerry::store {
namespace {

/// Random lives of one store: commits with and without expectations, reports, time, crashes between submission, writing and
/// landing; checked against a plain map after every step that makes something visible.
class History {
public:
    History(std::uint64_t seed, bool on_sqlite) : env_(seed), on_sqlite_(on_sqlite) {
        files_ = std::make_unique<env::FakeFiles>();
        open();
    }

    void live(int steps) {
        for (int i = 0; i < steps && !testing::Test::HasFailure(); i++) step();
        env_.settle();
        compare();
    }

private:
    using Wishes = std::map<Key, std::pair<Uid, std::string>>;
    struct Submitted {
        Wishes after;
        bool answered = false;
    };
    struct Follower {
        Cursor cursor;
        Wishes wishes;
        bool acknowledged; ///< nothing soft was newer
    };

    std::uint64_t pick(std::uint64_t n) { return env_.chance.bits() % n; }
    Key key() {
        return {pick(2) ? model::Kind::app : model::Kind::config, "p" + std::to_string(pick(2)), "n" + std::to_string(pick(4))};
    }
    Wishes visible() const {
        Wishes wishes;
        for (auto kind : {model::Kind::app, model::Kind::config})
            for (const ObjectPtr& object : store_->list(kind)) wishes[object->key] = {object->uid, *object->wish.bytes};
        return wishes;
    }

    void open() {
        auto attempt = [this] {
            std::unique_ptr<Backend> backend;
            if (on_sqlite_)
                backend = std::make_unique<SqliteBackend>(*files_, "/s.db", SqliteBackend::Options{.checkpoint_pages = 20});
            else
                backend = std::make_unique<MemoryBackend>(disk_);
            Store::Options options{.soft_flush = 10s, .tombstones_kept = 6};
            options.failed = [this](const Error&) { ended_ = true; };
            return Store::open(env_.env(), std::move(backend), options);
        };
        auto opened = attempt();
        if (!opened && !on_sqlite_) opened = attempt(); // a crash planned earlier struck the opening itself
        ASSERT_TRUE(opened) << opened.error().message;
        store_ = std::move(*opened);
        ended_ = false;
        Wishes found = visible();
        bool fits = found == acknowledged_;
        for (const auto& submitted : submitted_) fits |= submitted->after == found;
        EXPECT_TRUE(fits) << "lost, or half there";
        EXPECT_GT(store_->cursor().number, highest_);
        acknowledged_ = expected_ = found;
        submitted_.clear();
        pending_.clear();
        mirror_ = found;
        watch_ = store_->watch([this](const Change& change) { saw(change); });
        follow();
    }

    void saw(const Change& change) {
        EXPECT_TRUE(numbers_.insert(change.number).second) << "number " << change.number << " given twice";
        EXPECT_GT(change.number, highest_);
        highest_ = change.number;
        if (change.after)
            mirror_[change.key] = {change.after->uid, *change.after->wish.bytes};
        else
            mirror_.erase(change.key);
    }

    void crash() {
        if (on_sqlite_) {
            files_->power_cut(env::Loss::chance, env_.chance);
        } else if (pick(2)) { // the batch under way is written after all, or not
            env_.run_job();
        }
        env_.crash();
        watch_.reset();
        store_.reset();
        open();
    }

    void commit() {
        Transaction transaction;
        Wishes after = expected_;
        std::set<Key> touched;
        bool refused = false;
        for (std::uint64_t i = 0, n = 1 + pick(3); i < n; i++) {
            const Key k = key();
            if (!touched.insert(k).second) continue;
            ObjectPtr read = store_->get(k);
            const bool exists = expected_.contains(k);
            Transaction::Expect expect;
            if (pick(2)) {
                if (!read)
                    refused |= exists;
                else
                    refused |= pending_.contains(k) || !exists;
                expect = read ? Transaction::unchanged(*read) : Transaction::absent();
                if (!read && pending_.contains(k) && !exists) expect = Transaction::absent();
            }
            if (pick(4) == 0) {
                transaction.erase(k, expect);
                after.erase(k);
            } else {
                const Uid uid = exists && pick(4) ? expected_[k].first : Uid(env_.chance.id());
                const std::string bytes = std::to_string(env_.chance.bits());
                transaction.put(k, uid, {}, 1, bytes, expect);
                after[k] = {uid, bytes};
            }
        }
        if (refused) {
            store_->commit(std::move(transaction), [](Result<Number> result) {
                EXPECT_FALSE(result) << "two writers of one state both passed";
                if (result || result.error().code == Code::unavailable) return;
                EXPECT_EQ(result.error().code, Code::conflict) << result.error().message;
            });
            return;
        }
        for (const Key& k : touched) pending_.insert(k);
        expected_ = after;
        auto submitted = std::make_shared<Submitted>(Submitted{after});
        submitted_.push_back(submitted);
        store_->commit(std::move(transaction), [this, submitted, touched](Result<Number> result) {
            if (!result) {
                EXPECT_EQ(result.error().code, Code::unavailable) << result.error().message;
                return;
            }
            ASSERT_FALSE(submitted_.empty());
            EXPECT_EQ(submitted_.front(), submitted) << "answers come in order";
            acknowledged_ = submitted->after;
            submitted_.erase(submitted_.begin());
            for (const Key& k : touched) pending_.erase(pending_.find(k));
        });
    }

    void report() {
        auto objects = store_->list(model::Kind::app);
        if (objects.empty()) return;
        ObjectPtr object = objects[pick(objects.size())];
        Result<void> reported =
            store_->report(object->key, object->uid, pick(2) ? Part::found : Part::seen, std::to_string(pick(3)));
        EXPECT_TRUE(reported || ended_);
    }

    void follow() {
        bool soft = false;
        for (auto kind : {model::Kind::app, model::Kind::config})
            for (const ObjectPtr& object : store_->list(kind)) soft |= object->number() != object->wish.number;
        followers_.push_back({store_->cursor(), visible(), !soft});
    }

    void compare() {
        EXPECT_EQ(mirror_, visible()) << "watchers saw something else";
        for (auto follower = followers_.begin(); follower != followers_.end();) {
            auto changes = store_->since(follower->cursor.number);
            if (!store_->knows(follower->cursor)) {
                EXPECT_TRUE(!changes || !follower->acknowledged) << "a durable cursor above the floor is unknown";
                follower = followers_.erase(follower);
                continue;
            }
            ASSERT_TRUE(changes) << changes.error().message;
            Number last = follower->cursor.number;
            for (const Change& change : *changes) {
                EXPECT_GT(change.number, last);
                last = change.number;
                if (change.after)
                    follower->wishes[change.key] = {change.after->uid, *change.after->wish.bytes};
                else
                    follower->wishes.erase(change.key);
            }
            EXPECT_EQ(follower->wishes, visible()) << "since() left something out";
            follower->cursor = store_->cursor();
            follower->acknowledged = false;
            // Most stay where they are, so that long absences are tried too.
            if (pick(3) == 0)
                ++follower;
            else
                follower = followers_.erase(follower);
        }
        EXPECT_FALSE(store_->knows(Cursor{store_->cursor().incarnation, store_->cursor().number + 1}));
        EXPECT_FALSE(store_->knows(Cursor{IncarnationId(env_.chance.id()), store_->cursor().number}));
    }

    void step() {
        switch (pick(40)) {
        case 0:
            return crash();
        case 1:
            if (!on_sqlite_) disk_->crash_on_write(1 + pick(3), pick(2) ? MemoryDisk::Fate::lost : MemoryDisk::Fate::kept);
            return;
        case 2:
            env_.pass(Duration(std::chrono::seconds(pick(20))));
            break;
        case 3:
            return compare();
        case 4:
            return follow();
        case 5:
            EXPECT_TRUE(store_->flush() || ended_);
            break;
        default:
            switch (pick(6)) {
            case 0:
                return report();
            case 1:
                env_.run_posted();
                break;
            case 2:
                env_.run_job();
                break;
            case 3:
                env_.land_job();
                break;
            default:
                commit();
            }
        }
        if (ended_) crash();
    }

    TestEnv env_;
    bool on_sqlite_;
    std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
    std::unique_ptr<env::FakeFiles> files_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Watch> watch_;
    bool ended_ = false;

    Wishes acknowledged_, expected_, mirror_;
    std::vector<std::shared_ptr<Submitted>> submitted_;
    std::multiset<Key> pending_;
    std::vector<Follower> followers_;
    std::set<Number> numbers_;
    Number highest_ = 0;
};

TEST(StoreHistory, HoldsThroughCrashesInMemory) {
    for (int seed = 0; seed < test::seeds(150) && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        History(static_cast<std::uint64_t>(seed), false).live(800);
    }
}

TEST(StoreHistory, HoldsThroughPowerCutsOnSqlite) {
    for (int seed = 0; seed < test::seeds(25) && !HasFailure(); seed++) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        History(static_cast<std::uint64_t>(seed), true).live(400);
    }
}

} // namespace
} // namespace skerry::store
