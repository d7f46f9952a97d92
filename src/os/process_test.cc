#include "os/files.h"
#include "os/os_fixture.h"
#include "os/process.h"

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

namespace skerry::os {
namespace {

using Process = FolderTest;

TEST_F(Process, InputOutputErrorsAndExitCode) {
    std::string input(300'000, 'i');
    auto ran = run({.argv = {"sh", "-c", "cat; echo oops >&2; exit 3"}, .input = input});
    ASSERT_TRUE(ran.has_value()) << ran.error().message;
    EXPECT_EQ(ran->output, input);
    EXPECT_EQ(ran->errors, "oops\n");
    EXPECT_EQ(ran->exit_code, 3);
    EXPECT_FALSE(ran->cut);
}

TEST_F(Process, WordsReachTheProgramUnchanged) {
    EXPECT_EQ(run_well({.argv = {"printf", "%s|", "a b", "$HOME", "*", ""}}).value(), "a b|$HOME|*||");
    EXPECT_EQ(run_well({.argv = {"env"}, .environment = std::vector<std::string>{"ONLY=this"}}).value(), "ONLY=this\n");
    EXPECT_EQ(run_well({.argv = {"pwd"}, .working_dir = folder_}).value(), folder_ + "\n");
}

TEST_F(Process, OutputIsBounded) {
    auto ran = run({.argv = {"head", "-c", "5000000", "/dev/zero"}, .output_limit = 1000});
    ASSERT_TRUE(ran.has_value());
    EXPECT_EQ(ran->output.size(), 1000u);
    EXPECT_TRUE(ran->cut);
    EXPECT_EQ(ran->exit_code, 0);
}

TEST_F(Process, MissingAndUnusableProgramsAreNamed) {
    EXPECT_EQ(run({.argv = {"no-such-program-here"}}).error().code, Code::not_found);
    ASSERT_TRUE(write_file_atomically(folder_ + "/not-a-program", "x", 0644).has_value());
    EXPECT_EQ(run({.argv = {folder_ + "/not-a-program"}}).error().code, Code::forbidden);
    EXPECT_EQ(spawn_detached({.argv = {folder_ + "/not-a-program"}}).error().code, Code::forbidden);
    EXPECT_EQ(run({.argv = {}}).error().code, Code::invalid);
}

TEST_F(Process, DeadlineKillsItAndItsChildren) {
    std::string file = folder_ + "/pid";
    auto ran = run({.argv = {"sh", "-c", "sleep 1000 & echo $! >" + file + "; wait"}, .deadline = 300ms});
    ASSERT_FALSE(ran.has_value());
    EXPECT_EQ(ran.error().code, Code::timeout);
    pid_t child = std::stoi(read_file(file).value());
    auto id = identify(child);
    EXPECT_TRUE(!id || wait_until_gone(*id, 5s).has_value());
}

TEST_F(Process, DescendantThatKeepsTheOutputOpenDoesNotHoldUs) {
    auto ran = run({.argv = {"sh", "-c", "sleep 1000 & echo $!"}, .deadline = 60s});
    ASSERT_TRUE(ran.has_value()) << ran.error().message;
    auto left = identify(std::stoi(ran->output)).value();
    EXPECT_TRUE(*is_running(left));
    EXPECT_TRUE(kill(left, SIGKILL).has_value());
    EXPECT_TRUE(wait_until_gone(left, 5s).has_value());
    EXPECT_FALSE(*is_running(left));
}

TEST_F(Process, WithoutDescriptorsNothingIsKnownOfAProcess) {
    auto ran = run({.argv = {"sh", "-c", "sleep 1000 & echo $!"}, .deadline = 60s});
    ASSERT_TRUE(ran.has_value());
    auto left = identify(std::stoi(ran->output)).value();
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none{0, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    auto runs = is_running(left);
    auto killed = kill(left, SIGKILL);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    ASSERT_FALSE(runs.has_value());
    EXPECT_EQ(runs.error().code, Code::exhausted);
    EXPECT_FALSE(killed.has_value()) << "not taken for gone";
    EXPECT_TRUE(*is_running(left));
    EXPECT_TRUE(kill(left, SIGKILL).has_value());
}

TEST_F(Process, SignalsAreReportedAndIgnoredOnesRestored) {
    auto old = std::signal(SIGPIPE, SIG_IGN);
    auto ran = run({.argv = {"sh", "-c", "kill -PIPE $$; echo survived"}});
    std::signal(SIGPIPE, old);
    ASSERT_TRUE(ran.has_value());
    EXPECT_EQ(ran->signal, SIGPIPE);
    EXPECT_EQ(ran->exit_code, 128 + SIGPIPE);
}

TEST_F(Process, InheritedDescriptorsGetTheirNumbersEvenWhenTheyCross) {
    auto [read_a, write_a] = pipe().value();
    auto [read_b, write_b] = pipe().value();
    // Each is to get the other's number.
    auto ran =
        run({.argv = {"sh", "-c",
                      "echo one >&" + std::to_string(write_b.number()) + "; echo two >&" + std::to_string(write_a.number())},
             .inherit = {{write_a.number(), write_b.number()}, {write_b.number(), write_a.number()}}});
    ASSERT_TRUE(ran.has_value());
    char buffer[16];
    EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(::read(read_a.number(), buffer, sizeof buffer))), "one\n");
    EXPECT_EQ(std::string(buffer, static_cast<std::size_t>(::read(read_b.number(), buffer, sizeof buffer))), "two\n");
}

TEST_F(Process, OtherDescriptorsAreNotInherited) {
    int leaked = ::open("/dev/null", O_RDONLY); // without O_CLOEXEC
    auto ran = run({.argv = {"ls", "/proc/self/fd"}});
    ::close(leaked);
    EXPECT_EQ(ran->output, "0\n1\n2\n3\n"); // 3: ls reading the folder
}

TEST_F(Process, DetachedIsNobodysChildAndIsToldApartFromALaterNamesake) {
    auto id = spawn_detached({.argv = {"sleep", "1000"}});
    ASSERT_TRUE(id.has_value()) << id.error().message;
    EXPECT_TRUE(*is_running(*id));
    EXPECT_NE(relatives(id->pid)->parent, ::getpid());
    EXPECT_FALSE(*is_running({id->pid, id->start + 1}));
    EXPECT_TRUE(kill({id->pid, id->start + 1}, SIGKILL).has_value()); // somebody else: not touched
    EXPECT_EQ(wait_until_gone(*id, 50ms).error().code, Code::timeout);
    EXPECT_TRUE(kill(*id, SIGTERM).has_value());
    EXPECT_TRUE(wait_until_gone(*id, 5s).has_value());
    EXPECT_TRUE(kill(*id, SIGTERM).has_value());
}

TEST_F(Process, StatLinesOfOddlyNamedProcesses) {
    auto found = parse_stat("42 (a) b (c) S 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1000 2 0");
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->name, "a) b (c");
    EXPECT_EQ(found->parent, 7);
    EXPECT_EQ(found->start, 12345u);
    for (const char* bad : {"", "x", "1 (", "1 (a)", "1 (a) S", "1 (a) S x 1 1", ") 1 (", "1 (a) S 1 2 3"})
        EXPECT_FALSE(parse_stat(bad).has_value()) << bad;
}

TEST_F(Process, ChildrenAreFound) {
    auto parent = spawn_detached({.argv = {"sh", "-c", "sleep 1000 & sleep 1000 & wait"}}).value();
    std::vector<Relatives> found;
    for (int i = 0; i < 1000 && found.size() < 2; ++i) {
        found = children(parent.pid).value();
        ::poll(nullptr, 0, 5);
    }
    EXPECT_EQ(found.size(), 2u);
    EXPECT_TRUE(kill(parent, SIGKILL).has_value());
    for (const auto& one : found) {
        EXPECT_EQ(one.parent, parent.pid);
        EXPECT_TRUE(kill({one.pid, one.start}, SIGKILL).has_value());
    }
}

} // namespace
} // namespace skerry::os
