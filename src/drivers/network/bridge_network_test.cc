#include "drivers/network/bridge_fixture.h"

#include <algorithm>
#include <gmock/gmock.h>

namespace skerry::drivers::network {
namespace {

using testing::HasSubstr;

#define ASSERT_GOOD(...)                                                                                                         \
    do {                                                                                                                         \
        const auto& outcome = (__VA_ARGS__);                                                                                     \
        ASSERT_TRUE(outcome.has_value()) << outcome.error().message;                                                             \
    } while (false)

Wish wish(const InstanceName& instance, std::vector<PublishedPort> ports = {}) {
    return {.instance = instance, .hostname = "host-" + instance, .ports = std::move(ports)};
}

TEST_F(BridgeTest, TheMachineHasWhatItTakes) { ASSERT_GOOD(network()->probe()); }

TEST_F(BridgeTest, APublishedPortAnswersEverywhere) {
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    auto a = net->connect(wish("aa", {{.host_port = 8080, .port = 80}}));
    ASSERT_GOOD(a);
    auto b = net->connect(wish("bb"));
    ASSERT_GOOD(b);
    EXPECT_EQ(a->nameservers, std::vector<std::string>{"198.51.100.53"});
    EXPECT_EQ(a->netns, netns("aa"));
    serve(netns("aa"), 80, "from-a");
    EXPECT_EQ(ask("127.0.0.1", 8080), "from-a\n") << "localhost";
    EXPECT_EQ(ask("198.51.100.1", 8080), "from-a\n") << "the machine's address, from the machine";
    EXPECT_EQ(ask(a->gateway, 8080), "from-a\n") << "the bridge's address, from the machine";
    EXPECT_EQ(ask(plain(*a), 80), "from-a\n") << "the instance's own address, from the machine";
    EXPECT_EQ(ask_from(folder_ + "/world", "198.51.100.1", 8080), "from-a\n") << "from outside";
    EXPECT_EQ(ask_from(netns("bb"), plain(*a), 80), "from-a\n") << "from another instance, directly";
    EXPECT_EQ(ask_from(netns("bb"), "198.51.100.1", 8080), "from-a\n") << "from another instance, by the machine's address";
    EXPECT_EQ(ask_from(netns("bb"), a->gateway, 8080), "from-a\n") << "from another instance, by the gateway";
    EXPECT_EQ(ask_from(netns("aa"), "198.51.100.1", 8080), "from-a\n") << "from itself, by the machine's address";
    EXPECT_EQ(ask("198.51.100.1", 80), "") << "not published under the inner number";
}

TEST_F(BridgeTest, AnswersAlsoWhereBridgedPacketsPassTheRules) {
    if (!os::write_file("/proc/sys/net/bridge/bridge-nf-call-iptables", "1")) GTEST_SKIP() << "no br_netfilter in this kernel";
    ASSERT_GOOD(os::apply_nft("table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }"));
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    auto a = net->connect(wish("aa", {{.host_port = 8080, .port = 80}}));
    ASSERT_GOOD(a);
    ASSERT_GOOD(net->connect(wish("bb")));
    serve(netns("aa"), 80, "from-a");
    EXPECT_EQ(ask("127.0.0.1", 8080), "from-a\n");
    EXPECT_EQ(ask_from(netns("bb"), plain(*a), 80), "from-a\n");
    EXPECT_EQ(ask_from(netns("bb"), "198.51.100.1", 8080), "from-a\n");
    EXPECT_EQ(ask_from(netns("aa"), "198.51.100.1", 8080), "from-a\n") << "hairpin";
    os::write_file("/proc/sys/net/bridge/bridge-nf-call-iptables", "0").value();
}

TEST_F(BridgeTest, InstancesGetOutButOthersNotIn) {
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    auto a = net->connect(wish("aa"));
    ASSERT_GOOD(a);
    serve(folder_ + "/world", 9000, "the-world");
    serve(netns("aa"), 80, "from-a");
    EXPECT_EQ(ask_from(netns("aa"), "198.51.100.2", 9000), "the-world\n");
    // A neighbour who adds a route to the instances still reaches published ports only.
    auto world = os::Rtnl::open_in(folder_ + "/world").value();
    ASSERT_GOOD(world.add_route(os::parse_subnet(a->gateway + "/24").value(), os::parse_ipv4("198.51.100.1").value()));
    EXPECT_EQ(ask_from(folder_ + "/world", plain(*a), 80), "");
    // Nor does route_localnet let an instance in to what listens on the machine's loopback.
    serve(folder_ + "/machine", 7000, "private");
    auto there = os::Rtnl::open_in(netns("aa")).value();
    ASSERT_GOOD(os::in_netns(netns("aa"), [&]() -> Result<void> {
        TRY_VOID(there.remove_address("lo", os::parse_ipv4("127.0.0.1").value(), 8));
        TRY_VOID(os::write_file("/proc/sys/net/ipv4/conf/eth0/route_localnet", "1"));
        return there.add_route(os::parse_subnet("127.0.0.0/8").value(), os::parse_ipv4(a->gateway).value());
    }));
    EXPECT_EQ(ask_from(netns("aa"), "127.0.0.1", 7000), "");
}

TEST_F(BridgeTest, UdpIsPublishedToo) {
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    ASSERT_GOOD(net->connect(wish("aa", {{.host_port = 5353, .port = 53, .protocol = PublishedPort::Protocol::udp}})));
    os::Fd server;
    auto bound = os::in_netns(netns("aa"), [&]() -> Result<void> {
        server = os::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(53);
        if (::bind(server.number(), reinterpret_cast<sockaddr*>(&at), sizeof at) < 0) return fail_errno("bind");
        return {};
    });
    ASSERT_GOOD(bound);
    os::Fd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(5353);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::sendto(client.number(), "hello", 5, 0, reinterpret_cast<sockaddr*>(&to), sizeof to), 5);
    ASSERT_GOOD(os::wait_for(server.number(), POLLIN, os::Deadline::after(2s).value()));
    char buffer[16];
    EXPECT_EQ(::recv(server.number(), buffer, sizeof buffer, 0), 5);
}

struct Firewall {
    const char* name;
    const char* rules;
    const char* chain; ///< as `nft list chain` wants it
};

class ForwardDropped : public BridgeTest, public testing::WithParamInterface<Firewall> {};

TEST_P(ForwardDropped, PublishedAndOutgoingPassAndResetLeavesTheirChainsAsTheyWere) {
    ASSERT_GOOD(os::apply_nft(GetParam().rules));
    auto chain = [&] {
        auto words = std::string(GetParam().chain);
        return os::run_well({.argv = {"sh", "-c", "nft list chain " + words}}).value();
    };
    std::string before = chain();
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    auto a = net->connect(wish("aa", {{.host_port = 8080, .port = 80}}));
    ASSERT_GOOD(a);
    ASSERT_GOOD(net->connect(wish("bb")));
    serve(netns("aa"), 80, "from-a");
    serve(folder_ + "/world", 9000, "the-world");
    EXPECT_THAT(chain(), HasSubstr("\"sk0\""));
    EXPECT_EQ(ask("127.0.0.1", 8080), "from-a\n");
    EXPECT_EQ(ask_from(folder_ + "/world", "198.51.100.1", 8080), "from-a\n");
    EXPECT_EQ(ask_from(netns("bb"), "198.51.100.1", 8080), "from-a\n");
    EXPECT_EQ(ask_from(netns("aa"), "198.51.100.1", 8080), "from-a\n");
    EXPECT_EQ(ask_from(netns("aa"), "198.51.100.2", 9000), "the-world\n");
    std::string once = chain();
    ASSERT_GOOD(net->adopt(std::vector<InstanceName>{"aa", "bb"}));
    EXPECT_EQ(chain(), once) << "repeated, nothing is added";
    // The other firewall comes after us and puts itself in front: the next adopt goes before it again.
    ASSERT_GOOD(os::apply_nft("insert rule " + std::string(GetParam().chain) + " iifname \"uplink\" drop"));
    EXPECT_EQ(ask_from(folder_ + "/world", "198.51.100.1", 8080), "");
    ASSERT_GOOD(network()->adopt(std::vector<InstanceName>{"aa", "bb"}));
    EXPECT_EQ(ask_from(folder_ + "/world", "198.51.100.1", 8080), "from-a\n");
    ASSERT_GOOD(net->reset());
    EXPECT_THAT(chain(), testing::Not(HasSubstr("\"sk0\"")));
    EXPECT_THAT(chain(), HasSubstr("uplink"));
    EXPECT_FALSE(before.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Firewalls, ForwardDropped,
    testing::Values(
        Firewall{"iptables", "table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }",
                 "ip filter FORWARD"},
        Firewall{"firewalld",
                 "table inet firewalld { chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept; "
                 "ct state established,related accept; reject with icmpx type admin-prohibited; }; }",
                 "inet firewalld filter_FORWARD"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST_F(BridgeTest, DockersChainsAndIptablesKeepWorking) {
    auto iptables = [](std::vector<std::string> words) {
        words.insert(words.begin(), "iptables-nft");
        return os::run_well({.argv = std::move(words)});
    };
    if (!iptables({"-S"})) GTEST_SKIP() << "no iptables-nft here";
    ASSERT_GOOD(iptables({"-P", "FORWARD", "DROP"}));
    ASSERT_GOOD(iptables({"-N", "DOCKER-USER"}));
    ASSERT_GOOD(iptables({"-A", "FORWARD", "-j", "DOCKER-USER"}));
    ASSERT_GOOD(iptables({"-A", "DOCKER-USER", "-m", "addrtype", "--dst-type", "LOCAL", "-j", "RETURN"}));
    std::string before = iptables({"-S"}).value();
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    ASSERT_GOOD(net->connect(wish("aa", {{.host_port = 8080, .port = 80}})));
    serve(netns("aa"), 80, "from-a");
    EXPECT_EQ(ask_from(folder_ + "/world", "198.51.100.1", 8080), "from-a\n");
    auto during_it = iptables({"-S", "FORWARD"});
    ASSERT_GOOD(during_it);
    EXPECT_THAT(*during_it, HasSubstr("-i sk0")) << "iptables still reads its own table";
    ASSERT_GOOD(net->reset());
    EXPECT_EQ(iptables({"-S"}).value(), before);
}

TEST_F(BridgeTest, OldIptablesWithPolicyDrop) {
    auto iptables = [](std::vector<std::string> words) {
        words.insert(words.begin(), "iptables-legacy");
        return os::run_well({.argv = std::move(words)});
    };
    auto policy = iptables({"-P", "FORWARD", "DROP"});
    if (!policy) GTEST_SKIP() << policy.error().message;
    std::string before = iptables({"-S"}).value();
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    ASSERT_GOOD(net->connect(wish("aa", {{.host_port = 8080, .port = 80}})));
    serve(netns("aa"), 80, "from-a");
    EXPECT_EQ(ask_from(folder_ + "/world", "198.51.100.1", 8080), "from-a\n");
    std::string once = iptables({"-S"}).value();
    ASSERT_GOOD(network()->adopt(std::vector<InstanceName>{"aa"}));
    EXPECT_EQ(iptables({"-S"}).value(), once);
    ASSERT_GOOD(net->reset());
    EXPECT_EQ(iptables({"-S"}).value(), before);
}

TEST_F(BridgeTest, TakenPortsNameTheirOwner) {
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    ASSERT_GOOD(net->connect(wish("aa", {{.host_port = 8080, .port = 80}})));
    auto second = net->connect(wish("bb", {{.host_port = 8080, .port = 81}}));
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Code::exists);
    EXPECT_THAT(second.error().message, HasSubstr("8080/tcp"));
    EXPECT_THAT(second.error().message, HasSubstr("host-aa"));
    EXPECT_FALSE(os::exists(netns("bb")).value()) << "nothing of a refused wish is made";
    EXPECT_TRUE(
        net->connect(wish("bb", {{.host_port = 8080, .port = 81, .protocol = PublishedPort::Protocol::udp}})).has_value());

    serve(folder_ + "/machine", 9090, "mine");
    auto third = net->connect(wish("cc", {{.host_port = 9090, .port = 80}}));
    ASSERT_FALSE(third.has_value());
    EXPECT_EQ(third.error().code, Code::exists);
    EXPECT_THAT(third.error().message, HasSubstr("9090/tcp"));
    EXPECT_THAT(third.error().message, HasSubstr("busybox (pid " + std::to_string(servers_.back().pid)));

    auto others = options();
    others.prefix = "tk";
    others.state_folder += "2";
    others.run_folder += "2";
    auto other = BridgeNetwork::make(others).value();
    ASSERT_GOOD(other->adopt({}));
    auto fourth = other->connect(wish("dd", {{.host_port = 8080, .port = 80}}));
    ASSERT_FALSE(fourth.has_value());
    EXPECT_THAT(fourth.error().message, HasSubstr("skerry_sk"));
    auto beside = other->connect(wish("dd", {{.host_port = 8081, .port = 80}}));
    ASSERT_GOOD(beside);
    EXPECT_NE(beside->gateway, net->connect(wish("aa", {{.host_port = 8080, .port = 80}}))->gateway) << "nodes side by side";
    ASSERT_GOOD(other->reset());

    EXPECT_EQ(net->connect(wish("cc", {{.host_port = 0, .port = 80}})).error().code, Code::invalid);
    EXPECT_EQ(net->connect(wish("cc", {{.host_port = 5, .port = 80}, {.host_port = 5, .port = 81}})).error().code, Code::invalid);
    EXPECT_EQ(net->connect(wish("../cc")).error().code, Code::invalid);
    ASSERT_GOOD(net->disconnect("aa"));
    ASSERT_GOOD(net->connect(wish("cc", {{.host_port = 8080, .port = 80}})));
}

TEST_F(BridgeTest, RepeatedCallsGiveTheSameAnswerAlsoFromALaterProcess) {
    auto first = network();
    ASSERT_GOOD(first->adopt({}));
    Wish wanted = wish("aa", {{.host_port = 8080, .port = 80}});
    auto a = first->connect(wanted);
    ASSERT_GOOD(a);
    serve(netns("aa"), 80, "from-a");
    EXPECT_EQ(first->connect(wanted)->address, a->address);
    auto second = network();
    EXPECT_EQ(second->adopt(std::vector<InstanceName>{"aa"}).value(), std::vector<InstanceName>{"aa"});
    EXPECT_EQ(second->connect(wanted)->address, a->address);
    EXPECT_EQ(ask("127.0.0.1", 8080), "from-a\n");
    // Another port for a running instance.
    ASSERT_GOOD(second->connect(wish("aa", {{.host_port = 8181, .port = 80}})));
    EXPECT_EQ(ask("127.0.0.1", 8181), "from-a\n");
    EXPECT_EQ(ask("127.0.0.1", 8080), "");
    ASSERT_GOOD(second->disconnect("aa"));
    ASSERT_GOOD(second->disconnect("aa"));
    ASSERT_GOOD(second->disconnect("never-was"));
    EXPECT_TRUE(network()->adopt(std::vector<InstanceName>{"aa"})->empty());
}

TEST_F(BridgeTest, AfterARebootAddressesAreTheSameAndPortsWorkAgain) {
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    Wish wanted_b = wish("bb", {{.host_port = 8080, .port = 80}});
    ASSERT_GOOD(net->connect(wish("aa")));
    auto b = net->connect(wanted_b);
    ASSERT_GOOD(b);
    reboot(*net);
    auto later = network();
    EXPECT_TRUE(later->adopt(std::vector<InstanceName>{"bb", "aa"})->empty());
    auto again = later->connect(wanted_b);
    ASSERT_GOOD(again);
    EXPECT_EQ(again->address, b->address);
    serve(netns("bb"), 80, "from-b");
    EXPECT_EQ(ask("127.0.0.1", 8080), "from-b\n");

    // Meanwhile the machine got a route to our subnet: after the next reboot the instances move out of its way.
    reboot(*later);
    ASSERT_GOOD(
        os::Rtnl::open()->add_route(os::parse_subnet(b->gateway + "/20").value(), os::parse_ipv4("198.51.100.2").value()));
    auto moved = network();
    ASSERT_GOOD(moved->adopt(std::vector<InstanceName>{"bb", "aa"}));
    auto elsewhere = moved->connect(wanted_b);
    ASSERT_GOOD(elsewhere);
    EXPECT_NE(elsewhere->gateway, b->gateway);
    serve(netns("bb"), 80, "from-b");
    EXPECT_EQ(ask("127.0.0.1", 8080), "from-b\n");
    // But while one lives, they stay.
    ASSERT_GOOD(os::Rtnl::open()->add_route(os::parse_subnet(elsewhere->gateway + "/16").value(),
                                            os::parse_ipv4("198.51.100.2").value()));
    ASSERT_GOOD(network()->adopt(std::vector<InstanceName>{"bb", "aa"}));
    EXPECT_EQ(network()->connect(wanted_b)->address, elsewhere->address);
    EXPECT_EQ(ask("127.0.0.1", 8080), "from-b\n");
}

TEST_F(BridgeTest, WhatSomebodyBrokeIsRepairedByAdopt) {
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    Wish wanted = wish("aa", {{.host_port = 8080, .port = 80}});
    auto a = net->connect(wanted);
    ASSERT_GOOD(a);
    serve(netns("aa"), 80, "from-a");
    auto here = os::Rtnl::open().value();
    std::vector<InstanceName> one{"aa"};
    auto answers_after_adopt = [&](const char* what) {
        auto adopted = network()->adopt(one);
        ASSERT_TRUE(adopted.has_value()) << what << ": " << adopted.error().message;
        EXPECT_EQ(*adopted, one) << what;
        EXPECT_EQ(ask("127.0.0.1", 8080), "from-a\n") << what;
    };
    ASSERT_GOOD(os::apply_nft("flush ruleset"));
    answers_after_adopt("rules flushed");
    ASSERT_GOOD(here.remove_link("sk0"));
    answers_after_adopt("bridge removed");
    ASSERT_GOOD(here.remove_link(Names{"sk"}.veth(os::parse_ipv4(plain(*a)).value())));
    answers_after_adopt("veth removed");
    ASSERT_GOOD(os::write_file("/proc/sys/net/ipv4/ip_forward", "0"));
    answers_after_adopt("forwarding off");
    ASSERT_GOOD(os::write_file("/proc/sys/net/ipv4/conf/sk0/route_localnet", "0"));
    answers_after_adopt("route_localnet off");
    ASSERT_GOOD(os::write_file(folder_ + "/state/network.json", "{\"vers"));
    ASSERT_GOOD(network()->adopt(one));
    EXPECT_EQ(network()->adopt(one).value(), one) << "a damaged file costs no connection";
    ASSERT_GOOD(network()->connect(wanted));
    EXPECT_EQ(network()->connect(wanted)->address, a->address);
    EXPECT_EQ(ask("127.0.0.1", 8080), "from-a\n");
    ASSERT_GOOD(os::write_file_atomically(folder_ + "/state/network.json", "{\"version\": 99}"));
    EXPECT_EQ(network()->adopt(one).error().code, Code::unsupported);
}

/// Ends calls at the n-th step, as kill -9 there would.
struct Crash {
    int left;
    Result<void> operator()(std::string_view step) {
        if (left-- == 0) return fail(Code::cancelled, "crash before " + std::string(step));
        return {};
    }
};

TEST_F(BridgeTest, ACrashBeforeAnyStepOfConnectOrDisconnectIsRepaired) {
    int steps = 0;
    for (int at = 0;; ++at, ++steps) {
        ASSERT_LT(at, 60) << "the steps do not end";
        auto crashing = options();
        auto crash = std::make_shared<Crash>(at);
        crashing.before = [crash](std::string_view step) { return (*crash)(step); };
        auto doomed = BridgeNetwork::make(crashing).value();
        Wish wanted = wish("aa", {{.host_port = 8080, .port = 80}});
        bool whole = doomed->adopt({}).has_value() && doomed->connect(wanted).has_value() && doomed->disconnect("aa").has_value();
        doomed.reset();

        // Whoever comes next may still want it…
        auto next = network();
        auto adopted = next->adopt(std::vector<InstanceName>{"aa"});
        ASSERT_TRUE(adopted.has_value()) << "step " << at << ": " << adopted.error().message;
        auto a = next->connect(wanted);
        ASSERT_TRUE(a.has_value()) << "step " << at << ": " << a.error().message;
        serve(netns("aa"), 80, "from-a");
        EXPECT_EQ(ask("127.0.0.1", 8080), "from-a\n") << "step " << at;
        // …or not.
        auto last = network();
        auto none = last->adopt({});
        ASSERT_TRUE(none.has_value() && none->empty()) << "step " << at;
        EXPECT_EQ(ask("127.0.0.1", 8080), "") << "step " << at;
        auto links = os::Rtnl::open()->links().value();
        EXPECT_EQ(std::ranges::count_if(links, [](const os::Link& link) { return link.name.starts_with("sk-"); }), 0)
            << "step " << at;
        EXPECT_TRUE(os::list(folder_ + "/run/net/netns")->empty()) << "step " << at;
        for (const auto& id : servers_) ASSERT_GOOD(os::kill(id, SIGKILL));
        for (const auto& id : servers_) ASSERT_GOOD(os::wait_until_gone(id, 5s));
        servers_.clear();
        ASSERT_GOOD(last->reset());
        if (whole) break;
    }
    EXPECT_GT(steps, 8);
}

TEST_F(BridgeTest, ACrashBeforeAnyStepOfResetIsRepairedByTheNextAndNothingIsLeft) {
    ASSERT_GOOD(os::apply_nft("table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }"));
    std::string before = os::run_well({.argv = {"nft", "list", "ruleset"}}).value();
    for (int at = 0;; ++at) {
        ASSERT_LT(at, 60);
        auto net = network();
        ASSERT_GOOD(net->adopt({}));
        ASSERT_GOOD(net->connect(wish("aa", {{.host_port = 8080, .port = 80}})));
        ASSERT_GOOD(net->connect(wish("bb")));
        auto crashing = options();
        auto crash = std::make_shared<Crash>(at);
        crashing.before = [crash](std::string_view step) { return (*crash)(step); };
        bool whole = BridgeNetwork::make(crashing).value()->reset().has_value();
        ASSERT_GOOD(network()->reset());
        EXPECT_EQ(os::run_well({.argv = {"nft", "list", "ruleset"}}).value(), before) << "step " << at;
        auto links = os::Rtnl::open()->links().value();
        for (const auto& link : links) EXPECT_FALSE(link.name.starts_with("sk")) << link.name;
        EXPECT_EQ(os::mounts_beneath(folder_ + "/run")->size(), 1u);
        EXPECT_TRUE(os::list(folder_ + "/state")->empty());
        if (whole) break;
    }
}

TEST_F(BridgeTest, ConnectionsNotWantedAreTakenDownWhileOthersGoOn) {
    auto net = network();
    ASSERT_GOOD(net->adopt({}));
    auto a = net->connect(wish("aa", {{.host_port = 8080, .port = 80}}));
    ASSERT_GOOD(a);
    ASSERT_GOOD(net->connect(wish("bb", {{.host_port = 8081, .port = 80}})));
    serve(netns("aa"), 80, "from-a");
    auto later = network();
    EXPECT_EQ(later->adopt(std::vector<InstanceName>{"aa", "zz"}).value(), std::vector<InstanceName>{"aa"});
    EXPECT_FALSE(os::exists(netns("bb")).value());
    EXPECT_EQ(ask("127.0.0.1", 8080), "from-a\n");
    ASSERT_GOOD(later->connect(wish("cc", {{.host_port = 8081, .port = 80}})));
}

TEST_F(BridgeTest, WhatOthersTakeAwayIsMadeAnew) {
    using testing::ElementsAre;
    auto net = network();
    EXPECT_THAT(net->repair().value(), ElementsAre()) << "nobody has asked for anything yet";
    ASSERT_GOOD(net->adopt({}));
    auto a = net->connect(wish("aa", {{.host_port = 8080, .port = 80}}));
    ASSERT_GOOD(a);
    serve(netns("aa"), 80, "from-a");
    auto here = os::Rtnl::open().value();
    std::string veth;
    const auto links = here.links().value();
    for (const auto& link : links)
        if (link.name.starts_with("sk-")) veth = link.name;
    auto mended = [&](auto matcher, const char* after) {
        auto made = net->repair();
        ASSERT_GOOD(made);
        EXPECT_THAT(*made, matcher) << after;
        EXPECT_THAT(net->repair().value(), ElementsAre()) << after << ", a moment later";
        EXPECT_EQ(ask("127.0.0.1", 8080), "from-a\n") << after;
        EXPECT_EQ(ask_from(folder_ + "/world", "198.51.100.1", 8080), "from-a\n") << after;
    };
    mended(ElementsAre(), "nothing");
    ASSERT_GOOD(os::apply_nft("flush ruleset"));
    EXPECT_EQ(ask("127.0.0.1", 8080), "");
    mended(ElementsAre("rules (table ip skerry_sk)"), "flush of all rules");
    ASSERT_GOOD(os::apply_nft("flush chain ip skerry_sk published"));
    mended(ElementsAre("rules (table ip skerry_sk)"), "flush of one chain");
    ASSERT_GOOD(here.remove_link(veth));
    mended(ElementsAre("link " + veth + " of host-aa"), "removal of a link");
    ASSERT_GOOD(here.remove_link("sk0"));
    mended(ElementsAre("bridge sk0", "link " + veth + " of host-aa"), "removal of the bridge");
    ASSERT_GOOD(os::write_file("/proc/sys/net/ipv4/ip_forward", "0"));
    mended(ElementsAre("forwarding (net.ipv4.ip_forward)"), "no forwarding");
    ASSERT_GOOD(os::apply_nft("table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }"));
    mended(ElementsAre(), "a firewall that came later");
}

} // namespace
} // namespace skerry::drivers::network
