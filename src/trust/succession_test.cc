#include "trust/succession.h"

#include "trust/openssl.h"
#include "trust/trust_test_fleet.h"
#include "trust/verify.h"

namespace skerry::trust {
namespace {

struct SuccessionTest : testing::Test, Fleet {
    Authority next_root() { return Authority::make_root(Identity::core("core", core_cell), now).value(); }
    Authority second = next_root(), third = next_root();
    Succession all{succeed(root, second).value(), succeed(second, third).value()};
    std::string key_of(const std::string& pem) { return read_certificate(pem).value().key_fingerprint; }
};

TEST_F(SuccessionTest, leads_from_any_key_to_the_newest) {
    auto passed = follow(root.key(), all).value();
    ASSERT_EQ(passed.size(), 2u);
    EXPECT_EQ(key_of(passed[0]), second.key());
    EXPECT_EQ(key_of(passed[1]), third.key());
    EXPECT_EQ(follow(second.key(), all).value().size(), 1u);
    EXPECT_EQ(follow(third.key(), all).error().code, Code::unauthenticated) << "nothing leads on";
    EXPECT_EQ(since(second.key(), all), Succession{all[1]});
    EXPECT_TRUE(since(third.key(), all).empty());
}

TEST_F(SuccessionTest, reads_back_and_is_bounded) {
    EXPECT_EQ(parse_succession(json(all)).value(), all);
    EXPECT_TRUE(parse_succession(json({})).value().empty());
    EXPECT_FALSE(parse_succession(Json("no")));
    EXPECT_FALSE(parse_succession(json(Succession(longest_succession + 1, all[0]))));
    EXPECT_FALSE(parse_succession(json({Step{std::string(9 << 10, 'x'), all[0].cross, all[0].to}})));
    EXPECT_EQ(follow(root.key(), Succession(longest_succession + 1, all[0])).error().code, Code::unauthenticated);
}

TEST_F(SuccessionTest, only_the_old_key_can_vouch) {
    Fleet stranger;
    Authority usurper = stranger.root; // same names, another key
    auto forged = all;
    forged[0].to = usurper.certificate_pem();
    EXPECT_EQ(follow(root.key(), forged).error().code, Code::unauthenticated) << "another key than was vouched for";
    forged[0].cross = usurper.certificate_pem();
    EXPECT_EQ(follow(root.key(), forged).error().code, Code::unauthenticated) << "vouched for by itself";
    forged[0].cross = usurper.vouch_for(usurper).value();
    EXPECT_EQ(follow(root.key(), forged).error().code, Code::unauthenticated);
    EXPECT_EQ(follow(root.key(), {all[0], {usurper.certificate_pem(), all[1].cross, all[1].to}}).error().code,
              Code::unauthenticated)
        << "a gap";
    EXPECT_EQ(follow(root.key(), {all[0], all[0]}).error().code, Code::unauthenticated) << "a circle";
    EXPECT_EQ(succeed(root, root).error().code, Code::conflict);
    EXPECT_EQ(succeed(root, site).error().code, Code::forbidden);
}

TEST_F(SuccessionTest, a_leaf_is_no_step) {
    auto chain = leaf(root, Identity::core("core", core_cell));
    auto forged = all;
    forged[0].cross = chain[0];
    forged[0].to = chain[0];
    EXPECT_EQ(follow(root.key(), forged).error().code, Code::unauthenticated);
}

TEST_F(SuccessionTest, clocks_play_no_part_in_it) {
    Authority early = Authority::make_root(Identity::core("core", core_cell), WallTime{100}).value();
    Authority late = Authority::make_root(Identity::core("core", core_cell), WallTime{4'102'444'800}).value();
    EXPECT_EQ(follow(early.key(), {succeed(early, late).value()}).value().size(), 1u);
    EXPECT_EQ(follow(late.key(), {succeed(late, early).value()}).value().size(), 1u);
}

/// What kubectl does with an old kubeconfig: standard path building from the old root over what the server shows.
bool leads(const std::string& anchor, const std::string& chain) {
    auto pems = split_chain(chain).value();
    std::vector<CertificatePtr> owned;
    ReferencesPtr others(sk_X509_new_null());
    for (const auto& pem : pems) {
        owned.push_back(read_x509(pem).value());
        if (owned.size() > 1) sk_X509_push(others.get(), owned.back().get());
    }
    std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>> store(X509_STORE_new());
    CertificatePtr trusted = read_x509(anchor).value();
    X509_STORE_add_cert(store.get(), trusted.get());
    std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
    X509_STORE_CTX_init(context.get(), store.get(), owned.front().get(), others.get());
    return X509_verify_cert(context.get()) == 1;
}

TEST_F(SuccessionTest, clients_that_hold_an_older_root_find_the_way_over_what_is_shown) {
    third.show_crosses(crosses(all));
    Grant grant{.identity = Identity::core("core", core_cell), .addresses = {"core.example"}, .authority = false, .now = now};
    std::string shown = third.issue_chain(make_request(make_key().value()).value(), grant).value();
    for (const Authority* known : {&root, &second, &third}) EXPECT_TRUE(leads(known->certificate_pem(), shown));
    EXPECT_FALSE(leads(Fleet().root.certificate_pem(), shown));
    // And cells judge such chains as they judge any other.
    std::vector<std::string> pin{third.key()};
    EXPECT_TRUE(verify_parent(split_chain(shown).value(), pin));
}

TEST_F(SuccessionTest, a_child_that_was_away_for_it_keeps_its_certificate_until_it_renews) {
    auto old = leaf(root, Identity::of_site("store-17", site_cell));
    std::vector<std::string> now_trusted{third.certificate_pem(), second.certificate_pem(), root.certificate_pem()};
    EXPECT_TRUE(verify_peer(old, now_trusted, {}));
    std::vector<std::string> newest_alone{third.certificate_pem()};
    EXPECT_FALSE(verify_peer(old, newest_alone, {})) << "after a compromise the old key speaks for nobody";
}

TEST_F(SuccessionTest, a_sites_authority_changes_its_key_too) {
    std::string key = make_key().value();
    Authority next = sub_authority(root, Identity::of_site("store-17", site_cell), key);
    auto passed = follow(site.key(), {succeed(site, next).value()}).value();
    ASSERT_EQ(passed.size(), 1u);
    EXPECT_EQ(key_of(passed[0]), next.key());
}

} // namespace
} // namespace skerry::trust
