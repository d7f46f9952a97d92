#include "base/test_seeds.h"
#include "env/fake_files.h"
#include "store/sqlite/sqlite_backend.h"
#include "store/store.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

namespace skerry::store {
namespace {

/// What a store should hold: wishes by key, notes by key (space "n"), as text.
struct Content {
    std::map<Key, std::string> objects;
    std::map<std::string, std::string> notes;
    bool operator==(const Content&) const = default;
};

/// A run of work against a disk whose power may go at any step.
struct Work {
    std::vector<Content> states{{}};         ///< after 0, 1, 2 … transactions in order of commit
    std::size_t acknowledged = 0;            ///< how many of them were
    std::vector<Cursor> durable;             ///< cursors at acknowledged places
    Number highest = 0;                      ///< ever given, soft ones too
    std::vector<IncarnationId> incarnations; ///< that served

    CellId cell;
    void run(env::Files& disk, std::uint64_t seed, int openings, int rounds);
    void round(TestEnv& env, Store& store, int number);
};

constexpr SqliteBackend::Options often{.checkpoint_pages = 12};

Result<std::unique_ptr<Store>> open(TestEnv& env, env::Files& disk) {
    Store::Options options{.tombstones_kept = 4};
    options.failed = [](const Error&) {};
    return Store::open(env.env(), std::make_unique<SqliteBackend>(disk, "/store.db", often), options);
}

Key key(std::uint64_t n) { return {model::Kind::app, "p", "app-" + std::to_string(n)}; }
Uid uid(const Key& key) { return Uid(Id{3, std::hash<Key>{}(key) | 1}); }

void Work::round(TestEnv& env, Store& store, int number) {
    std::vector<bool> answers;
    const int together = 1 + number % 3;
    const std::size_t base = states.size() - 1;
    for (int i = 0; i < together; i++) {
        Transaction transaction;
        Content next = states.back();
        for (int j = 0; j < 3; j++) {
            const Key k = key(env.chance.bits() % 10);
            if (env.chance.bits() % 4 == 0) {
                transaction.erase(k, {});
                next.objects.erase(k);
            } else {
                std::string bytes(env.chance.bits() % 16 == 0 ? 9'000 : 40 + env.chance.bits() % 900,
                                  'a' + static_cast<char>(env.chance.bits() % 26));
                transaction.put(k, uid(k), CellId(Id{1, 1}), 1, bytes, {});
                next.objects[k] = bytes;
            }
        }
        const std::string note = std::to_string(env.chance.bits());
        transaction.note("n", "last", note);
        next.notes["last"] = note;
        states.push_back(next);
        store.commit(std::move(transaction), [this, base, i](Result<Number> result) {
            if (result) acknowledged = std::max(acknowledged, base + static_cast<std::size_t>(i) + 1);
        });
    }
    env.settle();
    if (acknowledged == states.size() - 1) durable.push_back(store.cursor());
    for (const ObjectPtr& object : store.list(model::Kind::app))
        if (env.chance.bits() % 4 == 0)
            (void)store.report(object->key, object->uid, Part::found, std::to_string(env.chance.bits()));
    if (number % 4 == 3) env.pass(61s);
    highest = std::max(highest, store.cursor().number);
}

void Work::run(env::Files& disk, std::uint64_t seed, int openings, int rounds) {
    TestEnv env(seed);
    for (int i = 0; i < openings; i++) {
        auto store = open(env, disk);
        if (!store) return;
        cell = (*store)->cell();
        incarnations.push_back((*store)->cursor().incarnation);
        highest = std::max(highest, (*store)->cursor().number);
        for (int j = 0; j < rounds && acknowledged == states.size() - 1; j++) round(env, **store, j);
        if (acknowledged != states.size() - 1) return;
        if (i % 2 == 0 && !(*store)->flush()) return;
        env.crash();
    }
}

/// Opens what the cut left, and compares.
void check(const Work& work, env::Files& disk, const std::string& when) {
    SCOPED_TRACE(when);
    TestEnv env(99);
    auto store = open(env, disk);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_TRUE((*store)->damaged().empty());
    Content content;
    for (const ObjectPtr& object : (*store)->list(model::Kind::app)) content.objects[object->key] = *object->wish.bytes;
    for (auto& [name, bytes] : (*store)->notes("n")) content.notes[name] = bytes;
    auto match = std::find(work.states.begin() + static_cast<std::ptrdiff_t>(work.acknowledged), work.states.end(), content);
    EXPECT_NE(match, work.states.end()) << "neither what was acknowledged nor that and whole transactions after it";
    EXPECT_GT((*store)->cursor().number, work.highest) << "a number was given twice";
    if (!work.incarnations.empty()) {
        EXPECT_EQ((*store)->cell(), work.cell);
    }
    for (IncarnationId incarnation : work.incarnations) {
        auto listed = (*store)->incarnations();
        EXPECT_NE(std::find(listed.begin(), listed.end(), incarnation), listed.end())
            << "an incarnation that served is forgotten";
    }
    if (!work.durable.empty()) {
        const bool forgotten = !(*store)->since(work.durable.back().number).has_value();
        EXPECT_TRUE(forgotten || (*store)->knows(work.durable.back()));
    }
    bool done = false;
    Transaction transaction;
    transaction.put(key(1), uid(key(1)), {}, 2, "after", {});
    (*store)->commit(std::move(transaction), [&](Result<Number> result) { done = result.has_value(); });
    env.settle();
    EXPECT_TRUE(done) << "the store works on";
}

TEST(SqlitePower, AcknowledgedWorkSurvivesACutAtEveryStep) {
    const int openings = test::thorough() ? 5 : 3, rounds = test::thorough() ? 24 : 12,
              lucks = test::thorough() ? 12 : test::seeds(3);
    std::uint64_t cuts = 0, steps = 0;
    for (std::uint64_t n = 0;; n++) {
        env::FakeFiles disk;
        disk.cut_after(n);
        Work work;
        work.run(disk, 5, openings, rounds);
        const bool finished = !disk.dark();
        env::SeededChance chance(n);
        auto after = [&](env::Loss loss) {
            auto left = disk.after_cut(loss, chance);
            check(work, *left, "cut after step " + std::to_string(n) + ", loss " + std::to_string(static_cast<int>(loss)));
            cuts++;
        };
        after(env::Loss::everything);
        after(env::Loss::nothing);
        for (int i = 0; i < lucks; i++) after(env::Loss::chance);
        // And the power goes again while the store recovers.
        auto left = disk.after_cut(env::Loss::chance, chance);
        left->cut_after(left->steps() + chance.bits() % 12);
        {
            TestEnv env(7);
            (void)open(env, *left);
        }
        check(work, *left->after_cut(env::Loss::chance, chance),
              "cut after step " + std::to_string(n) + " and again while recovering");
        steps = n;
        if (finished || HasFailure()) break;
    }
    std::cout << steps << " disk steps, " << cuts << " cuts\n";
    EXPECT_GT(steps, 40u);
}

TEST(SqlitePower, AWriteErrorEndsTheCellAndLosesNothing) {
    for (std::uint64_t n = 1;; n += test::thorough() ? 1 : 5) {
        env::FakeFiles disk;
        disk.fail_step(n, {Code::internal, "input/output error"});
        Work work;
        work.run(disk, 6, 2, 6);
        if (disk.steps() < n) break;
        check(work, disk, "write error at step " + std::to_string(n));
        if (HasFailure()) break;
    }
}

TEST(SqlitePower, AFullDiskRefusesAndLosesNothing) {
    for (std::uint64_t room = 8 << 10; room < (240 << 10); room += 8 << 10) {
        env::FakeFiles disk;
        disk.limit(room);
        Work work;
        work.run(disk, 6, 2, 6);
        disk.limit(std::uint64_t{1} << 30);
        check(work, disk, "room for " + std::to_string(room) + " bytes");
        if (HasFailure()) break;
    }
}

} // namespace
} // namespace skerry::store
