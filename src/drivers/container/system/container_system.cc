#include "drivers/container/container_driver.h"

#include "base/json.h"
#include "drivers/container/container_logs.h"
#include "drivers/container/unpack_main.h"
#include "oci/digest.h"
#include "oci/manifest.h"
#include "oci/tar_building.h"
#include "os/files.h"
#include "os/mount.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <poll.h>
#include <set>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/// The driver against real runc or crun, conmon, overlayfs and cgroups, with an image made of busybox. Everything made here has
/// this process's number in its name and is removed at the end.
namespace skerry::drivers::container {
namespace {

namespace fs = std::filesystem;
using oci::testing_tar::Tar;

class MemoryBlobs : public Blobs {
public:
    std::string add(const std::string& bytes) {
        auto digest = oci::digest_of(bytes);
        blobs_[digest] = bytes;
        return digest;
    }
    Result<std::string> read(const std::string& digest, std::uint64_t offset, std::size_t size) override {
        auto found = blobs_.find(digest);
        if (found == blobs_.end()) return fail(Code::not_found, "no blob " + digest);
        return offset >= found->second.size() ? std::string() : found->second.substr(offset, size);
    }
    Result<std::string> path(const std::string&) override { return fail(Code::unsupported, "in memory"); }
    void forget() { blobs_.clear(); }

private:
    std::map<std::string, std::string> blobs_;
};

/// An image of the given layers; `extra` are further members of the config's `config`.
std::string make_image(MemoryBlobs& blobs, const std::vector<std::string>& tars, const std::string& extra) {
    utsname machine{};
    ::uname(&machine);
    auto host = oci::host_platform(machine.machine);
    oci::Manifest manifest;
    manifest.media_type = oci::media::manifest;
    std::string diffs;
    for (auto& tar : tars) {
        manifest.layers.push_back(
            {std::string(oci::media::layer), blobs.add(tar), static_cast<std::int64_t>(tar.size()), {}, {}});
        diffs += (diffs.empty() ? "\"" : ",\"") + oci::digest_of(tar) + "\"";
    }
    std::string config = R"({"os":"linux","architecture":")" + host.architecture + R"(","config":{)" + extra +
                         R"(},"rootfs":{"type":"layers","diff_ids":[)" + diffs + "]}}";
    manifest.config = {std::string(oci::media::config), blobs.add(config), static_cast<std::int64_t>(config.size()), {}, {}};
    return blobs.add(oci::write_manifest(manifest));
}

std::string base_layer() {
    static const std::string tar = [] {
        Tar tar;
        auto busybox = os::read_file("/bin/busybox", 16 << 20);
        tar.folder("bin").file("bin/busybox", *busybox, 0755);
        for (const char* name : {"sh", "sleep", "cat", "ls", "echo", "id", "head", "tail", "true", "hostname", "mkdir", "kill",
                                 "wc", "stat", "yes", "touch", "tr", "dd"})
            tar.symlink(std::string("bin/") + name, "busybox");
        tar.folder("etc")
            .file("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n")
            .file("etc/group", "root:x:0:\napp:x:1000:\nmore:x:1001:app\n");
        tar.folder("tmp", 01777)
            .folder("root", 0700)
            .folder("data")
            .file("data/old", "old")
            .file("data/kept", "kept")
            .folder("hidden")
            .file("hidden/below", "x");
        return tar.bytes();
    }();
    return tar;
}

class ContainerSystem : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root: run as root";
        if (!fs::exists("/bin/busybox")) GTEST_SKIP() << "needs busybox: apt-get install busybox-static";
        auto made = os::mkdtemp("/tmp/skerry-container-");
        ASSERT_TRUE(made);
        base_ = *made;
        options_ = {.state = base_ + "/state",
                    .run = base_ + "/run",
                    .program = fs::read_symlink("/proc/self/exe"),
                    .cgroup = "/skerry-test-" + std::to_string(::getpid())};
        driver_ = open();
        auto probed = driver_->probe();
        if (!probed && probed.error().code == Code::not_found) GTEST_SKIP() << probed.error().message;
        ASSERT_TRUE(probed) << probed.error().message;
        ASSERT_TRUE(driver_->adopt({}));
    }
    void TearDown() override {
        if (base_.empty()) return;
        driver_ = open();
        (void)driver_->probe();
        auto reset = driver_->reset();
        EXPECT_TRUE(reset) << reset.error().message;
        EXPECT_TRUE(os::mounts_beneath(base_)->empty());
        for (const char* hierarchy : {"", "/memory", "/systemd", "/unified"})
            EXPECT_FALSE(fs::exists("/sys/fs/cgroup" + std::string(hierarchy) + options_.cgroup));
        driver_.reset();
        auto removed = os::remove_tree(base_);
        EXPECT_TRUE(removed) << removed.error().message;
    }
    std::unique_ptr<ContainerDriver> open() {
        auto driver = ContainerDriver::open(options_, blobs_);
        EXPECT_TRUE(driver) << driver.error().message;
        return std::move(*driver);
    }
    /// As after a kill -9 and restart: another driver over the same folders.
    void restart() {
        driver_ = open();
        ASSERT_TRUE(driver_->probe());
    }
    const std::string& image() {
        if (image_.empty()) {
            Tar top;
            top.file("data/.wh.old", "")
                .folder("hidden")
                .file("hidden/.wh..wh..opq", "")
                .file("hidden/above", "y")
                .file("tmp/suid", "x", 04755);
            image_ = make_image(blobs_, {base_layer(), top.bytes()},
                                R"("Cmd":["/bin/sleep","1000"],"Env":["COLOUR=blue"],"StopSignal":"SIGTERM")");
        }
        return image_;
    }
    InstanceSpec spec(const std::string& name, const std::string& script = "") {
        InstanceSpec spec;
        spec.name = name;
        spec.image = image();
        spec.hostname = "till";
        if (!script.empty()) spec.command = {"/bin/sh", "-c", script};
        return spec;
    }
    Handle start(const InstanceSpec& wish) {
        auto handle = driver_->start(wish);
        EXPECT_TRUE(handle) << handle.error().message;
        return handle.value_or("");
    }
    Look look(const Handle& handle) {
        auto found = driver_->look(handle);
        EXPECT_TRUE(found) << found.error().message;
        return found.value_or(Look{});
    }
    /// Waits at most 100 ms for the driver's own notice.
    void wait_for_notice() {
        pollfd entry{driver_->watch_fd(), POLLIN, 0};
        ::poll(&entry, 1, 100);
        driver_->drain();
    }
    Look wait_for_end(const Handle& handle) {
        for (int i = 0; i < 600; ++i) {
            Look now = look(handle);
            if (now.phase != Phase::running && now.phase != Phase::suspended) return now;
            wait_for_notice();
        }
        ADD_FAILURE() << "did not end";
        return {};
    }
    std::string log(const std::string& name, LogWindow window = {}) {
        ContainerLogs logs(driver_->paths());
        auto reader = logs.open(name, window);
        if (!reader) return "error: " + reader.error().message;
        std::string all;
        for (;;) {
            auto piece = (*reader)->next(1 << 20);
            if (!piece || piece->empty()) return all;
            all += *piece;
        }
    }
    std::string wait_for_log(const std::string& name, const std::string& text) {
        for (int i = 0; i < 200; ++i) {
            if (auto all = log(name); all.find(text) != all.npos) return all;
            ::usleep(50'000);
        }
        ADD_FAILURE() << "never printed " << text << ", but: " << log(name);
        return {};
    }

    std::string base_;
    Options options_;
    MemoryBlobs blobs_;
    std::unique_ptr<ContainerDriver> driver_;
    std::string image_;
};

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
