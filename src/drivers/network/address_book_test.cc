#include "drivers/network/address_book.h"
#include "drivers/network/nameservers.h"

#include <gtest/gtest.h>
#include <set>

namespace skerry::drivers::network {
namespace {

Wish asking(const InstanceName& instance, std::vector<PublishedPort> ports = {}) {
    return {.instance = instance, .hostname = "h", .ports = std::move(ports)};
}
os::Subnet subnet(const char* text) { return os::parse_subnet(text).value(); }

TEST(AddressBook, TextComesBackAsItWas) {
    AddressBook book;
    EXPECT_EQ(AddressBook::parse(book.text()).value(), book);
    book.move_to(subnet("10.1.2.0/24"));
    (void)book.assign(
        asking("aa", {{.host_port = 80, .port = 8080}, {.host_port = 53, .port = 53, .protocol = PublishedPort::Protocol::udp}}));
    (void)book.assign(asking("bb"));
    book.release("aa");
    (void)book.assign(asking("cc", {{.host_port = 1, .port = 2}}));
    EXPECT_EQ(AddressBook::parse(book.text()).value(), book);
}

TEST(AddressBook, DamagedTextIsRefusedNeverHalfRead) {
    for (
        const char* bad :
        {"", "{", "[]", "{}", R"({"version":1})", R"({"version":1,"subnet":"x","instances":{}})",
         R"({"version":1,"subnet":"10.0.0.0/31","instances":{}})",
         R"({"version":1,"subnet":"","instances":{"a":{"address":"10.0.0.2","ports":[]}}})",
         R"({"version":1,"subnet":"10.0.0.0/24","instances":{"a":{"address":"10.0.1.2","ports":[]}}})",
         R"({"version":1,"subnet":"10.0.0.0/24","instances":{"a":{"address":"10.0.0.2","ports":[{"hostPort":70000,"port":1}]}}})",
         R"({"version":1,"subnet":"10.0.0.0/24","instances":{"a":{"address":"10.0.0.2","ports":[]},"b":{"address":"10.0.0.2","ports":[]}}})"})
        EXPECT_EQ(AddressBook::parse(bad).error().code, Code::corrupt) << bad;
    EXPECT_EQ(AddressBook::parse(R"({"version":2})").error().code, Code::unsupported);
}

TEST(AddressBook, AddressesAreDistinctAndEndAndFreedOnesComeLast) {
    AddressBook book;
    book.move_to(subnet("10.0.0.0/28"));
    std::set<os::Ipv4> seen;
    for (int i = 0; i < 13; ++i) {
        auto entry = book.assign(asking(std::to_string(i)));
        ASSERT_TRUE(entry.has_value()) << i;
        EXPECT_TRUE(seen.insert(entry->address).second);
        EXPECT_NE(entry->address, book.gateway());
        EXPECT_NE(os::text(entry->address), "10.0.0.15");
        EXPECT_NE(os::text(entry->address), "10.0.0.0");
    }
    auto none = book.assign(asking("one more"));
    EXPECT_EQ(none.error().code, Code::exhausted);
    EXPECT_EQ(book.assign(asking("3"))->address, book.find("3")->address);
    book.release("3");
    EXPECT_TRUE(book.assign(asking("one more")).has_value());

    AddressBook fresh;
    fresh.move_to(subnet("10.0.0.0/24"));
    auto first = fresh.assign(asking("a"))->address;
    fresh.release("a");
    EXPECT_NE(fresh.assign(asking("b"))->address, first);
}

TEST(AddressBook, MovingKeepsInstancesAndPorts) {
    AddressBook book;
    book.move_to(subnet("10.0.0.0/24"));
    (void)book.assign(asking("a", {{.host_port = 80, .port = 80}}));
    book.move_to(subnet("10.0.9.0/24"));
    EXPECT_EQ(os::text(book.find("a")->address), "10.0.9.2");
    EXPECT_EQ(*book.holder({.host_port = 80, .port = 1}, "b"), "a");
    EXPECT_EQ(book.holder({.host_port = 80, .port = 1}, "a"), nullptr);
    EXPECT_EQ(book.holder({.host_port = 80, .port = 1, .protocol = PublishedPort::Protocol::udp}, "b"), nullptr);
}

TEST(ChooseSubnet, TakesTheFirstThatOverlapsNothing) {
    std::vector<os::Subnet> candidates{subnet("10.213.0.0/16"), subnet("172.29.0.0/25")};
    EXPECT_EQ(choose_subnet(candidates, {}).value(), subnet("10.213.0.0/24"));
    EXPECT_EQ(choose_subnet(candidates, {subnet("10.213.0.64/32"), subnet("10.213.1.0/24")}).value(), subnet("10.213.2.0/24"));
    EXPECT_EQ(choose_subnet(candidates, {subnet("10.0.0.0/8")}).value(), subnet("172.29.0.0/25"));
    EXPECT_EQ(choose_subnet(candidates, {subnet("10.0.0.0/8"), subnet("172.16.0.0/12")}).error().code, Code::exhausted);
}

TEST(Nameservers, LoopbackAndIpv6OnesAreSkipped) {
    EXPECT_EQ(reachable_nameservers("# x\nnameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\nsearch a\n "
                                    "nameserver\t10.0.0.1 \nnameserver 10.0.0.1\n"
                                    "nameserver 10.0.0.2\nnameserver nonsense\nnameserver 10.0.0.3\nnameserver 10.0.0.4"),
              (std::vector<std::string>{"10.0.0.1", "10.0.0.2", "10.0.0.3"}));
    EXPECT_TRUE(reachable_nameservers("").empty());
    EXPECT_TRUE(nameservers_of({"/nonexistent"}).empty());
}

} // namespace
} // namespace skerry::drivers::network
