#include "trust/tokens/rights.h"

#include "env/seeded_chance.h"
#include "trust/tokens/access_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::trust {
namespace {

bool allowed(const Identity& who, Verb verb, Target what) { return may(who, verb, what).has_value(); }

const CellId cell{Id{1, 1}};

TEST(Rights, administrators_do_everything_viewers_read_all_but_secrets) {
    Identity admin = Identity::user("a", {"system:masters"}), viewer = Identity::user("v", {"skerry:viewers"}),
             nobody = Identity::user("n", {"x"});
    EXPECT_TRUE(allowed(admin, Verb::remove, {"Secret", "retail", "k", "", ""}));
    EXPECT_TRUE(allowed(viewer, Verb::watch, {"App", "retail", "till", "", ""}));
    EXPECT_TRUE(allowed(viewer, Verb::logs, {"Instance", "retail", "till", "s", "n"}));
    EXPECT_FALSE(allowed(viewer, Verb::get, {"Secret", "retail", "k", "", ""}));
    EXPECT_FALSE(allowed(viewer, Verb::exec, {"Instance", "retail", "till", "s", "n"}));
    EXPECT_FALSE(allowed(viewer, Verb::patch, {"App", "retail", "till", "", ""}));
    EXPECT_FALSE(allowed(nobody, Verb::get, {"App", "retail", "till", "", ""}));
}

TEST(Rights, a_site_touches_only_what_is_its_own) {
    Identity site = Identity::of_site("store-17", cell);
    EXPECT_TRUE(allowed(site, Verb::update, {"Node", "", "n1", "store-17", "n1"}));
    EXPECT_TRUE(allowed(site, Verb::status, {"Allocation", "retail", "a", "store-17", ""}));
    EXPECT_TRUE(allowed(site, Verb::status, {"Site", "", "store-17", "store-17", ""}));
    EXPECT_FALSE(allowed(site, Verb::update, {"Site", "", "store-17", "store-17", ""}));
    EXPECT_FALSE(allowed(site, Verb::update, {"Allocation", "retail", "a", "store-17", ""}));
    EXPECT_FALSE(allowed(site, Verb::get, {"Node", "", "n1", "store-18", "n1"}));
    EXPECT_FALSE(allowed(site, Verb::get, {"App", "retail", "till", "", ""})) << "an object of no site belongs to none";
    EXPECT_FALSE(allowed(site, Verb::exec, {"Instance", "retail", "i", "store-17", "n1"}));
}

TEST(Rights, a_node_touches_only_itself_and_what_is_on_it) {
    Identity node = Identity::node("store-17", "n1", cell);
    EXPECT_TRUE(allowed(node, Verb::status, {"Instance", "retail", "i", "store-17", "n1"}));
    EXPECT_TRUE(allowed(node, Verb::status, {"Node", "", "n1", "store-17", "n1"}));
    EXPECT_TRUE(allowed(node, Verb::create, {"Event", "retail", "e", "store-17", "n1"}));
    EXPECT_FALSE(allowed(node, Verb::status, {"Instance", "retail", "i", "store-17", "n2"}));
    EXPECT_FALSE(allowed(node, Verb::status, {"Instance", "retail", "i", "store-18", "n1"}))
        << "a node of the same name elsewhere";
    EXPECT_FALSE(allowed(node, Verb::get, {"Instance", "retail", "i", "store-17", ""}));
    EXPECT_FALSE(allowed(node, Verb::create, {"Instance", "retail", "i", "store-17", "n1"}));
}

TEST(Rights, a_core_reads_at_its_children_and_commands_only_by_slices) {
    Identity core = Identity::core("core", cell);
    EXPECT_TRUE(allowed(core, Verb::logs, {"Instance", "retail", "i", "store-17", "n1"}));
    EXPECT_FALSE(allowed(core, Verb::update, {"Node", "", "n1", "store-17", "n1"}));
}

TEST(Rights, refusals_name_who_what_and_the_right_needed) {
    auto refused = may(Identity::of_site("store-17", cell), Verb::remove, {"App", "retail", "till", "", ""});
    EXPECT_EQ(refused.error().code, Code::forbidden);
    EXPECT_EQ(refused.error().message,
              "site store-17 may not delete App retail/till: a site reads and writes only what is its own");
    refused = may(Identity::user("n", {}), Verb::list, {"App", "retail", "", "", ""});
    EXPECT_THAT(refused.error().message, testing::StartsWith("user n may not list Apps of project retail: "));
}

TEST(Rights, links_are_for_children) {
    auto core = Identity::core("core", CellId(Id{1, 1})), harbour = Identity::core("harbour", CellId(Id{1, 2}));
    auto one = Identity::of_site("store-1", CellId(Id{2, 1})), two = Identity::of_site("store-2", CellId(Id{2, 2}));
    auto box = Identity::node("store-1", "store-1.box", CellId(Id{3, 1}));
    auto quay = Identity::node("harbour", "harbour.quay", CellId(Id{3, 2}));
    EXPECT_TRUE(may_link(one, core, Below::sites));
    EXPECT_TRUE(may_link(box, one, Below::nodes));
    EXPECT_TRUE(may_link(quay, harbour, Below::both)) << "core and site in one cell";
    EXPECT_FALSE(may_link(box, two, Below::nodes)) << "a node of another site";
    EXPECT_FALSE(may_link(box, core, Below::sites));
    EXPECT_FALSE(may_link(quay, core, Below::sites));
    EXPECT_FALSE(may_link(two, one, Below::nodes)) << "sites are no children of sites";
    EXPECT_TRUE(may_link(two, one, Below::sites)) << "but of regions";
    EXPECT_FALSE(may_link(box, one, Below::sites)) << "which have no nodes";
    EXPECT_FALSE(may_link(one, one, Below::sites)) << "nobody is below itself";
    EXPECT_FALSE(may_link(core, one, Below::nodes));
    EXPECT_FALSE(may_link(Identity::user("admin", {std::string(administrators)}), core, Below::sites));
}

TEST(Rights, verbs_have_kubernetes_names) {
    EXPECT_EQ(parse_verb("delete"), Verb::remove);
    EXPECT_EQ(parse_verb("watch"), Verb::watch);
    EXPECT_FALSE(parse_verb("update the status of"));
    EXPECT_FALSE(parse_verb(""));
}

TEST(AccessToken, speaks_for_its_user_until_it_ends) {
    env::SeededChance chance(1);
    AccessToken token = make_access_token(chance);
    AccessRecord record = record_of(token, "alice", {"skerry:viewers"}, WallTime{1000});
    record = AccessRecord::from_json(parse_json(write_json(record.json())).value()).value();
    AccessToken shown = AccessToken::parse(token.text()).value();
    EXPECT_EQ(check(record, shown, WallTime{999}).value(), Identity::user("alice", {"skerry:viewers"}));
    EXPECT_EQ(check(record, shown, WallTime{1001}).error().code, Code::unauthenticated);
    shown.secret[31] ^= 1;
    EXPECT_EQ(check(record, shown, WallTime{999}).error().code, Code::unauthenticated);
    EXPECT_EQ(write_json(record.json()).find(token.text().substr(60)), std::string::npos);
}

TEST(AccessToken, malformed_ones_are_refused) {
    env::SeededChance chance(1);
    std::string good = make_access_token(chance).text();
    for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(AccessToken::parse(good.substr(0, size))) << size;
    EXPECT_FALSE(AccessToken::parse(good + "A"));
    EXPECT_FALSE(AccessToken::parse(std::string(100'000, '.')));
}

} // namespace
} // namespace skerry::trust
