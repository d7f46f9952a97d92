#include "oci/digest.h"
#include "oci/image_config.h"
#include "oci/layers/accounts.h"
#include "oci/manifest.h"
#include "oci/runtime/signals.h"

#include <gtest/gtest.h>

namespace skerry::oci {
namespace {

std::string digest(char c) { return "sha256:" + std::string(64, c); }

std::string manifest_text(const std::string& layer) {
    return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
           digest('a') + R"(","size":10},"layers":[)" + layer + R"(],"unknown":{"kept":"out"}})";
}

TEST(Formats, ReadsAndWritesManifests) {
    auto manifest = parse_manifest(manifest_text(R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+zstd","digest":")" +
                                                 digest('b') + R"(","size":5})"));
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_EQ(manifest->layers[0].digest, digest('b'));
    auto again = parse_manifest(write_manifest(*manifest));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->layers, manifest->layers);
    EXPECT_EQ(write_manifest(*again), write_manifest(*manifest));
}

TEST(Formats, ErrorsNameTheMember) {
    struct Case {
        std::string layer, named;
    };
    for (auto& [layer, named] : std::vector<Case>{
             {R"(7)", "layers[0]"},
             {R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","size":1})", "layers[0].digest"},
             {R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:../../etc/passwd","size":1})",
              "layers[0].digest"},
             {R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" + digest('B') + R"(","size":1})",
              "layers[0].digest"},
             {R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" + digest('b') + R"(","size":-1})",
              "layers[0].size"},
             {R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" + digest('b') + R"(","size":"1"})",
              "layers[0].size"},
             {R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" + digest('b') +
                  R"(","size":9223372036854775807})",
              "layers[0].size"},
             {R"({"mediaType":"no type","digest":")" + digest('b') + R"(","size":1})", "layers[0].mediaType"},
             {R"({"mediaType":"text/html","digest":")" + digest('b') + R"(","size":1})", "layers[0].mediaType"}}) {
        auto manifest = parse_manifest(manifest_text(layer));
        ASSERT_FALSE(manifest) << layer;
        EXPECT_NE(manifest.error().message.find(named), std::string::npos) << manifest.error().message;
    }
    EXPECT_EQ(parse_manifest(R"({"schemaVersion":1,"name":"x"})").error().code, Code::unsupported);
    EXPECT_FALSE(parse_manifest("[]"));
    EXPECT_FALSE(parse_manifest(R"({"schemaVersion":2})"));
    std::string many = R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" + digest('b') + R"(","size":1})",
                all = many;
    for (std::size_t i = 0; i < max_layers; ++i) all += "," + many;
    EXPECT_FALSE(parse_manifest(manifest_text(all)));
}

TEST(Formats, ChoosesThePlatformThatFitsBest) {
    auto offer = [](const std::string& os, const std::string& architecture, const std::string& variant, char c) {
        return Descriptor{std::string(media::manifest), digest(c), 5, Platform{os, architecture, variant}, {}};
    };
    Index index{std::string(media::index),
                {offer("windows", "amd64", "", '1'), offer("linux", "arm", "v6", '2'), offer("linux", "arm", "v7", '3'),
                 offer("linux", "arm64", "", '4'), offer("linux", "amd64", "", '5'), offer("unknown", "unknown", "", '6')},
                {}};
    EXPECT_EQ(choose(index, host_platform("x86_64"))->digest, digest('5'));
    EXPECT_EQ(choose(index, host_platform("aarch64"))->digest, digest('4'));
    EXPECT_EQ(choose(index, host_platform("armv7l"))->digest, digest('3'));
    EXPECT_EQ(choose(index, host_platform("armv6l"))->digest, digest('2'));
    auto none = choose(index, host_platform("riscv64"));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Code::not_found);
    EXPECT_NE(none.error().message.find("linux/arm/v7"), std::string::npos);
    EXPECT_EQ(none.error().message.find("unknown"), std::string::npos);
    EXPECT_EQ(*document_kind(write_index(index)), Document::index);
    EXPECT_EQ(parse_index(write_index(index))->manifests, index.manifests);
}

TEST(Formats, ReadsConfigs) {
    auto config = parse_image_config(
        R"({"os":"linux","architecture":"amd64","config":{"Entrypoint":["/e"],"Cmd":null,"Env":["A=b=c"],"User":"x","WorkingDir":"/w","StopSignal":"SIGINT","ExposedPorts":{"80/tcp":{}}},"rootfs":{"type":"layers","diff_ids":[")" +
        digest('a') + R"(",")" + digest('b') + R"("]},"history":[{"any":"thing"}]})");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->entrypoint, std::vector<std::string>{"/e"});
    EXPECT_TRUE(config->command.empty());
    EXPECT_EQ(config->exposed_ports, std::vector<std::string>{"80/tcp"});
    auto chain = chain_ids(config->diff_ids);
    EXPECT_EQ(chain[0], digest('a'));
    EXPECT_EQ(chain[1], digest_of(digest('a') + " " + digest('b')));
    for (std::string bad :
         {R"({})", R"({"os":"linux","architecture":"amd64"})",
          R"({"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["x"]}})",
          R"({"os":"linux","architecture":"amd64","config":{"Env":["=x"]},"rootfs":{"type":"layers","diff_ids":[]}})",
          R"({"os":"linux","architecture":"amd64","config":{"Cmd":"sh"},"rootfs":{"type":"layers","diff_ids":[]}})",
          R"({"os":"linux","architecture":"amd64","config":{"Cmd":["a\u0000b"]},"rootfs":{"type":"layers","diff_ids":[]}})"})
        EXPECT_FALSE(parse_image_config(bad)) << bad;
}

TEST(Formats, ReadsSignals) {
    EXPECT_EQ(*parse_signal(""), 15);
    EXPECT_EQ(*parse_signal("SIGQUIT"), 3);
    EXPECT_EQ(*parse_signal("KILL"), 9);
    EXPECT_EQ(*parse_signal("10"), 10);
    EXPECT_EQ(*parse_signal("SIGRTMIN+3"), 37);
    for (const char* bad : {"SIGNOPE", "0", "65", "-1", "9x", "RTMIN+99", "RTMIN+"}) EXPECT_FALSE(parse_signal(bad)) << bad;
}

TEST(Accounts, ResolvesAsDockerDoes) {
    std::string passwd = "root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\napp:x:1000:1000::/home/app:/bin/sh\n",
                group = "root:x:0:\napp:x:1000:\nmore:x:1001:other,app\nnot:x:1002:apple\n";
    auto root = resolve_account("", passwd, group);
    EXPECT_EQ(root->uid, 0u);
    EXPECT_EQ(root->home, "/root");
    auto app = resolve_account("app", passwd, group);
    EXPECT_EQ(app->uid, 1000u);
    EXPECT_EQ(app->groups, (std::vector<std::uint32_t>{1000, 1001}));
    EXPECT_EQ(app->home, "/home/app");
    EXPECT_EQ(resolve_account("1000", passwd, group)->groups.size(), 2u);
    auto other = resolve_account("app:more", passwd, group);
    EXPECT_EQ(other->gid, 1001u);
    EXPECT_EQ(other->groups, std::vector<std::uint32_t>{1001});
    auto numbers = resolve_account("123:456", "", "");
    EXPECT_EQ(numbers->uid, 123u);
    EXPECT_EQ(numbers->gid, 456u);
    EXPECT_EQ(resolve_account("77", passwd, group)->gid, 0u);
    for (const char* bad : {"ghost", "app:ghost", "-1", "4294967295", "99999999999"})
        EXPECT_EQ(resolve_account(bad, passwd, group).error().code, Code::invalid) << bad;
}

} // namespace
} // namespace skerry::oci
