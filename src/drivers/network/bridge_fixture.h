#pragma once

#include "drivers/network/bridge_network.h"
#include "os/files.h"
#include "os/mount.h"
#include "os/netns.h"
#include "os/nft.h"
#include "os/process.h"

#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

namespace skerry::drivers::network {

/// What a server at that address says within a second or so, or "" where nothing answers. From the calling thread's namespace.
inline std::string ask(const std::string& address, int port, Duration patience = 2s) {
    os::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(os::parse_ipv4(address).value().number);
    auto deadline = os::Deadline::after(patience).value();
    if (::connect(fd.number(), reinterpret_cast<sockaddr*>(&to), sizeof to) < 0 && errno != EINPROGRESS) return "";
    std::string said;
    for (;;) {
        if (!os::wait_for(fd.number(), POLLIN, deadline)) return said;
        char buffer[512];
        ssize_t n = ::recv(fd.number(), buffer, sizeof buffer, 0);
        if (n <= 0) return said;
        said.append(buffer, static_cast<std::size_t>(n));
    }
}

/// A machine of its own: the test's thread stands in a network namespace "machine", with an uplink 198.51.100.1 to a namespace
/// "world" 198.51.100.2 that has no route back to instances.
class BridgeTest : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root: run the tests with sudo";
        folder_ = os::mkdtemp("/tmp/skerry-net-").value();
        home_ = os::open("/proc/thread-self/ns/net", O_RDONLY).value();
        ASSERT_TRUE(os::make_netns(folder_ + "/machine").has_value());
        ASSERT_TRUE(os::make_netns(folder_ + "/world").has_value());
        auto machine = os::open(folder_ + "/machine", O_RDONLY).value();
        ASSERT_EQ(::setns(machine.number(), CLONE_NEWNET), 0);
        inside_ = true;
        auto here = os::Rtnl::open().value();
        ASSERT_TRUE(here.set_up("lo").has_value());
        ASSERT_TRUE(here.add_veth("uplink", "other").has_value());
        ASSERT_TRUE(here.move("other", folder_ + "/world").has_value());
        ASSERT_TRUE(here.add_address("uplink", os::parse_ipv4("198.51.100.1").value(), 24).has_value());
        ASSERT_TRUE(here.set_up("uplink").has_value());
        ASSERT_TRUE(here.set_default_route(os::parse_ipv4("198.51.100.2").value()).has_value());
        auto world = os::Rtnl::open_in(folder_ + "/world").value();
        ASSERT_TRUE(world.set_up("lo").has_value());
        ASSERT_TRUE(world.add_address("other", os::parse_ipv4("198.51.100.2").value(), 24).has_value());
        ASSERT_TRUE(world.set_up("other").has_value());
        ASSERT_TRUE(os::mkdirs(folder_ + "/run").has_value());
        ASSERT_TRUE(os::mount("tmpfs", folder_ + "/run", "tmpfs", 0).has_value());
        ASSERT_TRUE(
            os::write_file_atomically(folder_ + "/resolv.conf", "nameserver 127.0.0.53\nnameserver 198.51.100.53\n").has_value());
    }

    void TearDown() override {
        for (const auto& id : servers_) EXPECT_TRUE(os::kill(id, SIGKILL).has_value());
        for (const auto& id : servers_) EXPECT_TRUE(os::wait_until_gone(id, 5s).has_value());
        if (inside_) {
            ASSERT_EQ(::setns(home_.number(), CLONE_NEWNET), 0);
        }
        if (folder_.empty()) return;
        EXPECT_TRUE(os::umount_beneath(folder_).has_value());
        EXPECT_TRUE(os::remove_tree(folder_).has_value());
    }

    BridgeNetwork::Options options() const {
        return {.state_folder = folder_ + "/state",
                .run_folder = folder_ + "/run/net",
                .prefix = "sk",
                .resolv_files = {folder_ + "/resolv.conf"}};
    }
    std::unique_ptr<BridgeNetwork> network() const { return BridgeNetwork::make(options()).value(); }
    std::string netns(const InstanceName& instance) const { return folder_ + "/run/net/netns/" + instance; }

    /// A program that answers each connection with `word`, and is ended with the test.
    void serve(const std::string& netns, int port, const std::string& word) {
        auto started = os::in_netns(netns, [&]() -> Result<void> {
            servers_.push_back(
                TRY(os::spawn_detached({.argv = {"busybox", "nc", "-ll", "-p", std::to_string(port), "-e", "/bin/echo", word}})));
            for (int i = 0; i < 400; ++i) {
                if (ask("127.0.0.1", port, 100ms) == word + "\n") return {};
                ::poll(nullptr, 0, 10);
            }
            return fail(Code::timeout, "the server does not answer in its own namespace");
        });
        ASSERT_TRUE(started.has_value()) << started.error().message;
    }
    std::string ask_from(const std::string& netns, const std::string& address, int port) {
        std::string said;
        auto asked = os::in_netns(netns, [&]() -> Result<void> {
            said = ask(address, port);
            return {};
        });
        EXPECT_TRUE(asked.has_value());
        return said;
    }
    static std::string plain(const Attachment& attachment) { return attachment.address.substr(0, attachment.address.find('/')); }

    /// A restart of the machine: processes, namespaces, links, rules and /run are gone; the disk stays.
    void reboot(BridgeNetwork& network) {
        for (const auto& id : servers_) EXPECT_TRUE(os::kill(id, SIGKILL).has_value());
        for (const auto& id : servers_) EXPECT_TRUE(os::wait_until_gone(id, 5s).has_value());
        servers_.clear();
        std::string saved = os::read_file(folder_ + "/state/network.json").value();
        ASSERT_TRUE(network.reset().has_value());
        ASSERT_TRUE(os::apply_nft("flush ruleset").has_value());
        ASSERT_TRUE(os::write_file("/proc/sys/net/ipv4/ip_forward", "0").has_value());
        ASSERT_TRUE(os::umount_beneath(folder_ + "/run").has_value());
        ASSERT_TRUE(os::mount("tmpfs", folder_ + "/run", "tmpfs", 0).has_value());
        ASSERT_TRUE(os::write_file_atomically(folder_ + "/state/network.json", saved).has_value());
    }

    std::string folder_;
    os::Fd home_;
    bool inside_ = false;
    std::vector<os::ProcessId> servers_;
};

} // namespace skerry::drivers::network
