#include "model/kind.h"
#include "model/text/mapping.h"

#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <set>

namespace skerry::model {
namespace {

TEST(Kind, FactsComeFromTheSchema) {
    EXPECT_EQ(all_kinds().size(), 12u);
    const KindFacts& app = facts(Kind::app);
    EXPECT_EQ(app.name, "App");
    EXPECT_EQ(app.singular, "app");
    EXPECT_EQ(app.plural, "apps");
    EXPECT_FALSE(app.fleet_wide);
    EXPECT_FALSE(app.made_by_loops);
    EXPECT_TRUE(facts(Kind::site).fleet_wide);
    EXPECT_TRUE(facts(Kind::allocation).made_by_loops);
}

TEST(Kind, IsFoundByAnyOfItsWords) {
    for (const char* word : {"App", "app", "apps", "APPS"}) EXPECT_EQ(find_kind(word), &facts(Kind::app)) << word;
    EXPECT_EQ(find_kind("alloc"), &facts(Kind::allocation));
    for (const char* word : {"", "ap", "app.", "appss"}) EXPECT_EQ(find_kind(word), nullptr) << word;
    EXPECT_EQ(find_kind(0u), nullptr);
    EXPECT_EQ(find_kind(13u), nullptr);
    EXPECT_EQ(find_kind(12u)->name, "Override");
}

TEST(Kind, WordsMeanOneKindEach) {
    std::set<std::string_view> words;
    for (const KindFacts& kind : all_kinds()) {
        EXPECT_TRUE(words.insert(kind.singular).second) << kind.singular;
        EXPECT_TRUE(words.insert(kind.plural).second) << kind.plural;
        for (std::string_view word : kind.short_names) EXPECT_TRUE(words.insert(word).second) << word;
    }
}

} // namespace
} // namespace skerry::model
