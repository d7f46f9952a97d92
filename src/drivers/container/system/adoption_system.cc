#include "drivers/container/system/container_system.h"

/// What runs outlives its daemon, and is found again.
namespace skerry::drivers::container {
namespace {

TEST_F(ContainerSystem, OutlivesItsDaemon) {
    image();
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    pid_t daemon = ::fork();
    if (daemon == 0) {
        ::close(pipe[0]);
        restart();
        auto handle = driver_->start(spec("survivor", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done"));
        std::string text = handle ? *handle : "";
        (void)!::write(pipe[1], text.data(), text.size());
        ::close(pipe[1]);
        for (;;) ::pause();
    }
    ::close(pipe[1]);
    Handle handle(4096, '\0');
    std::size_t got = 0;
    for (ssize_t piece; (piece = ::read(pipe[0], handle.data() + got, handle.size() - got)) > 0;)
        got += static_cast<std::size_t>(piece);
    handle.resize(got); // the end came although the daemon lives on: nothing of the container holds its descriptors
    ::close(pipe[0]);
    ASSERT_FALSE(handle.empty());
    auto pid = look(handle).pid;
    ::kill(daemon, SIGKILL);
    ::waitpid(daemon, nullptr, 0);
    restart();
    auto found = driver_->adopt(std::vector<Handle>{handle});
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(found->size(), 1u);
    EXPECT_EQ(found->front().name, "survivor");
    EXPECT_EQ(found->front().look.phase, Phase::running);
    EXPECT_EQ(found->front().look.pid, pid);
    EXPECT_EQ(found->front().look.remark, "");
    EXPECT_EQ(start(spec("survivor")), handle);
    auto before = log("survivor").size();
    for (int i = 0; i < 100 && log("survivor").size() <= before; ++i) ::usleep(50'000);
    EXPECT_GT(log("survivor").size(), before) << "its output is still recorded";
    // Also with nothing remembered.
    restart();
    auto again = driver_->adopt({});
    ASSERT_TRUE(again);
    ASSERT_EQ(again->size(), 1u);
    EXPECT_EQ(again->front().handle, handle);
}

TEST_F(ContainerSystem, NoticesADeadMonitor) {
    auto handle = start(spec("orphan"));
    auto pid = look(handle).pid;
    auto record = parse_record(handle);
    ASSERT_TRUE(os::kill(record->monitor, SIGKILL));
    ASSERT_TRUE(os::wait_until_gone(record->monitor, 5s));
    Look now = look(handle);
    EXPECT_EQ(now.phase, Phase::running);
    EXPECT_EQ(now.pid, pid);
    EXPECT_NE(now.remark.find("monitor died"), std::string::npos);
    EXPECT_EQ(start(spec("orphan")), handle);
    ASSERT_TRUE(os::kill(record->process, SIGKILL));
    Look end = wait_for_end(handle);
    EXPECT_EQ(end.phase, Phase::exited);
    EXPECT_FALSE(end.exit_code.has_value());
    EXPECT_NE(start(spec("orphan")), handle);
}

TEST_F(ContainerSystem, ForgetsNothingOverAReboot) {
    auto handle = start(spec("boxed"));
    auto other = start(spec("second"));
    // What a reboot does: processes, mounts, cgroups and /run are gone, the boot id is another.
    for (auto& each : {handle, other}) {
        auto record = parse_record(each);
        ASSERT_TRUE(os::kill(record->monitor, SIGKILL));
        ASSERT_TRUE(os::kill(record->process, SIGKILL));
        ASSERT_TRUE(os::wait_until_gone(record->process, 5s));
        ASSERT_TRUE(os::wait_until_gone(record->monitor, 5s));
    }
    ASSERT_TRUE(os::umount_beneath(base_));
    ASSERT_TRUE(os::remove_tree(options_.run));
    options_.boot_id = "after";
    restart();
    auto found = driver_->adopt(std::vector<Handle>{handle});
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(found->size(), 2u);
    for (auto& each : *found) EXPECT_EQ(each.look.phase, Phase::lost);
    blobs_.forget(); // the image is prepared; nothing else is needed to start
    auto fresh = start(spec("boxed"));
    EXPECT_NE(fresh, handle);
    EXPECT_EQ(look(fresh).phase, Phase::running);
    EXPECT_EQ(look(handle).phase, Phase::lost);
    EXPECT_TRUE(driver_->stop(handle, 1s)) << "an old handle stops nothing new";
    EXPECT_EQ(look(fresh).phase, Phase::running);
}

TEST_F(ContainerSystem, ClearsHalfDoneStarts) {
    // What power leaves of a daemon that made a container and did not come to start its program.
    std::string idle = base_ + "/idle-runtime";
    ASSERT_TRUE(os::write_file_atomically(
        idle, "#!/bin/sh\nfor word; do [ \"$word\" = start ] && exit 0; done\nexec " + driver_->runtime_program() + " \"$@\"\n",
        0755));
    options_.runtimes = {idle};
    restart();
    auto handle = start(spec("half"));
    ASSERT_TRUE(os::unlink(driver_->paths().started("half")));
    ASSERT_TRUE(os::mkdirs(driver_->paths().layers() + "/.new-0123-x/deep"));
    auto record = parse_record(handle);
    restart();
    auto found = driver_->adopt({});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_TRUE(found->empty());
    EXPECT_FALSE(*os::is_running(record->process));
    EXPECT_TRUE(os::mounts_beneath(base_)->empty());
    EXPECT_FALSE(*os::exists(driver_->paths().layers() + "/.new-0123-x"));
}

TEST_F(ContainerSystem, AdoptsWhatWasStartedThoughNobodyWasTold) {
    auto handle = start(spec("told"));
    auto pid = look(handle).pid;
    ASSERT_TRUE(os::unlink(driver_->paths().started("told")));
    restart();
    auto found = driver_->adopt({});
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(found->size(), 1u);
    EXPECT_EQ(found->front().look.phase, Phase::running);
    EXPECT_EQ(found->front().look.pid, pid);
    EXPECT_TRUE(*os::exists(driver_->paths().started("told")));
}

TEST_F(ContainerSystem, RunsOnWhenRunIsEmptied) {
    auto handle = start(spec("steady"));
    auto pid = look(handle).pid;
    ASSERT_TRUE(os::remove_tree(options_.run)); // a service manager that tidies up, or a person
    EXPECT_EQ(look(handle).phase, Phase::running);
    driver_->drain(); // which finds its folder of exits gone
    EXPECT_EQ(start(spec("steady")), handle);
    restart();
    auto found = driver_->adopt(std::vector<Handle>{handle});
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(found->size(), 1u);
    EXPECT_EQ(found->front().look.phase, Phase::running);
    EXPECT_EQ(found->front().look.pid, pid);
    auto second = start(spec("second"));
    EXPECT_EQ(look(second).phase, Phase::running);
    ASSERT_TRUE(os::kill(parse_record(second)->process, SIGKILL));
    EXPECT_EQ(wait_for_end(second).exit_code, 137);
    EXPECT_TRUE(driver_->stop(handle, 1s));
    EXPECT_EQ(look(handle).phase, Phase::exited);
    EXPECT_TRUE(driver_->remove(handle));
    EXPECT_TRUE(driver_->remove(second));
}

} // namespace
} // namespace skerry::drivers::container
