#include "main/machine/claim.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace skerry::main {
namespace {

using Parts = Claim::Parts;
using testing::HasSubstr;

class ClaimTest : public testing::Test {
protected:
    ClaimTest() : folder_(os::mkdtemp("/tmp/skerry-claim-test-").value()) {}
    ~ClaimTest() override { std::filesystem::remove_all(folder_); }

    Claim::Options cell(const std::string& name, std::optional<std::string> prefix = {}) const {
        return {.state = folder_ + "/" + name,
                .run = folder_ + "/run-" + name,
                .prefix = std::move(prefix),
                .prefixes = folder_ + "/prefixes"};
    }
    static std::string refusal(const Claim::Options& options, Parts parts = Parts::folders_and_prefix) {
        auto taken = Claim::take(options, parts);
        return taken ? "" : taken.error().message;
    }

    std::string folder_;
};

TEST_F(ClaimTest, TwoCellsShareNothing) {
    auto first = Claim::take(cell("a"), Parts::folders_and_prefix);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(first->prefix(), "skerry");
    EXPECT_THAT(refusal(cell("a")), HasSubstr("already uses " + folder_ + "/a (pid " + std::to_string(::getpid()) + ")"));
    EXPECT_EQ(refusal(cell("b")), "prefix skerry is in use by the skerry with state " + folder_ +
                                      "/a, which runs; give this one a --prefix of its own (a letter, then up to nine letters or "
                                      "digits)");
    auto same_run = cell("c", "c");
    same_run.run = folder_ + "/run-a";
    EXPECT_THAT(refusal(same_run), HasSubstr("/run-a is in use by the skerry with state " + folder_ + "/a, which runs; give"));
    EXPECT_EQ(refusal(cell("b", "b")), "");
    EXPECT_EQ(refusal(cell("core"), Parts::folders), "") << "without a node there is no prefix";
}

TEST_F(ClaimTest, WhatRunsOnWithoutItsDaemonIsNobodyElses) {
    ASSERT_TRUE(Claim::take(cell("a"), Parts::folders_and_prefix));
    EXPECT_EQ(
        refusal(cell("b")),
        "prefix skerry belongs to the skerry with state " + folder_ +
            "/a; give this one a --prefix of its own (a letter, then up to nine letters or digits), or remove that one with "
            "skerry reset --state " +
            folder_ + "/a");
    EXPECT_EQ(refusal(cell("a")), "") << "it comes back itself";
    std::filesystem::remove_all(folder_ + "/a");
    EXPECT_EQ(refusal(cell("b")), "") << "nobody is left who could want it";
}

TEST_F(ClaimTest, TheStateRemembers) {
    ASSERT_TRUE(Claim::take(cell("a", "mine"), Parts::folders_and_prefix));
    auto bare = cell("a");
    bare.run.reset();
    auto again = Claim::take(bare, Parts::folders_and_prefix);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->prefix(), "mine");
    EXPECT_EQ(again->folders().run, folder_ + "/run-a");
    again = fail(Code::cancelled, "");
    EXPECT_THAT(refusal(cell("a", "other")), HasSubstr("--prefix: " + folder_ + "/a began with mine, not with other; leave"));
    bare.run = folder_ + "/elsewhere";
    EXPECT_THAT(refusal(bare), HasSubstr("--run: " + folder_ + "/a began with " + folder_ + "/run-a, not with"));
    EXPECT_THAT(refusal(cell("d", "../x")), HasSubstr("--prefix: network: prefix \"../x\": a small letter"));
}

TEST_F(ClaimTest, RemovesItsOwnAndNothingElse) {
    // Another cell's run folder lies inside, and somebody keeps a letter in the state's.
    auto inner = cell("b", "b");
    inner.run = folder_ + "/run-a/b";
    auto other = Claim::take(inner, Parts::folders_and_prefix);
    auto mine = Claim::take(cell("a"), Parts::folders_and_prefix);
    ASSERT_TRUE(other && mine);
    for (const char* ours : {"/a/store.db-wal", "/a/admin.kubeconfig.new", "/run-a/leash"})
        ASSERT_TRUE(os::write_file_atomically(folder_ + ours, "x"));
    ASSERT_TRUE(os::mkdirs(folder_ + "/a/container/instances"));
    ASSERT_TRUE(os::write_file_atomically(folder_ + "/a/letter", "x"));
    auto left = mine->remove();
    ASSERT_TRUE(left) << left.error().message;
    EXPECT_THAT(*left, testing::ElementsAre(folder_ + "/run-a/b", folder_ + "/a/letter"));
    EXPECT_THAT(os::list(folder_ + "/a").value(), testing::ElementsAre("letter"));
    EXPECT_THAT(os::list(folder_ + "/run-a/b").value(), testing::ElementsAre("lock"));
    EXPECT_THAT(os::list(folder_ + "/prefixes").value(), testing::ElementsAre("b"));
    EXPECT_EQ(refusal(cell("next", "skerry")), "");
}

TEST(Folders, AreAbsoluteAndBesideEachOther) {
    EXPECT_EQ(Folders::at({}, {}).run, "/run/skerry");
    EXPECT_EQ(Folders::at("/var/lib/skerry/", {}).run, "/run/skerry");
    EXPECT_EQ(Folders::at("/srv/a-b/c", {}).run, "/run/skerry-srv-a_-b-c");
    EXPECT_NE(Folders::at("/srv/a-b", {}).run, Folders::at("/srv/a/b", {}).run);
    auto here = std::filesystem::current_path().string();
    auto relative = Folders::at("some/../state", "run");
    EXPECT_EQ(relative.state, here + "/state");
    EXPECT_EQ(relative.run, here + "/run");
}

} // namespace
} // namespace skerry::main
