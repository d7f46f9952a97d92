#include "drivers/container/system/container_system.h"

namespace skerry::drivers::container {
namespace {

TEST_F(ContainerSystem, RunsLooksAndReads) {
    std::set<InstanceName> told;
    driver_->watch([&](InstanceName name) { told.insert(name); });
    auto wish = spec("one", "echo $COLOUR $SIZE; hostname; id; ls /data /hidden; stat -c %a /tmp/suid; cat /etc/hosts "
                            "/etc/resolv.conf; echo -n wait; sleep 1; echo bad >&2; exit 7");
    wish.environment = {{"SIZE", "large"}};
    wish.hosts = {{"ledger", "10.1.2.3"}};
    wish.user = "app";
    auto handle = start(wish);
    Look now = look(handle);
    EXPECT_EQ(now.phase, Phase::running);
    EXPECT_GT(now.pid, 1);
    EXPECT_GT(now.started.seconds, 0);
    Look end = wait_for_end(handle);
    EXPECT_EQ(end.phase, Phase::exited);
    EXPECT_EQ(end.exit_code, 7);
    EXPECT_FALSE(end.out_of_memory);
    EXPECT_GE(end.ended, end.started);
    // A look may see the end before its notice is read.
    for (int i = 0; i < 100 && !told.contains("one"); ++i) wait_for_notice();
    EXPECT_TRUE(told.contains("one"));
    auto all = log("one");
    EXPECT_NE(all.find("blue large\ntill\nuid=1000(app) gid=1000(app) groups=1000(app),1001(more)\n"), all.npos) << all;
    EXPECT_NE(all.find("/data:\nkept\n"), all.npos) << all;
    EXPECT_NE(all.find("/hidden:\nabove\n4755\n"), all.npos) << all;
    EXPECT_NE(all.find("10.1.2.3\tledger"), all.npos) << all;
    EXPECT_NE(all.find("bad\n"), all.npos);
    EXPECT_EQ(log("one", {.tail = 2}), "bad\nwait\n") << "a line without an end counts when there is no more";
    EXPECT_TRUE(log("one", {.tail = 1, .timestamps = true}).starts_with("20"));
    ASSERT_TRUE(driver_->remove(handle));
    ASSERT_TRUE(driver_->remove(handle));
    EXPECT_NE(log("one").find("blue"), std::string::npos);
    EXPECT_TRUE(os::mounts_beneath(base_)->empty());
    EXPECT_EQ(look(handle).phase, Phase::lost);
}

TEST_F(ContainerSystem, StartsOnceAndAfreshAfterItsEnd) {
    auto wish = spec("again", "touch /mark; ls / | tr '\\n' ' '; echo $RUN; [ $RUN = 1 ] || sleep 1000");
    wish.environment = {{"RUN", "1"}};
    auto first = start(wish);
    EXPECT_EQ(wait_for_end(first).exit_code, 0);
    wish.environment = {{"RUN", "2"}};
    wish.command[2] = "ls / | tr '\\n' ' '; echo $RUN; sleep 1000";
    auto second = start(wish);
    auto text = wait_for_log("again", "2\n");
    EXPECT_EQ(text.find("mark"), text.npos) << "what the first run wrote is gone";
    EXPECT_NE(log("again", {.previous = true}).find("1\n"), std::string::npos);
    EXPECT_EQ(start(wish), second) << "the one already up";
    EXPECT_EQ(look(second).phase, Phase::running);
}

TEST_F(ContainerSystem, StopsPolitelyThenKills) {
    auto polite = start(spec("polite", "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.1; done"));
    wait_for_log("polite", "ready");
    ASSERT_TRUE(driver_->stop(polite, 20s));
    EXPECT_EQ(look(polite).exit_code, 3);
    EXPECT_NE(log("polite").find("bye"), std::string::npos);
    ASSERT_TRUE(driver_->stop(polite, 1s));

    auto stubborn = start(spec("stubborn", "trap '' TERM; echo ready; while :; do sleep 1000; done"));
    wait_for_log("stubborn", "ready");
    ASSERT_TRUE(driver_->stop(stubborn, 300ms));
    EXPECT_EQ(look(stubborn).phase, Phase::exited);
    EXPECT_EQ(look(stubborn).exit_code, 137);
}

TEST_F(ContainerSystem, ReportsOutOfMemory) {
    auto wish = spec("hungry", "echo ready; tail /dev/zero");
    wish.memory = Bytes{16 << 20};
    auto handle = start(wish);
    Look end = wait_for_end(handle);
    EXPECT_EQ(end.phase, Phase::exited);
    EXPECT_NE(end.exit_code, 0);
    EXPECT_TRUE(end.out_of_memory);
}

TEST_F(ContainerSystem, SuspendsAndResumes) {
    auto handle = start(spec("sleepy", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"));
    wait_for_log("sleepy", "2\n");
    ASSERT_TRUE(driver_->suspend(handle));
    ASSERT_TRUE(driver_->suspend(handle));
    EXPECT_EQ(look(handle).phase, Phase::suspended);
    ::usleep(200'000);
    auto before = log("sleepy");
    ::usleep(400'000);
    EXPECT_EQ(log("sleepy"), before);
    auto refused = driver_->exec(handle, std::vector<std::string>{"/bin/true"}, 5s);
    EXPECT_FALSE(refused);
    ASSERT_TRUE(driver_->resume(handle));
    EXPECT_EQ(look(handle).phase, Phase::running);
    for (int i = 0; i < 100 && log("sleepy") == before; ++i) ::usleep(50'000);
    EXPECT_GT(log("sleepy").size(), before.size());
    ASSERT_TRUE(driver_->suspend(handle));
    ASSERT_TRUE(driver_->stop(handle, 200ms)) << "also while suspended";
    EXPECT_EQ(look(handle).phase, Phase::exited);
}

TEST_F(ContainerSystem, ExecsWithinADeadline) {
    auto handle = start(spec("busy"));
    auto good = driver_->exec(handle, std::vector<std::string>{"/bin/sh", "-c", "echo out; echo $COLOUR >&2; exit 4"}, 20s);
    ASSERT_TRUE(good) << good.error().message;
    EXPECT_EQ(good->exit_code, 4);
    EXPECT_EQ(good->output, "out\nblue\n");
    auto loud = driver_->exec(handle, std::vector<std::string>{"/bin/sh", "-c", "yes | head -c 1000000"}, 20s);
    ASSERT_TRUE(loud) << loud.error().message;
    EXPECT_LE(loud->output.size(), 4096u);
    auto slow = driver_->exec(handle, std::vector<std::string>{"/bin/sh", "-c", "sleep 500 & sleep 600"}, 1s);
    ASSERT_FALSE(slow);
    EXPECT_EQ(slow.error().code, Code::timeout);
    std::string left;
    for (int i = 0; i < 50; ++i) {
        left.clear();
        auto pids = os::Cgroups::detect()->pids(options_.cgroup + "/busy");
        ASSERT_TRUE(pids);
        for (auto pid : *pids) left += os::read_file("/proc/" + std::to_string(pid) + "/cmdline").value_or("");
        if (left.find("500") == left.npos && left.find("600") == left.npos) break;
        ::usleep(50'000);
    }
    EXPECT_EQ(left.find("500"), left.npos);
    EXPECT_EQ(left.find("600"), left.npos);
    EXPECT_EQ(look(handle).phase, Phase::running);
    EXPECT_FALSE(driver_->exec(handle, std::vector<std::string>{"/no/such/program"}, 5s).value_or(ExecOutcome{0, ""}).exit_code ==
                 0);
}

TEST_F(ContainerSystem, SharesLayersAndFreesThem) {
    Tar other;
    other.file("data/other", "o");
    auto second = make_image(blobs_, {base_layer(), other.bytes()}, R"("Cmd":["/bin/sleep","1000"])");
    ASSERT_TRUE(driver_->prepare_image(image()));
    ASSERT_TRUE(driver_->prepare_image(second));
    EXPECT_EQ(os::list(driver_->paths().layers())->size(), 3u);
    auto wish = spec("user");
    wish.image = second;
    auto handle = start(wish);
    EXPECT_EQ(driver_->keep_images({}).error().code, Code::conflict) << "an instance uses them";
    ASSERT_TRUE(driver_->remove_dropped_images());
    EXPECT_EQ(os::list(driver_->paths().layers())->size(), 2u);
    ASSERT_TRUE(driver_->remove(handle));
    ASSERT_TRUE(driver_->keep_images(std::vector<std::string>{second}));
    EXPECT_EQ(os::list(driver_->paths().layers())->size(), 2u);
    ASSERT_TRUE(driver_->keep_images({}));
    ASSERT_TRUE(driver_->remove_dropped_images());
    EXPECT_EQ(os::list(driver_->paths().layers())->size(), 0u);
}

TEST_F(ContainerSystem, KeepsLayersOfImagesThatAreBeingPrepared) {
    Tar other;
    other.file("data/other", "o");
    auto second = make_image(blobs_, {base_layer(), other.bytes()}, R"("Cmd":["/bin/sleep","1000"])");
    ASSERT_TRUE(driver_->prepare_image(image()));
    // The second one is wanted, and shares a layer, but nobody has noted yet what it consists of; another is being unpacked.
    ASSERT_TRUE(os::mkdirs(driver_->paths().layers() + "/.new-0123-x"));
    ASSERT_TRUE(os::write_file_atomically(driver_->paths().images() + "/0123.x.tmp", "{"));
    ASSERT_TRUE(driver_->keep_images(std::vector<std::string>{second}));
    auto layers = *os::list(driver_->paths().layers());
    EXPECT_EQ(std::ranges::count_if(layers, [](auto& name) { return !name.starts_with('.'); }), 1) << "the shared one";
    EXPECT_TRUE(*os::exists(driver_->paths().layers() + "/.new-0123-x"));
    EXPECT_TRUE(*os::exists(driver_->paths().images() + "/0123.x.tmp"));
    // A start that has noted nothing of itself yet: nothing is taken away.
    ASSERT_TRUE(os::mkdirs(driver_->paths().instance("starting")));
    EXPECT_EQ(driver_->keep_images({}).error().code, Code::conflict);
    restart();
    ASSERT_TRUE(driver_->adopt({}));
    EXPECT_FALSE(*os::exists(driver_->paths().layers() + "/.new-0123-x"));
    EXPECT_FALSE(*os::exists(driver_->paths().images() + "/0123.x.tmp"));
    layers = *os::list(driver_->paths().layers());
    EXPECT_EQ(layers.size(), 1u) << "what a crash left on its way out is gone";
}

TEST_F(ContainerSystem, ExplainsWhatCannotStart) {
    auto wish = spec("wrong");
    wish.image = oci::digest_of("nothing");
    EXPECT_EQ(driver_->start(wish).error().code, Code::not_found);
    wish = spec("wrong");
    wish.command = {"/no/such/program"};
    auto started = driver_->start(wish);
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().message.find("/no/such/program"), std::string::npos) << started.error().message;
    wish = spec("wrong");
    wish.user = "nobody-here";
    EXPECT_EQ(driver_->start(wish).error().code, Code::invalid);
    wish = spec("wrong");
    wish.mounts = {{base_ + "/no-such-folder", "/x", false}};
    EXPECT_FALSE(driver_->start(wish));
    wish = spec("../escape");
    EXPECT_EQ(driver_->start(wish).error().code, Code::invalid);
    Tar evil;
    evil.file("../escape", "x");
    wish = spec("wrong");
    wish.image = make_image(blobs_, {evil.bytes()}, R"("Cmd":["/x"])");
    auto refused = driver_->start(wish);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::invalid) << refused.error().message;
    EXPECT_TRUE(os::list(driver_->paths().instances())->empty());
    EXPECT_TRUE(os::list(driver_->paths().bundles())->empty());
    EXPECT_TRUE(os::mounts_beneath(base_)->empty());
}

TEST_F(ContainerSystem, RotatesWhatPrintsMuch) {
    auto handle = start(spec("chatty", "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done; sleep 1000"));
    wait_for_log("chatty", "line 3000\n");
    ContainerLogs logs(driver_->paths(), {.bytes = 10'000, .files = 3});
    auto reader = logs.open("chatty", {});
    ASSERT_TRUE(reader);
    std::string all;
    logs.rotate();
    ASSERT_TRUE(driver_->exec(handle, std::vector<std::string>{"/bin/sh", "-c", "echo after > /proc/1/fd/1"}, 10s));
    for (int i = 0; i < 100 && all.find("after\n") == all.npos; ++i) {
        auto piece = (*reader)->next(1000);
        ASSERT_TRUE(piece);
        all += *piece;
        if (piece->empty()) ::usleep(50'000);
    }
    EXPECT_NE(all.find("line 1\n"), all.npos);
    EXPECT_NE(all.find("line 3000\nafter\n"), all.npos);
    EXPECT_TRUE(*os::exists(driver_->paths().log_folder("chatty") + "/current.1"));
    EXPECT_LT(fs::file_size(driver_->paths().log_folder("chatty") + "/current"), 1000u);
    EXPECT_EQ(log("chatty", {.tail = 2}), "line 3000\nafter\n");
}

TEST_F(ContainerSystem, RunsUnderEitherRuntime) {
    for (const char* runtime : {"runc", "crun"}) {
        options_.runtimes = {runtime};
        driver_ = open();
        if (auto probed = driver_->probe(); !probed) {
            EXPECT_NE(probed.error().message.find(runtime), std::string::npos);
            continue;
        }
        auto handle = start(spec("either", "echo ready; trap 'exit 5' TERM; while :; do sleep 0.1; done"));
        wait_for_log("either", "ready");
        auto done = driver_->exec(handle, std::vector<std::string>{"/bin/hostname"}, 20s);
        ASSERT_TRUE(done) << done.error().message;
        EXPECT_EQ(done->output, "till\n") << driver_->runtime_program();
        ASSERT_TRUE(driver_->suspend(handle));
        ASSERT_TRUE(driver_->resume(handle));
        ASSERT_TRUE(driver_->stop(handle, 20s));
        EXPECT_EQ(look(handle).exit_code, 5);
        ASSERT_TRUE(driver_->remove(handle));
    }
}

TEST_F(ContainerSystem, LimitsHold) {
    auto wish = spec("bounded", "cat /proc/self/status | head -100; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max "
                                "2>/dev/null; touch /proc/sys/x /sys/x 2>&1; cat /proc/kcore | head -c 1 | wc -c; exit 0");
    wish.cpu = MilliCpu{500};
    wish.pids = 77;
    auto handle = start(wish);
    wait_for_end(handle);
    auto all = log("bounded");
    EXPECT_NE(all.find("77\n"), all.npos) << all;
    EXPECT_NE(all.find("Seccomp:\t2"), all.npos) << all;
    EXPECT_NE(all.find("CapEff:\t00000000800405fb"), all.npos) << all;
    EXPECT_NE(all.find("\n0\n"), all.npos) << all;
}

} // namespace
} // namespace skerry::drivers::container

int main(int argc, char** argv) {
    std::vector<std::string> args(argv + 1, argv + argc);
    if (!args.empty() && args[0] == skerry::drivers::container::unpack_verb)
        return skerry::drivers::container::unpack_main(std::span(args).subspan(1));
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
