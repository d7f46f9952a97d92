#include "cli/client/kubeconfig.h"

#include "base/bytes.h"
#include "model/text/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::cli {

using testing::HasSubstr;

namespace {

Result<std::string> no_files(const std::string& path) {
    return fail(Code::not_found, "open " + path + ": No such file or directory");
}

Result<Connection> connection_of(std::string_view text, std::string_view context = {}, const ReadFile& read = no_files) {
    std::vector<Kubeconfig> files;
    files.push_back(TRY(parse_kubeconfig("/home/a/config", text)));
    return choose_context(files, context, read);
}

constexpr std::string_view two_contexts = R"(
apiVersion: v1
kind: Config
current-context: core
clusters:
- {name: core, cluster: {server: "https://core:7443", certificate-authority-data: Q0E=}}
- {name: shop, cluster: {server: "https://10.0.0.2:7443", insecure-skip-tls-verify: true, tls-server-name: shop}}
users:
- {name: me, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}
- {name: bearer, user: {token: abc}}
contexts:
- {name: core, context: {cluster: core, user: me, namespace: retail}}
- {name: shop, context: {cluster: shop, user: bearer}}
- {name: lost, context: {cluster: nowhere, user: me}}
)";

} // namespace

TEST(Kubeconfig, CurrentContext) {
    auto found = connection_of(two_contexts);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->server, "https://core:7443");
    EXPECT_EQ(found->project, "retail");
    EXPECT_EQ(found->tls.ca_pem, "CA");
    EXPECT_EQ(found->tls.credentials.chain_pem, "CERT");
    EXPECT_EQ(found->tls.credentials.key_pem, "KEY");
    EXPECT_EQ(found->authorization, "");
}

TEST(Kubeconfig, NamedContext) {
    auto found = connection_of(two_contexts, "shop");
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_TRUE(found->tls.insecure);
    EXPECT_EQ(found->tls.server_name, "shop");
    EXPECT_EQ(found->project, "default");
    EXPECT_EQ(found->authorization, "Bearer abc");
}

TEST(Kubeconfig, MissingNamesSayWhatThereIs) {
    auto context = connection_of(two_contexts, "core2");
    ASSERT_FALSE(context);
    EXPECT_THAT(context.error().message, HasSubstr("\"core2\""));
    EXPECT_THAT(context.error().message, HasSubstr("core, shop, lost"));
    auto cluster = connection_of(two_contexts, "lost");
    ASSERT_FALSE(cluster);
    EXPECT_THAT(cluster.error().message, HasSubstr("no cluster \"nowhere\""));
}

TEST(Kubeconfig, FilesAreRelativeToItsFolder) {
    std::vector<std::string> asked;
    auto read = [&](const std::string& path) -> Result<std::string> {
        asked.push_back(path);
        return "bytes\n";
    };
    auto found = connection_of(R"({current-context: a,
        clusters: [{name: c, cluster: {server: "https://h", certificate-authority: ca.pem}}],
        users: [{name: u, user: {tokenFile: /etc/token}}],
        contexts: [{name: a, context: {cluster: c, user: u}}]})",
                               {}, read);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(asked, (std::vector<std::string>{"/home/a/ca.pem", "/etc/token"}));
    EXPECT_EQ(found->authorization, "Bearer bytes");
}

TEST(Kubeconfig, FirstFileThatHasANameWins) {
    std::vector<Kubeconfig> files;
    files.push_back(*parse_kubeconfig("/a", R"({contexts: [{name: x, context: {cluster: c}}]})"));
    files.push_back(*parse_kubeconfig(
        "/b",
        R"({current-context: x, contexts: [{name: x, context: {cluster: other}}], clusters: [{name: c, cluster: {server: "http://b"}}]})"));
    auto found = choose_context(files, {}, no_files);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->server, "http://b");
}

struct Hostile {
    const char* text;
    const char* says;
};

class HostileKubeconfig : public testing::TestWithParam<Hostile> {};

TEST_P(HostileKubeconfig, IsRefusedWithItsPlace) {
    auto found = connection_of(GetParam().text);
    ASSERT_FALSE(found);
    EXPECT_THAT(found.error().message, HasSubstr("/home/a/config"));
    EXPECT_THAT(found.error().message, HasSubstr(GetParam().says));
}

#define ONE(cluster, user)                                                                                                       \
    "{current-context: a, contexts: [{name: a, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: " cluster         \
    "}], users: [{name: u, user: " user "}]}"

INSTANTIATE_TEST_SUITE_P(
    All, HostileKubeconfig,
    testing::Values(Hostile{"", "current-context"}, Hostile{"just a text", "mapping"}, Hostile{"[1, 2]", "mapping"},
                    Hostile{"a: [", "/home/a/config"}, Hostile{"kind: App", "kind"},
                    Hostile{"{current-context: a, contexts: 7}", "contexts: wanted a list"},
                    Hostile{"{current-context: a, contexts: [{name: a, context: nothing}]}", "contexts[a].context"},
                    Hostile{"{current-context: a, contexts: [{name: a, context: {cluster: [1]}}]}", "cluster: wanted a text"},
                    Hostile{ONE("{}", "{}"), "server"}, Hostile{ONE("{server: 'ftp://x'}", "{}"), "not a URL"},
                    Hostile{ONE("{server: 'https://x', certificate-authority-data: '%%'}", "{}"), "certificate-authority-data"},
                    Hostile{ONE("{server: 'https://x', insecure-skip-tls-verify: 'yes'}", "{}"), "true or false"},
                    Hostile{ONE("{server: 'https://x', proxy-url: 'http://p'}", "{}"), "proxies"},
                    Hostile{ONE("{server: 'https://x'}", "{client-key-data: S0VZ}"), "belong together"},
                    Hostile{ONE("{server: 'https://x'}", "{client-certificate: /nowhere}"), "No such file"},
                    Hostile{ONE("{server: 'https://x'}", "{token: \"a\\r\\nX-Evil: 1\"}"), "several lines"},
                    Hostile{ONE("{server: 'https://x'}", "{exec: {command: rm}}"), "not supported"}));

TEST(Kubeconfig, BoundsAliasesAndDepth) {
    std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
    for (char c = 'b'; c < 'k'; ++c)
        bomb += std::string(1, c) + ": &" + c + " [*" + char(c - 1) + ",*" + char(c - 1) + ",*" + char(c - 1) + ",*" +
                char(c - 1) + ",*" + char(c - 1) + "]\n";
    EXPECT_FALSE(connection_of(bomb));
    EXPECT_FALSE(connection_of(std::string(5000, '[')));
    EXPECT_FALSE(connection_of(std::string(3 << 20, 'x')));
}

TEST(Kubeconfig, LoginKeepsWhatOthersPut) {
    Json content = (*parse_kubeconfig("/a", two_contexts)).content;
    Entry entry{.name = "core",
                .cluster = Json::object({{"server", "https://new"}}),
                .user = Json::object({{"token", "t"}}),
                .project = "p"};
    ASSERT_TRUE(put_context(content, entry));
    ASSERT_TRUE(put_context(content, entry)); // once more changes nothing
    std::vector<Kubeconfig> files;
    files.push_back(*parse_kubeconfig("/a", model::write_yaml(content)));
    auto now = choose_context(files, {}, no_files);
    ASSERT_TRUE(now) << now.error().message;
    EXPECT_EQ(now->server, "https://new");
    EXPECT_EQ(now->project, "p");
    EXPECT_TRUE(choose_context(files, "shop", no_files));
    EXPECT_EQ(content.find("clusters")->array_items()->size(), 2u);
    EXPECT_EQ(content.find("users")->array_items()->size(), 3u);
}

TEST(Kubeconfig, LoginMakesOneWhereNoneIs) {
    Json content;
    ASSERT_TRUE(put_context(
        content,
        {.name = "h:1", .cluster = Json::object({{"server", "https://h:1"}}), .user = Json::object(), .project = "default"}));
    std::vector<Kubeconfig> files;
    files.push_back(*parse_kubeconfig("/a", model::write_yaml(content)));
    auto now = choose_context(files, {}, no_files);
    ASSERT_TRUE(now) << now.error().message;
    Json broken = Json::object({{"users", 3}});
    EXPECT_FALSE(put_context(broken, {.name = "x", .cluster = Json::object(), .user = Json::object(), .project = "default"}));
}

} // namespace skerry::cli
