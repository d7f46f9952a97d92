#include "os/listeners.h"
#include "os/netlink.h"
#include "os/netns.h"
#include "os/nft.h"
#include "os/os_fixture.h"
#include "os/process.h"

#include <algorithm>
#include <arpa/inet.h>
#include <sys/socket.h>

namespace skerry::os {
namespace {

TEST(Ipv4, TextAndSubnets) {
    EXPECT_EQ(text(parse_ipv4("10.0.255.1").value()), "10.0.255.1");
    for (const char* bad : {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", " 1.2.3.4", "::1", "1.2.3.4/8"})
        EXPECT_FALSE(parse_ipv4(bad).has_value()) << bad;
    EXPECT_EQ(text(parse_subnet("10.1.2.3/8").value()), "10.0.0.0/8");
    for (const char* bad : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "/8"})
        EXPECT_FALSE(parse_subnet(bad).has_value()) << bad;
    auto ten = parse_subnet("10.0.0.0/8").value();
    EXPECT_TRUE(ten.overlaps(parse_subnet("10.3.0.0/16").value()));
    EXPECT_TRUE(parse_subnet("10.3.0.0/16")->overlaps(ten));
    EXPECT_FALSE(ten.overlaps(parse_subnet("11.0.0.0/16").value()));
    EXPECT_TRUE(parse_subnet("0.0.0.0/0")->overlaps(ten));
}

TEST(Listeners, OnlyWaitingSocketsCount) {
    constexpr std::string_view head =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    auto tcp = parse_listeners(
        std::string(head) + "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 77 1\n"
                            "   1: 0100007F:1F91 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 78 1\n"
                            "   2: garbage\n",
        Transport::tcp);
    ASSERT_EQ(tcp.size(), 1u);
    EXPECT_EQ(tcp[0].port, 8080);
    EXPECT_EQ(tcp[0].inode, 77u);
    auto udp = parse_listeners("   0: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 "
                               "00000000:00000000 00:00000000 00000000 0 0 79 2 0 0\n"
                               "   1: 0100007F:0036 0100007F:0035 01 00000000:00000000 00:00000000 00000000 0 0 80 2 0 0\n",
                               Transport::udp);
    ASSERT_EQ(udp.size(), 1u);
    EXPECT_EQ(udp[0].port, 53);
}

TEST(Listeners, OwnerIsNamed) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::listen(socket.number(), 1), 0);
    sockaddr_in at{};
    socklen_t size = sizeof at;
    ASSERT_EQ(::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&at), &size), 0);
    auto all = listeners(Transport::tcp).value();
    auto mine = std::ranges::find(all, ntohs(at.sin_port), &Listener::port);
    ASSERT_NE(mine, all.end());
    EXPECT_EQ(owner_of_socket(mine->inode), "os_test (pid " + std::to_string(::getpid()) + ")");
    EXPECT_EQ(owner_of_socket(1), "another process");
}

class NetlinkAsRoot : public RootTest {
protected:
    void SetUp() override {
        RootTest::SetUp();
        if (IsSkipped()) return;
        ASSERT_TRUE(make_netns(folder_ + "/a").has_value());
        ASSERT_TRUE(make_netns(folder_ + "/b").has_value());
    }
};

TEST_F(NetlinkAsRoot, NamespacesAreMadeOnceAndGoWithoutATrace) {
    EXPECT_TRUE(is_netns(folder_ + "/a").value());
    auto before = readlink("/proc/thread-self/ns/net").value();
    std::string inside;
    ASSERT_TRUE(in_netns(folder_ + "/a", [&]() -> Result<void> {
                    inside = TRY(readlink("/proc/thread-self/ns/net"));
                    return {};
                }).has_value());
    EXPECT_NE(inside, before);
    EXPECT_EQ(readlink("/proc/thread-self/ns/net").value(), before);
    EXPECT_EQ(in_netns(folder_ + "/a", [] { return Result<void>(fail(Code::timeout, "x")); }).error().code, Code::timeout);
    EXPECT_EQ(readlink("/proc/thread-self/ns/net").value(), before) << "also after an error";
    ASSERT_TRUE(make_netns(folder_ + "/a").has_value());
    EXPECT_EQ(mounts_beneath(folder_ + "/a")->size(), 1u);
    ASSERT_TRUE(remove_netns(folder_ + "/a").has_value());
    ASSERT_TRUE(remove_netns(folder_ + "/a").has_value());
    EXPECT_FALSE(exists(folder_ + "/a").value());
    // A plain file where a crash came between making it and mounting.
    ASSERT_TRUE(write_file_atomically(folder_ + "/c", "").has_value());
    EXPECT_FALSE(is_netns(folder_ + "/c").value());
    ASSERT_TRUE(make_netns(folder_ + "/c").has_value());
    EXPECT_TRUE(is_netns(folder_ + "/c").value());
    EXPECT_EQ(Rtnl::open_in(folder_ + "/none").error().code, Code::not_found);
}

TEST_F(NetlinkAsRoot, LinksAddressesAndRoutes) {
    auto a = Rtnl::open_in(folder_ + "/a").value();
    auto b = Rtnl::open_in(folder_ + "/b").value();
    ASSERT_TRUE(a.add_bridge("br0", {2, 0, 0, 0, 0, 1}).has_value());
    EXPECT_EQ(a.add_bridge("br0", {2, 0, 0, 0, 0, 1}).error().code, Code::exists);
    auto bridge = a.link("br0").value();
    EXPECT_EQ(bridge.kind, "bridge");
    EXPECT_TRUE(bridge.up);
    ASSERT_TRUE(a.add_veth("v0", "br0", {.netns = folder_ + "/b", .name = "eth0", .mac = {2, 0, 0, 0, 0, 2}}, 1400).has_value());
    auto outer = a.link("v0").value();
    auto inner = b.link("eth0").value();
    EXPECT_EQ(outer.master, bridge.index);
    EXPECT_EQ(outer.peer, inner.index);
    EXPECT_EQ(inner.mtu, 1400u);
    auto address = parse_ipv4("10.0.0.2").value();
    ASSERT_TRUE(b.add_address("eth0", address, 24).has_value());
    ASSERT_TRUE(b.add_address("eth0", address, 24).has_value());
    ASSERT_TRUE(b.set_up("eth0").has_value());
    ASSERT_TRUE(b.set_default_route(parse_ipv4("10.0.0.1").value()).has_value());
    ASSERT_TRUE(b.set_default_route(parse_ipv4("10.0.0.3").value()).has_value());
    auto routes = b.routes().value();
    EXPECT_EQ(std::ranges::count(routes, 0, [](const Route& route) { return route.destination.bits; }), 1);
    EXPECT_EQ(std::ranges::count(routes, parse_subnet("10.0.0.0/24").value(), &Route::destination), 1);
    auto addresses = b.addresses().value();
    ASSERT_EQ(std::ranges::count(addresses, address, &LinkAddress::address), 1);
    ASSERT_TRUE(b.remove_address("eth0", address, 24).has_value());
    ASSERT_TRUE(b.remove_address("eth0", address, 24).has_value());
    ASSERT_TRUE(a.remove_link("v0").has_value());
    ASSERT_TRUE(a.remove_link("v0").has_value());
    EXPECT_EQ(b.link("eth0").error().code, Code::not_found);
    // libnl would cut this to fifteen characters and work on another link.
    EXPECT_EQ(a.remove_link("br0-and-much-more-than-fits").error().code, Code::invalid);
    EXPECT_EQ(a.link("").error().code, Code::invalid);
}

TEST_F(NetlinkAsRoot, RulesAreAppliedWholeOrNotAtAll) {
    auto tried = in_netns(folder_ + "/a", [&]() -> Result<void> {
        TRY_VOID(apply_nft("table ip t { chain c { }; }"));
        auto bad = apply_nft("table ip u { }\nadd rule ip t absent accept");
        EXPECT_FALSE(bad.has_value());
        EXPECT_EQ(list_nft({"table", "ip", "u"}).error().code, Code::not_found);
        auto syntax = apply_nft("nonsense");
        EXPECT_NE(syntax.error().message.find("nft: "), std::string::npos);
        auto listed = TRY(list_nft({"table", "ip", "t"}));
        EXPECT_TRUE(std::ranges::any_of(listed, [](const Json& item) { return item.at({"chain"}).text("name") == "c"; }));
        return {};
    });
    ASSERT_TRUE(tried.has_value()) << tried.error().message;
}

} // namespace
} // namespace skerry::os
