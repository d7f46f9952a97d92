#include "model/example_test.h"
#include "model/hash.h"
#include "model/revision.pb.h"
#include "model/rules/defaults.h"

namespace skerry::model::test {
namespace {

const char* const pins =
    R"([{"kind":"Secret","name":"till-key","uid":"u1","generation":1},{"kind":"Config","name":"till-key","uid":"u2","generation":5}])";

/// Of the example's component after a merge patch.
std::string hash_of(std::string_view patch, std::string_view digest = "sha256:1", std::string_view pinned = pins,
                    bool presets = true) {
    Json component = (*till_component(patch).find("spec")->find("components")->array_items())[0];
    ClosedComponent closed;
    *closed.mutable_component() = read<Component>(write_json(component));
    if (presets) apply_presets(closed);
    closed.set_image_digest(std::string(digest));
    auto spec = read<RevisionSpec>(R"({"pins":)" + std::string(pinned) + "}");
    return component_hash(closed, spec.pins());
}

TEST(Hash, IsTheSameForEver) {
    // Written into Revisions and compared by later builds: this text never changes.
    EXPECT_EQ(hash_of("{}"), "fd528da96feb0f248856d2014776fdcb");
}

TEST(Hash, ChangesWithWhatMakesAnInstanceOutOfDate) {
    std::set<std::string> seen{hash_of("{}")};
    for (const char* patch :
         {R"({"command":["/pos"]})", R"({"args":["x"]})", R"({"args":["","x"]})", R"({"workingDir":"/x"})", R"({"user":"1"})",
          R"({"resources":{"cpu":"501m"}})", R"({"resources":{"memory":"129Mi"}})",
          R"({"ports":[{"name":"http","port":8081,"publish":80}]})", R"({"ports":[{"name":"http","port":8080,"publish":81}]})",
          R"({"ports":[{"name":"http","port":8080}]})", R"({"env":[]})", R"({"env":[{"name":"STORE","value":""}]})",
          R"({"env":[{"name":"STORE","value":"x"}]})", R"({"runtime":"vm"})"})
        EXPECT_TRUE(seen.insert(hash_of(patch)).second) << patch;
    EXPECT_TRUE(seen.insert(hash_of("{}", "sha256:2")).second);
    EXPECT_TRUE(
        seen.insert(hash_of("{}", "sha256:1", R"([{"kind":"Secret","name":"till-key","uid":"u1","generation":2}])")).second);
    EXPECT_TRUE(
        seen.insert(hash_of("{}", "sha256:1", R"([{"kind":"Secret","name":"till-key","uid":"u9","generation":1}])")).second);
}

TEST(Hash, StaysWithEverythingElse) {
    std::string same = hash_of("{}");
    for (const char* patch :
         {R"({"image":"retail/pos:4.3"})", R"({"health":null})", R"({"placement":{"replicas":7}})", R"({"partition":null})",
          R"({"stopGrace":"1m"})", R"({"resources":{"cpu":"0.5","memory":"131072Ki"}})", R"({"name":"other"})",
          R"({"runtime":null})", R"({"ports":[{"name":"http","port":8080,"publish":80,"protocol":"tcp"}]})"})
        EXPECT_EQ(hash_of(patch), same) << patch;
    EXPECT_EQ(hash_of("{}", "sha256:1", pins, false), same);
    EXPECT_EQ(
        hash_of(
            "{}", "sha256:1",
            R"([{"kind":"Config","name":"till-key","uid":"u2","generation":6},{"kind":"Secret","name":"till-key","uid":"u1","generation":1}])"),
        same);
    Json env = (*till().find("spec")->find("components")->array_items())[0].at({"env"});
    std::swap((*env.array_items())[0], (*env.array_items())[1]);
    EXPECT_EQ(hash_of(R"({"env":)" + write_json(env) + "}"), same);
}

} // namespace
} // namespace skerry::model::test
