#include "env/real/loop.h"
#include "env/real/real_chance.h"
#include "env/real/real_clock.h"
#include "env/real/real_files.h"
#include "env/real/real_timers.h"
#include "env/real/real_workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>
#include <unistd.h>

namespace skerry::env {
namespace {

TEST(RealTimers, run_in_order_and_not_when_dropped) {
    Loop loop;
    RealTimers timers(loop);
    std::string order;
    auto third = timers.after(20ms, [&] { order += '3', loop.stop(); });
    auto second = timers.after(5ms, [&] { order += '2'; });
    auto never = timers.after(1ms, [&] { order += 'x'; });
    auto first = timers.after(0ms, [&] { order += '1'; });
    auto far = timers.after(Duration::max(), [&] { order += 'f'; });
    timers.post([&] { order += '0'; });
    never.reset();
    loop.run();
    EXPECT_EQ(order, "0123");
}

TEST(RealTimers, a_callback_may_make_and_drop_timers_also_its_own) {
    Loop loop;
    RealTimers timers(loop);
    int rounds = 0;
    std::unique_ptr<Timer> timer;
    std::function<void()> again = [&] {
        timer.reset();
        if (++rounds == 50) return loop.stop();
        timer = timers.after(0ms, again);
    };
    timer = timers.after(0ms, again);
    loop.run();
    EXPECT_EQ(rounds, 50);
}

TEST(RealTimers, may_die_before_their_timers) {
    Loop loop;
    auto timers = std::make_unique<RealTimers>(loop);
    auto timer = timers->after(0ms, [] { FAIL(); });
    timers.reset();
    loop.poll();
    timer.reset();
}

TEST(RealWorkers, lanes_run_one_after_another_in_order) {
    Loop loop;
    RealWorkers workers(loop, 4);
    std::string order; // written by one lane only: a race would show under the thread sanitizer and as a wrong order
    int done = 0;
    for (char c = 'a'; c <= 'z'; ++c) {
        workers.run(
            "lane", [&order, c] { order += c; },
            [&] {
                if (++done == 26) loop.stop();
            });
        workers.run("", [] {}, {});
    }
    loop.run();
    EXPECT_EQ(order, "abcdefghijklmnopqrstuvwxyz");
}

TEST(RealWorkers, then_runs_on_the_loop_and_never_after_destruction) {
    Loop loop;
    bool ran = false;
    {
        RealWorkers workers(loop, 1);
        workers.run(
            "", [] {}, [&] { ran = true; });
        workers.run(
            "", [] {}, [&] { ran = true; });
    }
    loop.poll();
    EXPECT_FALSE(ran);
    RealWorkers workers(loop, 1);
    std::thread::id there;
    workers.run(
        "", [] {}, [&] { there = std::this_thread::get_id(), loop.stop(); });
    loop.run();
    EXPECT_EQ(there, std::this_thread::get_id());
}

TEST(RealWorkers, stopped_they_finish_what_runs_and_begin_nothing) {
    Loop loop;
    RealWorkers workers(loop, 2);
    std::atomic<bool> begun = false, go_on = false, finished = false, second = false;
    bool then = false;
    auto held = std::make_shared<int>(1);
    workers.run(
        "lane",
        [&] {
            begun = true;
            while (!go_on) std::this_thread::sleep_for(1ms);
            finished = true;
        },
        [&] { then = true; });
    workers.run("lane", [&second, held] { second = true; }, {});
    while (!begun) std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(workers.stop(5ms)) << "a job still runs";
    EXPECT_EQ(held.use_count(), 1) << "what waited is let go";
    workers.run("", [&] { second = true; }, {});
    go_on = true;
    EXPECT_TRUE(workers.stop(10s));
    EXPECT_TRUE(finished);
    loop.poll();
    EXPECT_FALSE(second);
    EXPECT_FALSE(then);
}

TEST(Loop, delivers_signals) {
    Loop loop;
    int got = 0;
    auto token = loop.on_signal({SIGUSR1, SIGUSR2}, [&](int number) { got = number, loop.stop(); });
    loop.post([] { raise(SIGUSR2); });
    loop.run();
    EXPECT_EQ(got, SIGUSR2);
}

TEST(Loop, tells_when_a_descriptor_is_readable_until_the_token_is_dropped) {
    Loop loop;
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    int calls = 0;
    std::unique_ptr<Loop::Token> token;
    token = loop.on_readable(ends[0], [&] {
        char byte = 0;
        ASSERT_EQ(read(ends[0], &byte, 1), 1);
        if (++calls == 2) {
            token.reset();
            loop.stop();
        }
    });
    ASSERT_EQ(write(ends[1], "abc", 3), 3);
    loop.run();
    loop.poll();
    EXPECT_EQ(calls, 2);
    close(ends[0]);
    close(ends[1]);
}

TEST(RealChance, differs) {
    RealChance chance;
    std::set<std::uint64_t> drawn;
    for (int i = 0; i < 1000; ++i) drawn.insert(chance.bits());
    EXPECT_EQ(drawn.size(), 1000u);
}

TEST(RealClock, moves_forward_and_knows_the_boot) {
    RealClock clock;
    Instant before = clock.now();
    EXPECT_GE(clock.now(), before);
    EXPECT_GT(clock.wall().seconds, 1'600'000'000);
    EXPECT_EQ(clock.boot_id().size(), 36u);
}

struct RealFilesTest : testing::Test {
    void SetUp() override {
        char name[] = "/tmp/skerry-env-XXXXXX";
        ASSERT_TRUE(mkdtemp(name));
        folder = name;
    }
    void TearDown() override { std::filesystem::remove_all(folder); }
    std::string folder;
};

TEST_F(RealFilesTest, behave_as_declared) {
    RealFiles files(folder);
    std::string path = folder + "/a";
    EXPECT_EQ(files.open(path, Files::Mode::write).error().code, Code::not_found);
    ASSERT_TRUE(write_whole(files, path, "one"));
    ASSERT_TRUE(write_whole(files, path, "two and more"));
    EXPECT_EQ(read_whole(files, path, 100).value(), "two and more");
    EXPECT_EQ(files.list(folder).value(), std::vector<std::string>{"a"});
    auto file = files.open(path, Files::Mode::write);
    ASSERT_TRUE(file);
    EXPECT_EQ((*file)->read(4, 3).value(), "and");
    EXPECT_EQ((*file)->read(100, 3).value(), "");
    ASSERT_TRUE((*file)->truncate(3));
    EXPECT_EQ((*file)->size().value(), 3u);
    ASSERT_TRUE((*file)->sync());
    ASSERT_TRUE(files.make_folder(folder + "/f"));
    ASSERT_TRUE(files.make_folder(folder + "/f"));
    EXPECT_EQ(files.make_folder(path).error().code, Code::exists);
    ASSERT_TRUE(files.rename(path, folder + "/f/b"));
    EXPECT_EQ(files.remove(folder + "/f").error().code, Code::conflict);
    ASSERT_TRUE(files.remove(folder + "/f/b"));
    ASSERT_TRUE(files.sync_folder(folder + "/f"));
    ASSERT_TRUE(files.remove(folder + "/f"));
    EXPECT_EQ(files.remove(folder + "/f").error().code, Code::not_found);
    EXPECT_FALSE(files.exists(folder + "/f").value());
    EXPECT_EQ(files.open(folder, Files::Mode::read).error().code, Code::invalid);
    EXPECT_GT(files.free().value(), 0u);
}

} // namespace
} // namespace skerry::env
