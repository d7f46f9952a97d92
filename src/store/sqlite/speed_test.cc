#include "env/real/loop.h"
#include "env/real/real_chance.h"
#include "env/real/real_clock.h"
#include "env/real/real_files.h"
#include "env/real/real_timers.h"
#include "env/real/real_workers.h"
#include "store/sqlite/sqlite_backend.h"
#include "store/store.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace skerry::store {
namespace {

std::size_t resident_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmRSS:")) return std::strtoul(line.c_str() + 6, nullptr, 10);
    return 0;
}

/// A store on a real disk and real threads. Prints figures; more of them with SKERRY_SPEED set. They never decide.
struct SqliteSpeed : testing::Test {
    bool much = std::getenv("SKERRY_SPEED") != nullptr;
    std::string folder =
        (std::getenv("SKERRY_SPEED_FOLDER") ? std::string(std::getenv("SKERRY_SPEED_FOLDER")) : testing::TempDir()) +
        "/store-XXXXXX";
    env::Loop loop;
    env::RealClock clock;
    env::RealChance chance;
    TestEnv no_dialer{1};
    std::unique_ptr<env::RealFiles> files;
    std::unique_ptr<env::RealTimers> timers = std::make_unique<env::RealTimers>(loop);
    std::unique_ptr<env::RealWorkers> workers = std::make_unique<env::RealWorkers>(loop, 2);
    std::unique_ptr<Store> store;

    void SetUp() override {
        ASSERT_TRUE(mkdtemp(folder.data()));
        files = std::make_unique<env::RealFiles>(folder);
        open();
    }
    void open() {
        auto opened = Store::open({clock, *timers, *workers, chance, no_dialer},
                                  std::make_unique<SqliteBackend>(*files, folder + "/s.db"), {.queue = 200'000});
        ASSERT_TRUE(opened) << opened.error().message;
        store = std::move(*opened);
    }
    void TearDown() override {
        store.reset();
        workers.reset();
        std::filesystem::remove_all(folder);
    }
    static Key key(std::uint64_t n) { return {model::Kind::app, "retail", "app-" + std::to_string(n)}; }

    /// Durable commits per second of `clients` that each commit again once answered.
    double rate(std::size_t clients, std::size_t commits, std::size_t objects) {
        std::size_t begun = 0, done = 0;
        std::function<void()> one = [&] {
            if (begun == commits) return;
            begun++;
            Transaction transaction;
            const Key k = key(chance.bits() % objects);
            transaction.put(k, Uid(Id{1, std::hash<Key>{}(k) | 1}), store->cell(), 1, std::string(512, 'x'), {});
            store->commit(std::move(transaction), [&](Result<Number> result) {
                EXPECT_TRUE(result);
                if (++done == commits) loop.stop();
                one();
            });
        };
        const Instant start = clock.now();
        for (std::size_t i = 0; i < clients; i++) one();
        loop.run();
        EXPECT_EQ(done, commits);
        return static_cast<double>(commits) / std::chrono::duration<double>(clock.now() - start).count();
    }
};

TEST_F(SqliteSpeed, CommitsOnARealDisk) {
    const std::size_t commits = much ? 50'000 : 400;
    for (std::size_t clients : {1, 16, 128})
        std::cout << clients
                  << " clients: " << static_cast<std::size_t>(rate(clients, clients == 1 ? commits / 4 : commits, 10'000))
                  << " commits/s\n";
    const std::size_t count = store->count(model::Kind::app);
    store.reset();
    open();
    EXPECT_EQ(store->count(model::Kind::app), count);
}

TEST_F(SqliteSpeed, OpensManyObjects) {
    const std::size_t objects = much ? 100'000 : 1'000;
    const std::size_t before = resident_kib();
    std::size_t answered = 0, sent = 0;
    std::function<void()> more = [&] {
        for (int i = 0; i < 20 && sent < objects; i++) {
            Transaction transaction;
            for (int j = 0; j < 100 && sent < objects; j++, sent++)
                transaction.put(key(sent), Uid(Id{1, sent + 1}), store->cell(), 1, std::string(300, 'x'), Transaction::absent());
            answered++;
            store->commit(std::move(transaction), [&](Result<Number> result) {
                EXPECT_TRUE(result);
                if (--answered == 0) sent < objects ? more() : loop.stop();
            });
        }
    };
    more();
    loop.run();
    ASSERT_EQ(store->count(model::Kind::app), objects);
    std::cout << objects << " objects of 300 bytes: " << (resident_kib() - before) * 1024 / objects << " bytes each in memory, "
              << std::filesystem::file_size(folder + "/s.db") / objects << " on disk\n";
    store.reset();
    const Instant start = clock.now();
    open();
    std::cout << "opened in " << text(clock.now() - start) << "\n";
    EXPECT_EQ(store->count(model::Kind::app), objects);
}

} // namespace
} // namespace skerry::store
