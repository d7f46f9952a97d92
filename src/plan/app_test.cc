#include "plan/app.h"

#include "model/app.pb.h"
#include "model/image.pb.h"
#include "model/revision.pb.h"
#include "model/rules/validate.h"
#include "model/secret.pb.h"

#include <gtest/gtest.h>

#include <map>

namespace skerry::plan {
namespace {

class AppPlanning : public testing::Test {
protected:
    AppPlanning() {
        app.mutable_metadata()->set_name("till");
        app.mutable_metadata()->set_namespace_("retail");
        app.mutable_metadata()->set_uid("00000000000000000000000000000001");
        app.mutable_metadata()->set_generation(1);
        auto& component = *app.mutable_spec()->add_components();
        component.set_name("pos");
        component.set_image("pos:4.2");
        auto& variable = *component.add_env();
        variable.set_name("KEY");
        variable.mutable_from()->set_secret("till-key");
        variable.mutable_from()->set_key("token");
        tag("sha256:aa");
        secret.mutable_metadata()->set_uid("abcdef0123456789abcdef0123456789");
        secret.mutable_metadata()->set_generation(1);
        (*secret.mutable_data())["token"] = "x";
        world.project_exists = true;
        world.image = [this](const std::string& project, const std::string& name) {
            return has_image && project == "retail" && name == "pos" ? &image : nullptr;
        };
        world.secret = [this](const std::string& name) -> const model::Secret* {
            if (copy && name == pin_name("till-key", copy->metadata().uid(), copy->metadata().generation())) return &*copy;
            return has_secret && name == "till-key" ? &secret : nullptr;
        };
        world.config = [](const std::string&) -> const model::Config* { return nullptr; };
    }
    void tag(const std::string& digest) {
        image.mutable_spec()->clear_tags();
        auto& tag = *image.mutable_spec()->add_tags();
        tag.set_name("4.2");
        tag.set_digest(digest);
    }
    AppPlan plan() {
        std::vector<const model::Revision*> list;
        for (const auto& revision : revisions) list.push_back(&revision);
        return plan_app(app, list, world);
    }
    /// Plans, and makes what is planned.
    std::string made() {
        auto planned = plan();
        if (!planned.revision_bytes) return planned.obstacles.empty() ? "" : planned.obstacles[0].reason;
        model::Revision revision;
        revision.ParseFromString(*planned.revision_bytes);
        revisions.push_back(revision);
        return revision.metadata().name();
    }

    model::App app;
    model::Image image;
    model::Secret secret;
    std::optional<model::Secret> copy; ///< as pinned by a revision
    bool has_image = true, has_secret = true;
    AppWorld world;
    std::vector<model::Revision> revisions;
};

TEST_F(AppPlanning, ClosesTagsAndPins) {
    EXPECT_EQ(made(), "till.1");
    const auto& spec = revisions[0].spec();
    EXPECT_EQ(spec.components(0).image_digest(), "sha256:aa");
    EXPECT_EQ(spec.pins(0).copy(), "till-key.g1.abcdef01");
    EXPECT_EQ(spec.state(), "running");
    EXPECT_EQ(made(), "");
}

TEST_F(AppPlanning, AMovedTagRollsOnlyWithTheNextGeneration) {
    made();
    tag("sha256:bb");
    EXPECT_EQ(made(), "");
    app.mutable_metadata()->set_generation(2);
    EXPECT_EQ(made(), "") << "the same spec, such as new labels";
    app.mutable_spec()->mutable_components(0)->add_args("-v");
    EXPECT_EQ(made(), "till.2");
    EXPECT_EQ(revisions[1].spec().components(0).image_digest(), "sha256:bb");
}

TEST_F(AppPlanning, RotationIsARevisionOfItsOwnWithTheSameImage) {
    made();
    tag("sha256:bb");
    (*secret.mutable_data())["token"] = "y";
    secret.mutable_metadata()->set_generation(2);
    EXPECT_EQ(made(), "till.1-2");
    EXPECT_EQ(revisions[1].spec().components(0).image_digest(), "sha256:aa");
    EXPECT_NE(revisions[1].spec().components(0).hash(), revisions[0].spec().components(0).hash());
    EXPECT_EQ(made(), "");
    (*secret.mutable_data())["token"] = "z";
    secret.mutable_metadata()->set_generation(3);
    EXPECT_EQ(made(), "till.1-3");
}

TEST_F(AppPlanning, WhatIsRevokedComesBackWithNoRotation) {
    EXPECT_EQ(made(), "till.1");
    revisions[0].mutable_spec()->mutable_revoked()->set_reason("loses receipts");
    secret.mutable_metadata()->set_generation(2);
    (*secret.mutable_data())["token"] = "y";
    EXPECT_FALSE(plan().revision_bytes);
    app.mutable_metadata()->set_generation(2);
    app.mutable_spec()->mutable_components(0)->add_args("-v");
    EXPECT_EQ(made(), "till.2");
}

TEST_F(AppPlanning, ALabelOnASecretRollsNothingOut) {
    made();
    copy = secret;
    (*secret.mutable_metadata()->mutable_labels())["team"] = "blue";
    secret.mutable_metadata()->set_generation(2);
    EXPECT_EQ(made(), "");
}

TEST_F(AppPlanning, WhatIsMissingIsNamedWithItsRemedy) {
    has_image = has_secret = world.project_exists = false;
    auto planned = plan();
    EXPECT_FALSE(planned.revision_bytes);
    ASSERT_EQ(planned.obstacles.size(), 3u);
    EXPECT_EQ(planned.obstacles[0].reason, "ProjectMissing");
    EXPECT_EQ(planned.obstacles[1].reason, "ImageMissing");
    EXPECT_NE(planned.obstacles[1].message.find("skerry image push DIR|TAR|- retail/pos:4.2"), std::string::npos);
    EXPECT_EQ(planned.obstacles[2].reason, "SecretMissing");
    has_image = has_secret = world.project_exists = true;
    secret.mutable_data()->clear();
    EXPECT_EQ(made(), "SecretKeyMissing");
}

TEST_F(AppPlanning, SourcesThatGoAwayChangeNothingThatIsClosed) {
    made();
    has_image = has_secret = world.project_exists = false;
    EXPECT_EQ(made(), "");
    EXPECT_TRUE(plan().obstacles.empty());
}

TEST_F(AppPlanning, NamesOfCopiesAreNames) {
    std::string uid = "abcdef0123456789abcdef0123456789";
    EXPECT_EQ(pin_name("till-key", uid, 3), "till-key.g3.abcdef01");
    for (std::size_t size = 230; size <= 253; ++size) {
        std::string longest;
        while (longest.size() < size) longest += std::string(47, 'k') + ".";
        longest.resize(size);
        if (longest.ends_with('.')) longest.back() = 'k';
        EXPECT_LE(pin_name(longest, uid, 4'000'000'000u).size(), 253u);
        EXPECT_EQ(model::format_problem("name", pin_name(longest, uid, 4'000'000'000u)), "");
    }
}

TEST_F(AppPlanning, AReusedNameIsANewApp) {
    made();
    app.mutable_metadata()->set_uid("00000000000000000000000000000002");
    EXPECT_EQ(made(), "till.1-2");
    EXPECT_EQ(newest_revision(app, {&revisions[0], &revisions[1]}), &revisions[1]);
}

TEST_F(AppPlanning, StopIsARevision) {
    made();
    app.mutable_spec()->set_state("stopped");
    app.mutable_metadata()->set_generation(2);
    EXPECT_EQ(made(), "till.2");
    EXPECT_EQ(revisions[1].spec().components(0).hash(), revisions[0].spec().components(0).hash());
}

} // namespace
} // namespace skerry::plan
