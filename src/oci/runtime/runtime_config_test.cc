#include "oci/runtime/runtime_config.h"

#include "oci/runtime/seccomp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace skerry::oci {
namespace {

ImageConfig image() {
    ImageConfig image;
    image.platform = {"linux", "amd64", ""};
    image.entrypoint = {"/entry"};
    image.command = {"a", "b"};
    image.environment = {"PATH=/bin", "A=1", "EMPTY"};
    image.working_dir = "srv";
    return image;
}

RuntimeWish wish() {
    RuntimeWish wish;
    wish.name = "i";
    wish.hostname = "till";
    wish.rootfs = "/var/root";
    wish.cgroup_path = "/skerry/i";
    wish.passwd = "app:x:1000:1000::/home/app:/bin/sh\n";
    return wish;
}

std::vector<std::string> texts(const Json& list) {
    std::vector<std::string> all;
    if (auto* items = list.array_items())
        for (auto& item : *items) all.push_back(item.string() ? *item.string() : "?");
    return all;
}

Json config_of(const ImageConfig& image, const RuntimeWish& wish) {
    auto config = runtime_config(image, wish);
    EXPECT_TRUE(config) << config.error().message;
    return config.value_or(Json());
}

TEST(RuntimeConfig, MergesCommandAndEnvironment) {
    auto arguments = [](std::vector<std::string> command, std::vector<std::string> args) {
        auto w = wish();
        w.command = std::move(command), w.args = std::move(args);
        return texts(config_of(image(), w).at({"process", "args"}));
    };
    using List = std::vector<std::string>;
    EXPECT_EQ(arguments({}, {}), (List{"/entry", "a", "b"}));
    EXPECT_EQ(arguments({}, {"c"}), (List{"/entry", "c"}));
    EXPECT_EQ(arguments({"/other"}, {}), (List{"/other"}));
    EXPECT_EQ(arguments({"/other"}, {"c"}), (List{"/other", "c"}));
    auto w = wish();
    w.environment = {{"A", "2"}, {"HOME", "/h"}};
    EXPECT_EQ(texts(config_of(image(), w).at({"process", "env"})),
              (List{"PATH=/bin", "HOSTNAME=till", "HOME=/h", "A=2", "EMPTY="}));
    EXPECT_EQ(config_of(image(), w).at({"process"}).text("cwd"), "/srv");
    auto none = image();
    none.entrypoint.clear(), none.command.clear();
    EXPECT_NE(runtime_config(none, wish()).error().message.find("command"), std::string::npos);
}

TEST(RuntimeConfig, UsersOtherThanRootHoldNoCapabilities) {
    auto root = config_of(image(), wish());
    EXPECT_EQ(texts(root.at({"process", "capabilities", "effective"})), default_capabilities());
    auto w = wish();
    w.user = "app";
    auto app = config_of(image(), w);
    EXPECT_EQ(*app.at({"process", "user", "uid"}).integer(), 1000);
    EXPECT_TRUE(texts(app.at({"process", "capabilities", "effective"})).empty());
    EXPECT_EQ(texts(app.at({"process", "capabilities", "bounding"})), default_capabilities());
}

TEST(RuntimeConfig, LimitsAreThoseOfTheWish) {
    auto w = wish();
    w.cpu_millis = 500, w.memory_bytes = 64 << 20, w.pids = 10;
    auto config = config_of(image(), w);
    const Json& resources = config.at({"linux", "resources"});
    EXPECT_EQ(*resources.at({"cpu", "quota"}).integer(), 50'000);
    EXPECT_EQ(*resources.at({"cpu", "period"}).integer(), 100'000);
    EXPECT_EQ(*resources.at({"cpu", "shares"}).integer(), 512);
    EXPECT_EQ(*resources.at({"memory", "limit"}).integer(), 64 << 20);
    EXPECT_TRUE(resources.at({"memory", "swap"}).is_null());
    w.limit_swap = true;
    EXPECT_EQ(*config_of(image(), w).at({"linux", "resources", "memory", "swap"}).integer(), 64 << 20);
    w.memory_bytes = 1000;
    EXPECT_FALSE(runtime_config(image(), w));
    w.memory_bytes = -1;
    EXPECT_FALSE(runtime_config(image(), w));
}

TEST(RuntimeConfig, RefusesPathsThatClimb) {
    for (auto& bad : std::vector<std::string>{"relative", "/a/../../etc", "/..", "", "/", std::string("/a\0b", 4)}) {
        auto w = wish();
        w.mounts = {{"/srv/volume", bad, false}};
        EXPECT_FALSE(runtime_config(image(), w)) << bad;
    }
    auto w = wish();
    w.working_dir = "relative";
    EXPECT_FALSE(runtime_config(image(), w));
    w = wish();
    w.environment = {{"A=B", "c"}};
    EXPECT_FALSE(runtime_config(image(), w));
}

TEST(RuntimeConfig, MountsOuterTargetsFirst) {
    auto w = wish();
    w.mounts = {{"/v/inner", "/data/inner", true}, {"/v/outer", "/data", false}};
    auto config = config_of(image(), w);
    auto& mounts = *config.at({"mounts"}).array_items();
    ASSERT_GE(mounts.size(), 2u);
    EXPECT_EQ(mounts[mounts.size() - 2].text("destination"), "/data");
    EXPECT_EQ(mounts.back().text("destination"), "/data/inner");
    EXPECT_EQ(texts(*mounts.back().find("options")).back(), "ro");
}

TEST(RuntimeConfig, JoinsNetworkByPathOrSharesTheMachines) {
    auto kinds = [](const RuntimeWish& w) {
        std::set<std::string> all;
        auto config = config_of(image(), w);
        for (auto& each : *config.at({"linux", "namespaces"}).array_items())
            all.insert(std::string(each.text("type")) + std::string(each.text("path")));
        return all;
    };
    EXPECT_FALSE(kinds(wish()).contains("network"));
    auto w = wish();
    w.netns = "/run/netns/x";
    w.cgroup2 = true;
    EXPECT_TRUE(kinds(w).contains("network/run/netns/x"));
    EXPECT_TRUE(kinds(w).contains("cgroup"));
}

TEST(Seccomp, NoCallHasTwoVerdicts) {
    for (const char* architecture : {"amd64", "arm64", "arm", "386", "riscv64", "ppc64le", "s390x"}) {
        auto profile = seccomp_profile(architecture, default_capabilities());
        EXPECT_EQ(*profile.at({"defaultErrnoRet"}).integer(), 38);
        std::set<std::string> seen;
        for (auto& rule : *profile.at({"syscalls"}).array_items()) {
            if (!rule.at({"args"}).array_items()->empty()) continue;
            for (auto& name : texts(*rule.find("names"))) EXPECT_TRUE(seen.insert(name).second) << architecture << " " << name;
        }
        EXPECT_TRUE(seen.contains("read"));
        EXPECT_GT(seen.size(), 300u);
    }
    std::vector<std::string> more = default_capabilities();
    more.push_back("CAP_SYS_ADMIN");
    auto find = [](const Json& profile, std::string_view call) {
        for (auto& rule : *profile.at({"syscalls"}).array_items())
            if (std::ranges::count(texts(*rule.find("names")), call)) return std::string(rule.text("action"));
        return std::string();
    };
    EXPECT_EQ(find(seccomp_profile("amd64", default_capabilities()), "bpf"), "SCMP_ACT_ERRNO");
    EXPECT_EQ(find(seccomp_profile("amd64", more), "bpf"), "SCMP_ACT_ALLOW");
    EXPECT_EQ(find(seccomp_profile("amd64", {}), "chroot"), "SCMP_ACT_ERRNO");
}

TEST(RuntimeConfig, ExecKeepsTheWalls) {
    auto config = config_of(image(), wish());
    auto process = exec_process(config, {"/bin/sh"});
    ASSERT_TRUE(process);
    EXPECT_EQ(texts(*process->find("args")), std::vector<std::string>{"/bin/sh"});
    EXPECT_EQ(*process->find("capabilities"), config.at({"process", "capabilities"}));
    EXPECT_FALSE(exec_process(config, {}));
    EXPECT_FALSE(exec_process(Json(), {"/x"}));
}

} // namespace
} // namespace skerry::oci
