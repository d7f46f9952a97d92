#include "model/app.pb.h"
#include "model/example_test.h"
#include "model/rules/defaults.h"
#include "model/secret.pb.h"
#include "model/site.pb.h"

namespace skerry::model::test {
namespace {

TEST(Defaults, WriteWhatAbsenceMeans) {
    auto app = read<App>(
        R"({"metadata":{"name":"a"},"spec":{"components":[{"name":"c","image":"i","ports":[{"name":"p","port":1}],"health":{"tcp":{"port":"p"}}}]}})");
    apply_presets(app);
    EXPECT_EQ(
        write_json(to_json(app.spec())),
        R"({"state":"running","components":[{"name":"c","runtime":"container","image":"i","ports":[{"name":"p","port":1,"protocol":"tcp"}],)"
        R"("health":{"tcp":{"port":"p"},"period":"10s","timeout":"2s","failures":3,"grace":"0s"},"placement":{"mode":"spread","replicas":1},)"
        R"("partition":{"policy":"keep"},"stopGrace":"10s"}],"rollout":{"maxUnavailable":"10%","pauseBetween":"0s"}})");
    App again = app;
    apply_presets(again);
    EXPECT_EQ(again.SerializeAsString(), app.SerializeAsString());
}

TEST(Defaults, KeepWhatIsThere) {
    auto app = read<App>(R"({"spec":{"state":"stopped","components":[{"placement":{"replicas":0,"mode":"each"}}]}})");
    apply_presets(app);
    EXPECT_EQ(app.spec().state(), "stopped");
    EXPECT_EQ(app.spec().components(0).placement().replicas(), 0u);
    EXPECT_EQ(app.spec().components(0).placement().mode(), "each");
    EXPECT_FALSE(app.spec().components(0).has_health());
    EXPECT_FALSE(app.has_status());
}

TEST(Defaults, MoveTextIntoData) {
    auto secret = read<Secret>(R"({"data":{"a":"MQ==","b":"Mg=="},"stringData":{"a":"3","c":"4"}})");
    apply_presets(secret);
    EXPECT_EQ(write_json(to_json(secret)), R"({"data":{"a":"Mw==","b":"Mg==","c":"NA=="}})");
}

TEST(Defaults, OfASite) {
    auto site = read<Site>(R"({"spec":{"uplinks":[{"name":"wan"}]}})");
    apply_presets(site);
    EXPECT_EQ(write_json(to_json(site.spec())), R"({"uplinks":[{"name":"wan","profile":"lan"}],"power":"always"})");
}

} // namespace
} // namespace skerry::model::test
