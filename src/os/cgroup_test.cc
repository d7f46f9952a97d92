#include "os/cgroup.h"
#include "os/os_fixture.h"
#include "os/process.h"

#include <csignal>

namespace skerry::os {
namespace {

TEST(CgroupLayout, IsReadFromTheMounts) {
    auto v1 = parse_mountinfo(
        "1 0 0:1 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n2 0 0:2 / /cg/memory rw - cgroup cgroup rw,memory\n"
        "3 0 0:3 / /cg/systemd rw - cgroup cgroup rw,xattr,name=systemd\n");
    auto found = Cgroups::from(v1).value();
    EXPECT_EQ(found.layout(), Cgroups::Layout::v1);
    EXPECT_TRUE(found.has("cpuacct"));
    EXPECT_FALSE(found.has("freezer"));
    EXPECT_EQ(found.folders("/g"), (std::vector<std::string>{"/cg/cpu,cpuacct/g", "/cg/memory/g"}));
    EXPECT_EQ(found.folder("/g", "freezer").error().code, Code::unsupported);

    auto hybrid = v1;
    hybrid.push_back({.target = "/cg/unified", .filesystem = "cgroup2"});
    EXPECT_EQ(Cgroups::from(hybrid)->layout(), Cgroups::Layout::hybrid);
    EXPECT_EQ(Cgroups::from({{.target = "/cg", .filesystem = "cgroup2"}})->layout(), Cgroups::Layout::v2);
    EXPECT_EQ(Cgroups::from({}).error().code, Code::unsupported);
}

class CgroupAsRoot : public RootTest {
protected:
    void SetUp() override {
        RootTest::SetUp();
        if (IsSkipped()) return;
        auto found = Cgroups::detect();
        if (!found) GTEST_SKIP() << found.error().message;
        cgroups_ = *found;
        group_ = "/skerry-test-" + std::to_string(::getpid());
        top_ = group_;
        auto made = cgroups_.create(group_ + "/inner");
        ASSERT_TRUE(made.has_value()) << made.error().message;
        group_ += "/inner";
    }
    void TearDown() override {
        if (!top_.empty()) {
            EXPECT_TRUE(cgroups_.kill(top_, 10s).has_value());
            auto removed = cgroups_.remove(top_);
            EXPECT_TRUE(removed.has_value()) << removed.error().message;
        }
        RootTest::TearDown();
    }
    ProcessId sleeper() {
        auto id = spawn_detached({.argv = {"sleep", "1000"}}).value();
        auto entered = cgroups_.enter(group_, id.pid);
        EXPECT_TRUE(entered.has_value()) << entered.error().message;
        return id;
    }

    Cgroups cgroups_;
    std::string group_;
    std::string top_;
};

TEST_F(CgroupAsRoot, MembersAreListedFromAboveAndKilled) {
    auto a = sleeper();
    auto b = sleeper();
    auto found = cgroups_.pids(top_).value();
    EXPECT_EQ(found.size(), 2u);
    EXPECT_EQ(cgroups_.remove(top_).error().code, Code::conflict);
    EXPECT_TRUE(*is_running(a));
    ASSERT_TRUE(cgroups_.kill(top_, 10s).has_value());
    EXPECT_TRUE(wait_until_gone(a, 5s).has_value());
    EXPECT_TRUE(wait_until_gone(b, 5s).has_value());
    EXPECT_TRUE(cgroups_.kill(top_, 1s).has_value());
    ASSERT_TRUE(cgroups_.remove(top_).has_value());
    EXPECT_TRUE(cgroups_.remove(top_).has_value());
    EXPECT_EQ(cgroups_.pids(top_).error().code, Code::not_found);
}

TEST_F(CgroupAsRoot, FrozenProcessesStandStillAndCanBeKilled) {
    if (!cgroups_.has("freezer")) GTEST_SKIP() << "no freezer on this machine";
    auto id = sleeper();
    EXPECT_FALSE(cgroups_.is_frozen(group_).value());
    ASSERT_TRUE(cgroups_.freeze(group_, 5s).has_value());
    ASSERT_TRUE(cgroups_.freeze(group_, 5s).has_value());
    EXPECT_TRUE(cgroups_.is_frozen(group_).value());
    ASSERT_TRUE(cgroups_.thaw(group_).has_value());
    EXPECT_FALSE(cgroups_.is_frozen(group_).value());
    ASSERT_TRUE(cgroups_.freeze(group_, 5s).has_value());
    ASSERT_TRUE(cgroups_.kill(group_, 10s).has_value());
    EXPECT_TRUE(wait_until_gone(id, 5s).has_value());
}

TEST_F(CgroupAsRoot, MemoryAndOutOfMemoryKillsAreCounted) {
    if (!cgroups_.has("memory")) GTEST_SKIP() << "no memory controller on this machine";
    std::string folder = cgroups_.folder(group_, "memory").value();
    EXPECT_EQ(cgroups_.oom_kills(group_).value(), 0u);
    bool v2 = cgroups_.layout() == Cgroups::Layout::v2;
    ASSERT_TRUE(write_file(folder + (v2 ? "/memory.max" : "/memory.limit_in_bytes"), "8388608").has_value());
    // It moves itself, so that all it touches is counted.
    auto ran = run({.argv = {"sh", "-c", "echo $$ >" + folder + "/cgroup.procs; exec head -c 100000000 /dev/zero | tail"}});
    ASSERT_TRUE(ran.has_value());
    EXPECT_GE(cgroups_.oom_kills(group_).value(), 1u);
    EXPECT_LE(cgroups_.memory_used(group_)->count, 8388608);
    EXPECT_EQ(cgroups_.memory_used("/skerry-absent").error().code, Code::not_found);
}

TEST_F(CgroupAsRoot, NamesThatWouldLeaveTheTreeAreRefused) {
    for (const char* bad : {"", "/", "x", "/a/../b", "/..", "/a//b", "/a/"})
        EXPECT_EQ(cgroups_.create(bad).error().code, Code::invalid) << bad;
}

} // namespace
} // namespace skerry::os
