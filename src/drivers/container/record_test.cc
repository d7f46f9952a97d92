#include "drivers/container/record.h"

#include "drivers/container/bundle.h"
#include "drivers/container/paths.h"
#include "os/files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace skerry::drivers::container {
namespace {

TEST(Record, ComesBackFromItsHandle) {
    Record record{"abc", "boot-1", "sha256:x", {12, 34}, {56, 78}, 3};
    auto again = parse_record(write_record(record));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, record);
}

TEST(Record, RefusesRubbish) {
    auto good = write_record({"abc", "b", "i", {12, 34}, {56, 78}, 3});
    for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(parse_record(good.substr(0, size)));
    auto replaced = [&](const std::string& from, const std::string& to) {
        auto text = good;
        return text.replace(text.find(from), from.size(), to);
    };
    EXPECT_FALSE(parse_record(replaced("\"abc\"", "\"../abc\"")));
    EXPECT_FALSE(parse_record(replaced("12", "-12")));
    EXPECT_FALSE(parse_record(replaced("12", "0")));
    EXPECT_EQ(parse_record(replaced("\"version\":1", "\"version\":2")).error().code, Code::unsupported);
}

TEST(Names, AreSafeAsFolders) {
    for (const char* good : {"a", "0123456789abcdef0123456789abcdef", "a-b"}) EXPECT_TRUE(check_name(good)) << good;
    for (std::string bad : {"", ".", "..", "a/b", "A", "-a", "a-", "a b", "a\n"}) EXPECT_FALSE(check_name(bad)) << bad;
}

TEST(Bundle, HostsAndNameServersCannotSmuggleLines) {
    InstanceSpec spec;
    spec.hostname = "till";
    spec.network = Attachment{.netns = "/x", .address = "10.88.0.5/24", .nameservers = {"10.88.0.1"}};
    spec.hosts = {{"db", "10.0.0.1"}, {"six", "fd00::1"}};
    auto hosts = hosts_file(spec);
    ASSERT_TRUE(hosts);
    EXPECT_NE(hosts->find("10.88.0.5\ttill\n"), std::string::npos);
    EXPECT_NE(hosts->find("fd00::1\tsix\n"), std::string::npos);
    EXPECT_EQ(*resolv_conf(spec, "nameserver 9.9.9.9\n"), "nameserver 10.88.0.1\n");
    spec.hosts = {{"db\n1.2.3.4 bank", "10.0.0.1"}};
    EXPECT_FALSE(hosts_file(spec));
    spec.hosts = {{"db", "10.0.0.1\n1.2.3.4 bank"}};
    EXPECT_FALSE(hosts_file(spec));
    spec.network->nameservers = {"1.1.1.1\nsearch evil"};
    EXPECT_FALSE(resolv_conf(spec, ""));
    spec.network.reset();
    EXPECT_EQ(*resolv_conf(spec, "nameserver 9.9.9.9\n"), "nameserver 9.9.9.9\n");
}

TEST(Bundle, ReadsOnlyInsideTheRoot) {
    namespace fs = std::filesystem;
    std::string base = *os::mkdtemp("/tmp/skerry-inside-");
    fs::create_directories(base + "/root/etc");
    std::ofstream(base + "/outside") << "secret";
    std::ofstream(base + "/root/real") << "inside";
    fs::create_symlink("../../../../" + base.substr(1) + "/outside", base + "/root/etc/climb");
    fs::create_symlink("/real", base + "/root/etc/absolute");
    EXPECT_EQ(read_inside(base + "/root", "etc/absolute"), "inside");
    EXPECT_EQ(read_inside(base + "/root", "etc/climb"), "");
    EXPECT_EQ(read_inside(base + "/root", "etc/none"), "");
    EXPECT_EQ(read_inside(base + "/root", "etc"), "");
    EXPECT_EQ(read_inside(base + "/root", "real", 3), "");
    fs::remove_all(base);
}

} // namespace
} // namespace skerry::drivers::container
