#pragma once

#include "drivers/container/container_driver.h"

#include "base/json.h"
#include "drivers/container/container_logs.h"
#include "drivers/container/unpack_main.h"
#include "oci/digest.h"
#include "oci/layers/tar_building.h"
#include "oci/manifest.h"
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
inline std::string make_image(MemoryBlobs& blobs, const std::vector<std::string>& tars, const std::string& extra) {
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

inline std::string base_layer() {
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

} // namespace skerry::drivers::container
