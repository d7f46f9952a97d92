#include "store/sqlite/sqlite_backend.h"

#include "env/fake_files.h"
#include "store/store.h"
#include "store/test_env.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>

namespace skerry::store {
namespace {

Key app_key(const std::string& name) { return {model::Kind::app, "retail", name}; }

std::shared_ptr<const Object> object(const std::string& name, Number number, std::string bytes) {
    auto object = std::make_shared<Object>();
    object->key = app_key(name);
    object->uid = Uid(Id{1, number});
    object->home = CellId(Id{2, 2});
    object->generation = 7;
    object->wish = {std::make_shared<const std::string>(std::move(bytes)), number, CellId(Id{3, 3})};
    return object;
}

/// Fifty objects, a tombstone, a note, one incarnation.
void fill(env::Files& files) {
    SqliteBackend backend(files, "/s.db");
    auto loaded = backend.load();
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->format, 0u);
    Backend::Batch batch;
    batch.open = Backend::Incarnation{IncarnationId(Id{4, 4}), 10, 10};
    batch.head = 10;
    batch.notes.push_back({"cell", "id", Id{9, 9}.bytes()});
    ASSERT_TRUE(backend.write(batch));
    batch = {};
    for (Number i = 0; i < 50; i++)
        batch.put.push_back(object("app-" + std::to_string(i), 11 + i, std::string(200 + i * 20, 'x')));
    batch.erased.push_back({app_key("gone"), Uid(Id{1, 1}), CellId(Id{2, 2}), 61});
    batch.head = 61;
    ASSERT_TRUE(backend.write(batch));
}

TEST(SqliteBackend, GivesBackWhatWasWritten) {
    env::FakeFiles files;
    fill(files);
    SqliteBackend backend(files, "/s.db");
    auto loaded = backend.load();
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->format, Backend::format);
    ASSERT_EQ(loaded->objects.size(), 50u);
    const Object& first = *loaded->objects[0];
    EXPECT_EQ(first.key, app_key("app-0"));
    EXPECT_EQ(first.generation, 7u);
    EXPECT_EQ(first.uid, Uid(Id{1, 11}));
    EXPECT_EQ(first.home, CellId(Id{2, 2}));
    EXPECT_EQ(first.wish.from, CellId(Id{3, 3}));
    EXPECT_FALSE(first.found.bytes);
    ASSERT_EQ(loaded->tombstones.size(), 1u);
    EXPECT_EQ(loaded->tombstones[0].number, 61u);
    ASSERT_EQ(loaded->incarnations.size(), 1u);
    EXPECT_EQ(loaded->incarnations[0].head, 61u) << "derived from the rows";
    EXPECT_TRUE(loaded->damaged.empty());

    Backend::Batch batch;
    batch.put.push_back(object("gone", 62, "back"));
    batch.head = batch.floor = 62;
    batch.notes.push_back({"cell", "id", std::nullopt});
    ASSERT_TRUE(backend.write(batch));
    loaded = backend.load();
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->objects.size(), 51u);
    EXPECT_TRUE(loaded->tombstones.empty());
    EXPECT_TRUE(loaded->notes.empty());
    EXPECT_EQ(loaded->floor, 62u);
}

TEST(SqliteBackend, FlippedBitsAreNeverBelieved) {
    env::SeededChance chance(3);
    int listed = 0, refused = 0, unharmed = 0;
    for (int i = 0; i < 400; i++) {
        env::FakeFiles files;
        fill(files);
        const std::uint64_t size = *(*files.open("/s.db", env::Files::Mode::read))->size();
        files.flip_bit("/s.db", chance.bits() % (size * 8));
        SqliteBackend backend(files, "/s.db");
        auto loaded = backend.load();
        if (!loaded) {
            EXPECT_TRUE(loaded.error().code == Code::corrupt || loaded.error().code == Code::unsupported)
                << loaded.error().message;
            EXPECT_NE(loaded.error().message.find(":"), std::string::npos);
            refused++;
            continue;
        }
        for (const ObjectPtr& found : loaded->objects) {
            const Number n = found->wish.number;
            ASSERT_TRUE(n >= 11 && n < 61);
            EXPECT_EQ(found->key, app_key("app-" + std::to_string(n - 11)));
            EXPECT_EQ(*found->wish.bytes, std::string(200 + (n - 11) * 20, 'x'));
        }
        const bool whole = loaded->objects.size() == 50 && loaded->tombstones.size() == 1 && loaded->notes.size() == 1 &&
                           loaded->notes[0].bytes == Id{9, 9}.bytes() && loaded->incarnations.size() == 1;
        EXPECT_TRUE(whole || !loaded->damaged.empty()) << "something is missing that nobody lists";
        (whole ? unharmed : listed)++;
    }
    std::cout << listed << " listed, " << refused << " refused, " << unharmed << " in unused bytes or indexes\n";
    EXPECT_GT(listed, 100);
}

/// That there was a note is known, which says of some that a key was revoked.
TEST(SqliteBackend, ADamagedNoteIsThereWithoutWhatItSaid) {
    env::FakeFiles files;
    fill(files);
    {
        TestEnv env(1);
        auto store = *Store::open(env.env(), std::make_unique<SqliteBackend>(files, "/s.db"), {});
        Transaction transaction;
        transaction.note("revoked", "k1", "lost on the road");
        transaction.note("revoked", "k2", "stolen");
        store->commit(std::move(transaction), nullptr);
        ASSERT_TRUE(store->flush());
    }
    std::string bytes = *(*files.open("/s.db", env::Files::Mode::read))->read(0, 1 << 24);
    std::size_t at = bytes.find("lost on the road");
    ASSERT_NE(at, std::string::npos);
    files.flip_bit("/s.db", at * 8);
    TestEnv env(2);
    auto store = *Store::open(env.env(), std::make_unique<SqliteBackend>(files, "/s.db"), {});
    EXPECT_EQ(store->note("revoked", "k1"), "");
    EXPECT_EQ(store->note("revoked", "k2"), "stolen");
    EXPECT_EQ(store->notes("revoked").size(), 2u);
    EXPECT_EQ(store->damaged(), std::vector<std::string>{"note revoked/k1"});
}

/// A row's name stands in the table and in the index: either copy serves.
TEST(SqliteBackend, AFlippedNameIsUndone) {
    env::FakeFiles clean;
    fill(clean);
    std::string bytes = *(*clean.open("/s.db", env::Files::Mode::read))->read(0, 1 << 24);
    std::size_t copies = 0;
    for (std::size_t at = bytes.find("app-17"); at != std::string::npos; at = bytes.find("app-17", at + 1)) {
        ++copies;
        for (std::size_t bit : {4u * 8, 5u * 8 + 1, 5u * 8 + 6}) { // another number, perhaps of another app
            env::FakeFiles files;
            fill(files);
            files.flip_bit("/s.db", at * 8 + bit);
            SqliteBackend backend(files, "/s.db");
            auto loaded = backend.load();
            ASSERT_TRUE(loaded) << loaded.error().message;
            EXPECT_EQ(loaded->objects.size(), 50u);
            EXPECT_TRUE(loaded->damaged.empty());
            Backend::Batch batch;
            batch.put.push_back(object("app-17", 70, "again"));
            batch.head = 70;
            ASSERT_TRUE(backend.write(batch));
            loaded = backend.load();
            ASSERT_TRUE(loaded) << loaded.error().message;
            EXPECT_EQ(loaded->objects.size(), 50u);
            EXPECT_TRUE(loaded->damaged.empty());
        }
    }
    EXPECT_EQ(copies, 2u);
}

TEST(SqliteBackend, WhatIsDamagedIsMissingUnderItsRightName) {
    env::FakeFiles files;
    fill(files);
    std::string bytes = *(*files.open("/s.db", env::Files::Mode::read))->read(0, 1 << 24);
    std::size_t at = std::string::npos; // in the table, where its content follows
    for (std::size_t each = bytes.find("app-17"); each != std::string::npos; each = bytes.find("app-17", each + 1))
        if (bytes.substr(each, 600).find(std::string(200, 'x')) < 300) at = each;
    ASSERT_NE(at, std::string::npos);
    files.flip_bit("/s.db", (at + 5) * 8);
    files.flip_bit("/s.db", (at + 200) * 8);
    for (int start = 0; start < 2; ++start) {
        SqliteBackend backend(files, "/s.db");
        auto loaded = backend.load();
        ASSERT_TRUE(loaded) << loaded.error().message;
        EXPECT_EQ(loaded->objects.size(), 49u);
        EXPECT_EQ(loaded->missing, std::vector{app_key("app-17")}) << "start " << start;
    }
    SqliteBackend backend(files, "/s.db");
    ASSERT_TRUE(backend.load());
    Backend::Batch batch;
    batch.dropped.push_back(app_key("app-17"));
    batch.head = 70;
    ASSERT_TRUE(backend.write(batch));
    auto loaded = backend.load();
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->objects.size(), 49u);
    EXPECT_TRUE(loaded->damaged.empty());
}

TEST(SqliteBackend, TheScrubFindsAFlippedByteAndWritesTheRowAgain) {
    env::FakeFiles files;
    fill(files);
    TestEnv env(1);
    auto open = [&](Duration step) {
        return Store::open(env.env(), std::make_unique<SqliteBackend>(files, "/s.db"), {.scrub_step = step});
    };
    {
        auto store = open(60s);
        ASSERT_TRUE(store) << store.error().message;
        EXPECT_TRUE((*store)->damaged().empty());
        auto file = *files.open("/s.db", env::Files::Mode::read);
        std::string bytes = *file->read(0, *file->size());
        std::uint64_t at = bytes.find(std::string(1'000, 'x'));
        ASSERT_NE(at, std::string::npos);
        files.flip_bit("/s.db", (at + 500) * 8 + 3);
        env.pass(1h);
        EXPECT_EQ((*store)->mended(), 1u);
        env.pass(1h);
        EXPECT_EQ((*store)->mended(), 1u) << "once";
        ASSERT_TRUE((*store)->flush());
    }
    env.crash();
    auto store = open({});
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_TRUE((*store)->damaged().empty());
    EXPECT_EQ((*store)->count(model::Kind::app), 50u);
}

TEST(SqliteBackend, ReadsInSteps) {
    env::FakeFiles files;
    fill(files);
    SqliteBackend backend(files, "/s.db");
    ASSERT_TRUE(backend.load());
    std::size_t objects = 0, erased = 0, steps = 0;
    std::string place;
    do {
        auto rows = backend.read(place, 7, 1 << 20);
        ASSERT_TRUE(rows);
        EXPECT_LE(rows->rows.size(), 7u);
        for (const auto& row : rows->rows) row.object ? ++objects : row.erased ? ++erased : 0;
        place = rows->next;
        ASSERT_LE(++steps, 9u);
    } while (!place.empty());
    EXPECT_EQ(objects, 50u);
    EXPECT_EQ(erased, 1u);
}

/// A real database file made by other hands, put on the fake disk.
void foreign(env::FakeFiles& files, const std::vector<std::string>& statements) {
    std::string folder = testing::TempDir() + "/store-XXXXXX";
    ASSERT_TRUE(mkdtemp(folder.data()));
    const std::string path = folder + "/f.db";
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
    for (const std::string& sql : statements)
        EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sql;
    sqlite3_close(database);
    std::ifstream in(path, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    std::filesystem::remove_all(folder);
    ASSERT_TRUE((*files.open("/s.db", env::Files::Mode::create))->write(0, bytes));
}

Error refusal(env::FakeFiles& files) {
    SqliteBackend backend(files, "/s.db");
    auto loaded = backend.load();
    EXPECT_FALSE(loaded);
    return loaded ? Error{} : loaded.error();
}

TEST(SqliteBackend, RefusesWhatItDidNotMake) {
    {
        env::FakeFiles files;
        ASSERT_TRUE((*files.open("/s.db", env::Files::Mode::create))->write(0, std::string(5000, 'z')));
        EXPECT_EQ(refusal(files).code, Code::corrupt);
    }
    {
        env::FakeFiles files;
        foreign(files, {"CREATE TABLE t(x)"});
        Error error = refusal(files);
        EXPECT_EQ(error.code, Code::unsupported);
        EXPECT_NE(error.message.find("another program"), std::string::npos) << error.message;
    }
    {
        env::FakeFiles files;
        foreign(files, {"PRAGMA application_id=1399550585", "PRAGMA user_version=7", "CREATE TABLE t(x)"});
        Error error = refusal(files);
        EXPECT_EQ(error.code, Code::unsupported);
        EXPECT_NE(error.message.find("format 7"), std::string::npos) << error.message;
        EXPECT_NE(error.message.find("knows format 1"), std::string::npos) << error.message;
    }
    {
        env::FakeFiles files; // a view in the place of a table, and a trigger
        foreign(files, {"PRAGMA application_id=1399550585", "PRAGMA user_version=1", "CREATE TABLE t(x)",
                        "CREATE VIEW objects AS SELECT 1", "CREATE TRIGGER notes AFTER INSERT ON t BEGIN DELETE FROM t; END"});
        EXPECT_EQ(refusal(files).code, Code::corrupt);
    }
}

TEST(SqliteBackend, ListsRowsOfTheWrongShape) {
    env::FakeFiles files;
    fill(files);
    // Closed in between, so that the file alone holds everything.
    std::string folder = testing::TempDir() + "/store-XXXXXX";
    ASSERT_TRUE(mkdtemp(folder.data()));
    const std::string path = folder + "/s.db";
    auto bytes = (*files.open("/s.db", env::Files::Mode::read))->read(0, 1 << 20);
    ASSERT_TRUE(bytes);
    std::ofstream(path, std::ios::binary) << *bytes;
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
    for (const char* sql : {"INSERT INTO objects(kind, project, name, body) VALUES(200, 'a', 'b', x'00')",
                            "INSERT INTO objects(kind, project, name, body) VALUES('app', x'ff00', 7, 'text')",
                            "INSERT INTO objects(kind, project, name, body) VALUES(-1, '', char(10, 27, 91), zeroblob(1000000))",
                            "UPDATE objects SET erased = 5 WHERE name = 'app-3'", "UPDATE incarnations SET body = x'00'",
                            "UPDATE notes SET body = x'1234'"})
        EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sql;
    sqlite3_close(database);
    std::ifstream in(path, std::ios::binary);
    std::string changed((std::istreambuf_iterator<char>(in)), {});
    std::filesystem::remove_all(folder);
    env::FakeFiles other;
    ASSERT_TRUE((*other.open("/s.db", env::Files::Mode::create))->write(0, changed));
    auto backend = std::make_unique<SqliteBackend>(other, "/s.db");
    auto loaded = backend->load();
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded->objects.size(), 49u);
    EXPECT_EQ(loaded->damaged.size(), 6u) << testing::PrintToString(loaded->damaged);
    for (const std::string& text : loaded->damaged)
        for (char c : text) EXPECT_TRUE(c >= ' ' && c < 127);

    TestEnv env(1);
    backend.reset();
    auto store = Store::open(env.env(), std::make_unique<SqliteBackend>(other, "/s.db"), {});
    ASSERT_FALSE(store) << "a cell without its id is not another cell";
    EXPECT_EQ(store.error().code, Code::corrupt);
}

/// A store on a disk that somebody else fills.
class FullDisk : public testing::Test {
protected:
    FullDisk() { open(); }
    void open() {
        store.reset();
        env.crash();
        auto opened = Store::open(
            env.env(), std::make_unique<SqliteBackend>(files, "/s.db"),
            {.scrub_step = scrub, .failed = [](const Error& error) { ADD_FAILURE() << "the cell ends: " << error.message; }});
        ASSERT_TRUE(opened) << opened.error().message;
        store = std::move(*opened);
    }
    void leave(std::uint64_t bytes) {
        files.limit(1 << 30);
        files.limit((1 << 30) - *files.free() + bytes);
    }
    std::optional<Error> write(std::function<void(Transaction&)> fill) {
        std::optional<Error> error = Error{Code::internal, "no answer"};
        Transaction transaction;
        fill(transaction);
        store->commit(std::move(transaction),
                      [&](Result<Number> result) { error = result ? std::nullopt : std::optional(result.error()); });
        env.settle();
        return error;
    }
    std::optional<Error> put(const std::string& name, std::string bytes = "x") {
        return write([&](Transaction& transaction) {
            transaction.put(app_key(name), Uid(Id{1, 1}), CellId(Id{2, 2}), 1, std::move(bytes), {});
        });
    }

    env::FakeFiles files;
    TestEnv env{1};
    Duration scrub{};
    std::unique_ptr<Store> store;
};

TEST_F(FullDisk, DoesNotEndTheScrub) {
    scrub = 60s;
    open();
    EXPECT_FALSE(put("a", std::string(1'000, 'y')));
    env.pass(59min);
    leave(6 << 20);
    // The refused write shares its batch with the first step of the scrub.
    std::optional<Code> code;
    Transaction transaction;
    transaction.put(app_key("b"), Uid(Id{1, 1}), CellId(Id{2, 2}), 1, "x", {});
    store->commit(std::move(transaction), [&](Result<Number> result) { code = result ? Code::internal : result.error().code; });
    env.pass(60s);
    EXPECT_EQ(code, Code::exhausted);
    leave(100 << 20);
    auto file = *files.open("/s.db-wal", env::Files::Mode::read);
    std::string bytes = *file->read(0, *file->size());
    std::uint64_t at = bytes.rfind(std::string(1'000, 'y'));
    ASSERT_NE(at, std::string::npos);
    files.flip_bit("/s.db-wal", (at + 500) * 8 + 3);
    for (int i = 0; i < 130; ++i) env.pass(60s);
    EXPECT_EQ(store->mended(), 1u) << "it goes on";
    EXPECT_FALSE(put("c"));
}

TEST_F(FullDisk, RefusesWhatIsNewKeepsTheRestAndGoesOnWhenThereIsRoom) {
    EXPECT_FALSE(put("old"));
    EXPECT_FALSE(put("older"));
    ASSERT_TRUE(store->report(app_key("old"), Uid(Id{1, 1}), Part::found, "up"));
    leave(6 << 20);
    auto refused = put("new");
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code, Code::exhausted);
    EXPECT_NE(refused->message.find("the disk of /s.db is full: 6144 KiB are free, and 16384 KiB stay reserved: make room"),
              std::string::npos)
        << refused->message;
    EXPECT_EQ(put("new")->code, Code::exhausted) << "told at once";
    EXPECT_FALSE(store->get(app_key("new")));
    EXPECT_TRUE(store->get(app_key("old")));
    EXPECT_FALSE(write([](Transaction& transaction) { transaction.note("handle", "a", "b"); }));
    EXPECT_FALSE(write([](Transaction& transaction) { transaction.erase(app_key("older"), {}); })) << "makes room";
    leave(1 << 20);
    EXPECT_EQ(write([](Transaction& transaction) { transaction.erase(app_key("old"), {}); })->code, Code::exhausted);
    for (int i = 0; i < 100; ++i) env.pass(1s); // status wants to go to disk meanwhile
    open();
    EXPECT_TRUE(store->get(app_key("old"))) << "acknowledged, so there";
    EXPECT_FALSE(store->get(app_key("older")));
    EXPECT_EQ(store->note("handle", "a"), "b");
    ASSERT_TRUE(store->report(app_key("old"), Uid(Id{1, 1}), Part::found, "up again"));
    EXPECT_EQ(put("new")->code, Code::exhausted);
    leave(100 << 20);
    for (int i = 0; i < 70; ++i) env.pass(1s);
    EXPECT_FALSE(put("new"));
    open();
    EXPECT_TRUE(store->get(app_key("new")));
    EXPECT_EQ(*store->get(app_key("old"))->found.bytes, "up again") << "what is soft went to disk once it could";
}

TEST_F(FullDisk, WhatWaitsBehindARefusedWriteIsRefusedWithIt) {
    leave(6 << 20);
    std::vector<Code> answers;
    auto commit = [&](Transaction::Expect expect, std::string bytes) {
        Transaction transaction;
        transaction.put(app_key("a"), Uid(Id{1, 1}), CellId(Id{2, 2}), 1, std::move(bytes), expect);
        store->commit(std::move(transaction),
                      [&](Result<Number> result) { answers.push_back(result ? Code::internal : result.error().code); });
    };
    commit(Transaction::absent(), "one");
    env.run_posted();
    commit({.number = {}, .uid = Uid(Id{1, 1})}, "two"); // sees the first on its way
    commit(Transaction::absent(), "three");              // and so loses
    env.settle();
    EXPECT_EQ(answers, (std::vector{Code::exhausted, Code::exhausted, Code::conflict}));
    leave(100 << 20);
    for (int i = 0; i < 6; ++i) env.pass(1s);
    answers.clear();
    commit(Transaction::absent(), "one");
    env.settle();
    EXPECT_EQ(answers, std::vector{Code::internal});
    EXPECT_EQ(*store->get(app_key("a"))->wish.bytes, "one");
}

} // namespace
} // namespace skerry::store
