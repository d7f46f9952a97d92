#include "drivers/network/rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::drivers::network {
namespace {

using testing::HasSubstr;
const Names names{"sk"};

Json::Array array(std::string_view text) { return *parse_json(text).value().array_items(); }

TEST(Rules, OwnTableIsReplacedWholeAndHoldsEachPort) {
    AddressBook book;
    book.move_to(os::parse_subnet("10.213.7.0/24").value());
    (void)book.assign(
        {.instance = "aa",
         .hostname = {},
         .ports = {{.host_port = 8080, .port = 80}, {.host_port = 53, .port = 5353, .protocol = PublishedPort::Protocol::udp}}});
    std::string text = own_table(names, book);
    EXPECT_TRUE(text.starts_with("table ip skerry_sk { }\ndelete table ip skerry_sk\n"));
    EXPECT_THAT(text, HasSubstr("tcp dport 8080 dnat to 10.213.7.2:80 comment \"aa\""));
    EXPECT_THAT(text, HasSubstr("udp dport 53 dnat to 10.213.7.2:5353"));
    EXPECT_THAT(text, HasSubstr("ip saddr 10.213.7.0/24 oifname != \"sk0\" masquerade"));
}

TEST(Rules, OnlyOthersForwardFiltersAreLookedAt) {
    auto found = forward_chains(array(R"([
        {"metainfo": {}},
        {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
        {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER"}},
        {"chain": {"family": "inet", "table": "firewalld", "name": "filter_FORWARD", "type": "filter", "hook": "forward", "policy": "accept"}},
        {"chain": {"family": "bridge", "table": "x", "name": "y", "type": "filter", "hook": "forward", "policy": "drop"}},
        {"chain": {"family": "ip", "table": "skerry_tk", "name": "forward", "type": "filter", "hook": "forward", "policy": "accept"}},
        {"chain": {"family": "ip", "table": "odd; flush ruleset", "name": "y", "type": "filter", "hook": "forward", "policy": "drop"}},
        {"chain": {"family": "ip", "table": "nat", "name": "post", "type": "nat", "hook": "postrouting", "policy": "accept"}}])"));
    ASSERT_EQ(found.size(), 2u);
    EXPECT_EQ(found[0].name, "FORWARD");
    EXPECT_TRUE(found[0].drops);
    EXPECT_EQ(found[1].table, "firewalld");
    EXPECT_FALSE(found[1].drops);
}

TEST(Rules, ForeignChainIsOpenedOnceOnTopAndClosedAgain) {
    ForeignChain chain{.family = "inet", .table = "t", .name = "c", .drops = true};
    std::string opened = open_chain(names, chain, {}, Opening::wanted);
    EXPECT_EQ(std::ranges::count(opened, '\n'), 3);
    EXPECT_LT(opened.find("established"), opened.find("iifname")) << "inserted last, it ends on top";
    auto ours = [](int handle) {
        return R"({"rule": {"table": "t", "chain": "c", "handle": )" + std::to_string(handle) +
               R"(, "comment": "skerry_sk", "expr": []}})";
    };
    std::string theirs = R"({"rule": {"table": "t", "chain": "c", "handle": 9, "expr": []}})";
    std::string three = ours(1) + "," + ours(2) + "," + ours(3);
    EXPECT_EQ(open_chain(names, chain, array("[" + three + "," + theirs + "]"), Opening::wanted), "");
    std::string buried = open_chain(names, chain, array("[" + theirs + "," + three + "]"), Opening::wanted);
    EXPECT_THAT(buried, HasSubstr("delete rule inet t c handle 3\n"));
    EXPECT_THAT(buried, HasSubstr("insert rule inet t c iifname"));
    EXPECT_EQ(open_chain(names, chain, array("[" + ours(4) + "," + theirs + "]"), Opening::unwanted),
              "delete rule inet t c handle 4\n");
    chain.drops = false;
    EXPECT_EQ(open_chain(names, chain, {}, Opening::wanted), "") << "what accepts everything is left alone";
    EXPECT_NE(open_chain(names, chain, array("[" + theirs + "]"), Opening::wanted), "");
}

TEST(Rules, IptablesChainTheSameWay) {
    EXPECT_TRUE(open_iptables_chain(names, "-P FORWARD ACCEPT\n", Opening::wanted).empty());
    auto opened = open_iptables_chain(names, "-P FORWARD DROP\n", Opening::wanted);
    ASSERT_EQ(opened.size(), 3u);
    EXPECT_EQ(opened[0][2], "1");
    EXPECT_EQ(opened[0][4], "sk0");
    std::string listing = "-P FORWARD DROP\n";
    for (const auto& words : opened) {
        listing += "-A FORWARD";
        for (std::size_t i = 3; i < words.size(); ++i) listing += " " + words[i];
        listing += "\n";
    }
    EXPECT_TRUE(open_iptables_chain(names, listing + "-A FORWARD -j DOCKER-USER\n", Opening::wanted).empty());
    EXPECT_EQ(open_iptables_chain(names, listing, Opening::unwanted).size(), 3u);
    EXPECT_EQ(open_iptables_chain(names, "-P FORWARD DROP\n-A FORWARD -j X\n" + listing, Opening::wanted).size(), 6u);
}

TEST(Rules, VethNamesAreToldApart) {
    EXPECT_TRUE(names.is_veth("sk-12"));
    for (const char* other : {"sk0", "sk-", "sk-1a", "tk-12", "sk0-12"}) EXPECT_FALSE(names.is_veth(other)) << other;
}

} // namespace
} // namespace skerry::drivers::network
