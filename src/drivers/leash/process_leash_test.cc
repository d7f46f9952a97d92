#include "drivers/leash/process_leash.h"

#include "os/files.h"
#include "os/process.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <poll.h>
#include <unistd.h>

namespace skerry::drivers::leash {
namespace {

/// Processes in groups of their own, and a leash that a test may lose.
class LeashTest : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root";
        auto found = os::Cgroups::detect();
        if (!found) GTEST_SKIP() << found.error().message;
        cgroups = *found;
        group = "/skerry-leash-test-" + std::to_string(::getpid());
        run = *os::mkdtemp("/tmp/skerry-leash-test-");
    }
    void TearDown() override {
        if (run.empty()) return;
        (void)ProcessLeash({run, group}).release();
        for (const auto& name : names) {
            (void)cgroups.kill(group + "/" + name, 5s);
            (void)cgroups.remove(group + "/" + name);
        }
        for (int i = 0; i < 100 && !cgroups.remove(group + "/monitors"); ++i) ::poll(nullptr, 0, 20);
        (void)cgroups.remove(group);
        std::filesystem::remove_all(run);
    }

    os::ProcessId start(const std::string& name, const std::string& script = "sleep 1000") {
        EXPECT_TRUE(cgroups.create(group + "/" + name));
        auto process = os::spawn_detached({.argv = {"sh", "-c", script + "; :"}});
        EXPECT_TRUE(process && cgroups.enter(group + "/" + name, process->pid));
        names.push_back(name);
        return *process;
    }
    static Instant in(Duration wait) {
        // proc(5): seconds since boot, suspend included.
        return Instant{std::chrono::milliseconds(static_cast<std::int64_t>(std::stod(*os::read_file("/proc/uptime")) * 1000))} +
               wait;
    }
    std::size_t inside(const std::string& name) const {
        return cgroups.pids(group + "/" + name).value_or(std::vector<pid_t>()).size();
    }
    pid_t leash_pid() const {
        auto pids = cgroups.pids(group + "/monitors");
        return pids && !pids->empty() ? pids->front() : 0;
    }

    os::Cgroups cgroups;
    std::string group, run;
    std::vector<std::string> names;
};

TEST_F(LeashTest, EndsWhatItHoldsAtTheMomentAndNothingElse) {
    auto held = start("held", "sleep 1000 & sleep 1000"), other = start("other");
    ProcessLeash leash({run, group});
    ASSERT_TRUE(leash.hold({in(700ms), 1s, {"held"}}));
    ::poll(nullptr, 0, 200);
    EXPECT_TRUE(*os::is_running(held));
    EXPECT_TRUE(os::wait_until_gone(held, 2s));
    for (int i = 0; i < 100 && inside("held") > 0; ++i) ::poll(nullptr, 0, 20);
    EXPECT_EQ(inside("held"), 0u);
    EXPECT_TRUE(*os::is_running(other));
    // What comes up after the moment is ended too, while the daemon has not let go.
    auto late = start("held");
    EXPECT_TRUE(os::wait_until_gone(late, 2s));
    ASSERT_TRUE(leash.release());
    EXPECT_TRUE(*os::is_running(other));
}

TEST_F(LeashTest, ARenewalComesInTime) {
    auto held = start("held");
    ProcessLeash leash({run, group});
    ASSERT_TRUE(leash.hold({in(600ms), 1s, {"held"}}));
    ASSERT_TRUE(leash.hold({in(1h), 1h, {"held"}}));
    ::poll(nullptr, 0, 1000);
    EXPECT_TRUE(*os::is_running(held));
}

TEST_F(LeashTest, OutlivesWhoStartedItAndIsFoundAgain) {
    auto held = start("held");
    Instant until = in(1500ms);
    { ASSERT_TRUE(ProcessLeash({run, group}).hold({until, 2s, {"held"}})); }
    ProcessLeash again({run, group});
    auto found = again.recall();
    ASSERT_TRUE(found && *found) << (found ? "nothing is held" : found.error().message);
    EXPECT_EQ((*found)->until, until);
    EXPECT_EQ((*found)->length, Duration(2s));
    EXPECT_EQ((*found)->names, std::vector<InstanceName>{"held"});
    EXPECT_TRUE(os::wait_until_gone(held, 4s));
}

TEST_F(LeashTest, IsStartedAgainWhenItDied) {
    auto held = start("held");
    ProcessLeash leash({run, group});
    ASSERT_TRUE(leash.hold({in(1h), 1h, {"held"}}));
    ASSERT_NE(leash_pid(), 0);
    ::kill(leash_pid(), SIGKILL);
    ::poll(nullptr, 0, 100);
    auto told = leash.hold({in(500ms), 1h, {"held"}});
    ASSERT_TRUE(told) << told.error().message;
    EXPECT_TRUE(os::wait_until_gone(held, 3s));
}

TEST_F(LeashTest, IsThereOnlyWhileThereIsSomethingToKeep) {
    ProcessLeash leash({run, group});
    auto nothing = leash.recall();
    ASSERT_TRUE(nothing);
    EXPECT_FALSE(*nothing);
    EXPECT_TRUE(leash.release());
    ASSERT_TRUE(leash.hold({in(1h), 1h, {"held"}}));
    pid_t pid = leash_pid();
    ASSERT_NE(pid, 0);
    auto rollup = os::read_file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    if (rollup) {
        auto at = rollup->find("\nPss:");
        ASSERT_NE(at, std::string::npos);
        EXPECT_LE(std::atoi(rollup->c_str() + at + 5), 1024) << *rollup;
        RecordProperty("pss_kib", std::atoi(rollup->c_str() + at + 5));
    }
    ASSERT_TRUE(leash.release());
    for (int i = 0; i < 100 && leash_pid() != 0; ++i) ::poll(nullptr, 0, 20);
    EXPECT_EQ(leash_pid(), 0);
}

} // namespace
} // namespace skerry::drivers::leash
