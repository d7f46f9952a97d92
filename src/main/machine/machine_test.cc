#include "main/machine/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::main {
namespace {

TEST(Machine, is_reached_over_every_link_but_its_own_inner_ones) {
    os::Link loopback{.index = 1, .name = "lo"}, wire{.index = 2, .name = "eth0"},
        uplink{.index = 3, .name = "vmbr0", .kind = "bridge"}, ours{.index = 4, .name = "skerry0", .kind = "bridge"},
        veth{.index = 5, .name = "skerry-2", .kind = "veth"};
    std::vector<os::Link> links{loopback, wire, uplink, ours, veth};
    auto at = [](int link, const char* address) {
        os::LinkAddress found;
        found.link = link;
        found.address = *os::parse_ipv4(address);
        return found;
    };
    auto local = at(1, "127.0.0.1"), wired = at(2, "192.0.2.7"), bridged = at(3, "198.51.100.7"), inner = at(4, "10.213.0.1");
    EXPECT_THAT(reachable(links, std::vector{local, bridged, inner, wired}, "skerry"),
                testing::ElementsAre("192.0.2.7", "198.51.100.7"));
    // A hypervisor, whose only way out is a bridge.
    EXPECT_THAT(reachable(links, std::vector{local, bridged, inner}, "skerry"), testing::ElementsAre("198.51.100.7"));
    EXPECT_THAT(reachable(links, std::vector{inner}, "other"), testing::ElementsAre("10.213.0.1")) << "not ours";
}

} // namespace
} // namespace skerry::main
