#include "trust/verify.h"

#include "trust/openssl.h"
#include "trust/trust_test_fleet.h"

#include <openssl/pem.h>

namespace skerry::trust {
namespace {

struct VerifyTest : testing::Test, Fleet {
    Result<Identity> judge(const std::vector<std::string>& chain, Judgement judgement = {}) {
        return verify_peer(chain, anchors(), judgement);
    }
    /// What a captured authority could sign, past the checks of `Authority::issue`: the same key under another name.
    Authority forged(const Authority& captured, Identity as) {
        // An authority's name is in its certificate; a captured key can sign anything below it, so give it a certificate of its
        // own making.
        Grant grant{.identity = std::move(as), .addresses = {}, .authority = true, .now = now};
        std::string key = make_key().value();
        return Authority::open(captured.issue_chain(make_request(key).value(), grant).value(), key).value();
    }
};

TEST_F(VerifyTest, accepts_the_chains_that_count) {
    EXPECT_EQ(judge(leaf(root, Identity::of_site("store-17", site_cell))).value(), Identity::of_site("store-17", site_cell));
    EXPECT_EQ(judge(leaf(root, Identity::core("core", core_cell))).value(), Identity::core("core", core_cell));
    EXPECT_EQ(judge(leaf(root, Identity::node("core", "n1", CellId(Id{3, 3})))).value().site, "core");
    EXPECT_EQ(judge(leaf(root, Identity::user("admin", {"system:masters", "ops"}))).value(),
              Identity::user("admin", {"system:masters", "ops"}));
    EXPECT_EQ(judge(leaf(site, Identity::node("store-17", "n1", CellId(Id{3, 3})))).value(),
              Identity::node("store-17", "n1", CellId(Id{3, 3})));
    EXPECT_EQ(judge(leaf(site, Identity::of_site("store-17", site_cell)), {.use = Use::server}).value().name, "store-17");
}

TEST_F(VerifyTest, a_site_anchors_at_its_own_authority) {
    std::vector<std::string> own{site.certificate_pem()};
    EXPECT_EQ(verify_peer(leaf(site, Identity::node("store-17", "n1", CellId(Id{3, 3}))), own, {}).value().name, "n1");
    EXPECT_EQ(verify_peer(leaf(site, Identity::user("local", {"system:masters"})), own, {}).value().name, "local");
    auto stranger = verify_peer(leaf(root, Identity::of_site("store-18", CellId(Id{4, 4}))), own, {});
    EXPECT_EQ(stranger.error().code, Code::unauthenticated);
}

TEST_F(VerifyTest, a_region_speaks_for_its_sites_at_itself_and_nowhere_else) {
    const Authority& region = site;
    Identity paris = Identity::of_site("paris", CellId(Id{6, 6}));
    std::vector<std::string> at_region{region.certificate_pem(), root.certificate_pem()};
    auto shown = leaf(region, paris);
    EXPECT_EQ(verify_peer(shown, at_region, {}).value(), paris);
    EXPECT_EQ(judge(shown).error().code, Code::unauthenticated) << "at the core";
    // And to its sites it is the parent that they joined.
    EXPECT_EQ(verify_parent(leaf(region, Identity::of_site("store-17", site_cell)), std::vector{region.key()}, {}).value().name,
              "store-17");
    EXPECT_FALSE(verify_parent(shown, std::vector{region.key()}, {})) << "a sibling is not";
    Authority below = sub_authority(region, paris, make_key().value());
    std::vector<std::string> at_paris{below.certificate_pem(), root.certificate_pem(), region.certificate_pem()};
    EXPECT_EQ(verify_peer(leaf(below, Identity::node("paris", "paris.n1", CellId(Id{7, 7}))), at_paris, {}).value().site,
              "paris");
}

TEST_F(VerifyTest, a_captured_site_speaks_for_nothing_beyond_itself) {
    EXPECT_EQ(judge(leaf(site, Identity::user("admin", {"system:masters"}))).error().code, Code::unauthenticated)
        << "users of a site";
    EXPECT_EQ(judge(leaf(site, Identity::of_site("store-18", CellId(Id{4, 4})))).error().code, Code::unauthenticated)
        << "another site";
    EXPECT_EQ(judge(leaf(site, Identity::of_site("store-17", CellId(Id{4, 4})))).error().code, Code::unauthenticated)
        << "another cell";
    Authority other = forged(site, Identity::of_site("store-18", CellId(Id{4, 4})));
    EXPECT_EQ(judge(leaf(other, Identity::of_site("store-18", CellId(Id{4, 4})))).error().code, Code::unauthenticated)
        << "a deeper path";
    EXPECT_EQ(judge(leaf(other, Identity::node("store-18", "n1", CellId(Id{5, 5})))).error().code, Code::unauthenticated);
    Authority again = forged(site, Identity::of_site("store-17", site_cell));
    EXPECT_EQ(judge(leaf(again, Identity::node("store-17", "n1", CellId(Id{5, 5})))).error().code, Code::unauthenticated)
        << "too long";
}

TEST_F(VerifyTest, an_authority_refuses_to_issue_beyond_its_reach) {
    std::string request = make_request(make_key().value()).value();
    EXPECT_EQ(site.issue(request, {.identity = Identity::node("store-18", "n1", CellId(Id{3, 3})), .now = now}).error().code,
              Code::forbidden);
    EXPECT_EQ(site.issue(request, {.identity = Identity::core("core", core_cell), .now = now}).error().code, Code::forbidden);
    EXPECT_EQ(root.issue(request, {.identity = Identity::user("u", {}), .authority = true, .now = now}).error().code,
              Code::forbidden);
    EXPECT_EQ(root.issue(request, {.identity = Identity::of_site("Bad Name", site_cell), .now = now}).error().code,
              Code::invalid);
    EXPECT_EQ(root.issue(request, {.identity = Identity::of_site("s", CellId()), .now = now}).error().code, Code::invalid);
    auto address =
        root.issue(request, {.identity = Identity::core("core", core_cell), .addresses = {"DNS:evil,IP:1.2.3.4"}, .now = now});
    EXPECT_EQ(address.error().code, Code::invalid) << "no way into OpenSSL's configuration language";
}

TEST_F(VerifyTest, refuses_another_fleet) {
    Fleet other;
    auto stranger = judge(other.leaf(other.root, Identity::of_site("store-17", site_cell)));
    EXPECT_EQ(stranger.error().code, Code::unauthenticated);
    EXPECT_EQ(verify_peer(leaf(root, Identity::of_site("s", site_cell)), {}, {}).error().code, Code::unauthenticated);
    EXPECT_EQ(judge({}).error().code, Code::unauthenticated);
}

TEST_F(VerifyTest, validity_counts_only_where_a_clock_is_given) {
    auto chain = leaf(root, Identity::of_site("store-17", site_cell), 24h);
    EXPECT_TRUE(judge(chain, {.at = now}));
    EXPECT_TRUE(judge(chain, {.at = WallTime{now.seconds - 86'400 * 365}})) << "a clock a year behind";
    auto late = judge(chain, {.at = WallTime{now.seconds + 90'000}});
    EXPECT_EQ(late.error().code, Code::unauthenticated);
    EXPECT_THAT(late.error().message, testing::HasSubstr("expired"));
    EXPECT_TRUE(judge(chain));
    EXPECT_EQ(judge(chain, {.mark = WallTime{now.seconds + 90'000}}).error().code, Code::unauthenticated);
}

TEST_F(VerifyTest, an_issuer_whose_clock_starts_in_1970_grants_useful_certificates) {
    Authority early = Authority::make_root(Identity::core("core", core_cell), WallTime{100}).value();
    Certificate own = read_certificate(early.certificate_pem()).value();
    EXPECT_GT(own.not_after.seconds, now.seconds);
    EXPECT_LT(own.not_before.seconds, now.seconds);
}

TEST_F(VerifyTest, uses_are_kept_apart) {
    EXPECT_TRUE(judge(leaf(root, Identity::user("admin", {})), {.use = Use::client}));
    EXPECT_EQ(judge(leaf(root, Identity::user("admin", {})), {.use = Use::server}).error().code, Code::unauthenticated);
    EXPECT_EQ(judge({root.certificate_pem()}).error().code, Code::unauthenticated) << "an authority is no peer";
    EXPECT_EQ(judge({site.certificate_pem()}).error().code, Code::unauthenticated);
}

TEST_F(VerifyTest, revoked_keys_are_out_wherever_they_stand) {
    auto chain = leaf(site, Identity::node("store-17", "n1", CellId(Id{3, 3})));
    std::string authority_key = key_fingerprint(site_authority_key).value();
    Judgement judgement{.revoked = [&](const std::string& key) { return key == authority_key; }};
    EXPECT_THAT(judge(chain, judgement).error().message, testing::HasSubstr("revoked"));
}

TEST_F(VerifyTest, what_is_remembered_of_a_chain_is_judged_again_each_time) {
    Walked walked;
    auto chain = leaf(root, Identity::of_site("store-17", site_cell), 24h);
    auto accepts = [&](Judgement judgement, std::vector<std::string> trusted) {
        judgement.walked = &walked;
        return verify_peer(chain, trusted, judgement);
    };
    EXPECT_TRUE(accepts({}, anchors()));
    ASSERT_EQ(walked.size(), 1u);
    EXPECT_TRUE(accepts({}, anchors()));
    EXPECT_EQ(walked.size(), 1u);
    for (std::string key : {read_certificate(chain[0]).value().key_fingerprint, root.key()})
        EXPECT_EQ(accepts({.revoked = [&](const std::string& each) { return each == key; }}, anchors()).error().code, Code::gone);
    EXPECT_FALSE(accepts({.at = WallTime{now.seconds + 90'000}}, anchors())) << "it has ended since";
    EXPECT_FALSE(accepts({.mark = WallTime{now.seconds + 90'000}}, anchors()));
    EXPECT_FALSE(accepts({.use = Use::server}, {Fleet().root.certificate_pem()})) << "the authority is trusted no more";
    EXPECT_EQ(walked.size(), 1u) << "what was refused is not kept";
    chain.front() = leaf(Fleet().root, Identity::of_site("store-17", site_cell)).front();
    EXPECT_FALSE(accepts({}, anchors())) << "another certificate before the same authority";
}

TEST_F(VerifyTest, a_chain_is_known_again_by_its_name_as_long_as_the_same_authorities_are_trusted) {
    Walked walked;
    Judgement judgement;
    judgement.walked = &walked;
    auto chain = leaf(root, Identity::of_site("store-17", site_cell), 24h);
    Shown first = examine_peer(chain, anchors(), judgement).value();
    ASSERT_FALSE(first.name.empty());
    Shown again = examine_again(first.name, anchors(), judgement).value();
    EXPECT_EQ(again.identity, first.identity);
    EXPECT_EQ(again.key, first.key);
    EXPECT_EQ(again.ends, first.ends);
    std::vector<std::string> more = anchors();
    more.push_back(Fleet().root.certificate_pem());
    EXPECT_EQ(examine_again(first.name, more, judgement).error().code, Code::not_found);
    EXPECT_EQ(examine_again("another", anchors(), judgement).error().code, Code::not_found);
    judgement.use = Use::server;
    EXPECT_EQ(examine_again(first.name, anchors(), judgement).error().code, Code::not_found);
    judgement.use = Use::client;
    judgement.revoked = [&](const std::string& key) { return key == first.key; };
    EXPECT_EQ(examine_again(first.name, anchors(), judgement).error().code, Code::gone);
    judgement.revoked = {};
    judgement.walked = nullptr;
    EXPECT_EQ(examine_again(first.name, anchors(), judgement).error().code, Code::not_found);
}

TEST_F(VerifyTest, of_a_remembered_parent_the_pin_counts) {
    Walked walked;
    auto parent = leaf(root, Identity::core("core", core_cell), 24h);
    std::vector<std::string> pin{root.key()}, other{Fleet().root.key()};
    EXPECT_TRUE(verify_parent(parent, pin, {}, &walked));
    EXPECT_TRUE(verify_parent(parent, pin, {}, &walked));
    EXPECT_EQ(walked.size(), 1u);
    EXPECT_FALSE(verify_parent(parent, other, {}, &walked));
    EXPECT_FALSE(verify_parent(parent, pin, WallTime{now.seconds + 90'000}, &walked));
    auto sibling = leaf(root, Identity::of_site("store-18", CellId(Id{4, 4})));
    for (int i = 0; i < 2; ++i) EXPECT_FALSE(verify_parent(sibling, pin, {}, &walked));
}

TEST_F(VerifyTest, few_chains_are_remembered) {
    Walked walked(4);
    for (std::uint64_t n = 0; n < 20; ++n) {
        Judgement judgement;
        judgement.walked = &walked;
        EXPECT_TRUE(judge(leaf(root, Identity::of_site("store-17", CellId(Id{2, n}))), judgement));
        EXPECT_LE(walked.size(), 8u);
    }
}

TEST_F(VerifyTest, the_parent_is_the_cell_that_owns_the_pinned_authority) {
    auto parent = leaf(root, Identity::core("core", core_cell));
    std::vector<std::string> pin{root.key()};
    EXPECT_EQ(verify_parent(parent, pin).value(), Identity::core("core", core_cell));
    auto sibling = verify_parent(leaf(root, Identity::of_site("store-18", CellId(Id{4, 4}))), pin);
    EXPECT_EQ(sibling.error().code, Code::unauthenticated) << "another site of the fleet must not pass as the parent";
    std::vector<std::string> site_pin{site.key()};
    EXPECT_EQ(verify_parent(leaf(site, Identity::of_site("store-17", site_cell)), site_pin).value().name, "store-17");
    EXPECT_FALSE(verify_parent(leaf(site, Identity::node("store-17", "n1", CellId(Id{3, 3}))), site_pin));
    Fleet other;
    EXPECT_FALSE(verify_parent(other.leaf(other.root, Identity::core("core", core_cell)), pin));
    parent.pop_back();
    EXPECT_FALSE(verify_parent(parent, pin)) << "the pinned certificate must be shown";
    auto mixed = other.leaf(other.root, Identity::core("core", core_cell));
    mixed.push_back(root.certificate_pem());
    EXPECT_FALSE(verify_parent(mixed, pin)) << "showing it without leading to it";
}

TEST_F(VerifyTest, a_clock_in_the_year_2100_does_not_keep_a_child_from_its_parent) {
    auto parent = leaf(root, Identity::core("core", core_cell), 24h);
    std::vector<std::string> pin{root.key()};
    EXPECT_TRUE(verify_parent(parent, pin));
    EXPECT_FALSE(verify_parent(parent, pin, WallTime{now.seconds + 90'000})) << "but time known to have passed counts";
}

TEST_F(VerifyTest, renewal_wants_the_key_on_record) {
    auto chain = leaf(root, Identity::of_site("store-17", site_cell), 0s);
    std::string key = read_certificate(chain[0]).value().key_fingerprint;
    EXPECT_EQ(verify_renewal(chain, anchors(), key).value().name, "store-17");
    EXPECT_FALSE(verify_renewal(chain, anchors(), std::string(64, '0')));
}

TEST_F(VerifyTest, damaged_certificates_are_refused_never_fatal) {
    auto good = leaf(root, Identity::of_site("store-17", site_cell));
    std::string base = good[0];
    env::SeededChance chance(5);
    for (int i = 0; i < 2000; ++i) {
        std::string bad = base;
        switch (chance.bits() % 3) {
        case 0:
            bad.resize(chance.bits() % bad.size());
            break;
        case 1:
            bad[chance.bits() % bad.size()] = static_cast<char>(chance.bits());
            break;
        default:
            bad.insert(chance.bits() % bad.size(), std::string(chance.bits() % 9, 'A'));
            break;
        }
        if (bad == base) continue;
        auto chain = good;
        chain[0] = bad;
        auto judged = judge(chain);
        if (judged) {
            EXPECT_EQ(*judged, Identity::of_site("store-17", site_cell));
        }
        (void)read_certificate(bad);
        (void)split_chain(bad);
        (void)request_fingerprint(bad);
        (void)key_fingerprint(bad);
    }
    EXPECT_FALSE(judge(std::vector<std::string>(100, base)));
    EXPECT_EQ(read_certificate(std::string(100'000, 'x')).error().code, Code::invalid);
    EXPECT_EQ(split_chain(std::string(100'000, 'x')).error().code, Code::invalid);
    std::string many;
    for (int i = 0; i < 9; ++i) many += base;
    EXPECT_EQ(split_chain(many).error().code, Code::invalid);
}

TEST(Certificate, carries_addresses_and_groups) {
    Fleet fleet;
    Grant grant{.identity = Identity::core("core", fleet.core_cell),
                .addresses = {"10.0.0.7:7443", "[fd00::1]:7443", "core.example", "127.0.0.1:1"},
                .authority = false,
                .now = fleet.now};
    Certificate certificate = read_certificate(fleet.root.issue(make_request(make_key().value()).value(), grant).value()).value();
    EXPECT_THAT(certificate.addresses,
                testing::UnorderedElementsAre("10.0.0.7", "fd00::1", "core.example", "127.0.0.1", "::1", "localhost"));
    EXPECT_FALSE(certificate.is_authority);
    EXPECT_TRUE(read_certificate(fleet.root.certificate_pem()).value().is_authority);
    EXPECT_GT(read_certificate(fleet.root.certificate_pem()).value().not_after.seconds, fleet.now.seconds + 99ll * 365 * 86'400);
}

TEST(Certificate, without_a_name_of_ours_is_unauthenticated) {
    KeyPtr key(EVP_EC_gen("P-256"));
    CertificatePtr foreign(X509_new());
    ASN1_TIME_set(X509_getm_notBefore(foreign.get()), 0);
    ASN1_TIME_set(X509_getm_notAfter(foreign.get()), 4'000'000'000);
    X509_set_pubkey(foreign.get(), key.get());
    X509_sign(foreign.get(), key.get(), EVP_sha256());
    EXPECT_EQ(read_certificate(pem_of(foreign.get())).error().code, Code::unauthenticated);
}

TEST(Request, other_curves_and_kinds_of_keys_are_refused) {
    for (EVP_PKEY* raw : {EVP_EC_gen("P-384"), EVP_RSA_gen(2048)}) {
        KeyPtr key(raw);
        BioPtr bio(BIO_new(BIO_s_mem()));
        ASSERT_EQ(PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
        char* text = nullptr;
        long size = BIO_get_mem_data(bio.get(), &text);
        auto request = make_request({text, static_cast<std::size_t>(size)});
        ASSERT_TRUE(request);
        EXPECT_EQ(request_fingerprint(*request).error().code, Code::invalid);
    }
}

TEST(Authority, open_refuses_what_does_not_belong_together) {
    Fleet fleet;
    EXPECT_EQ(Authority::open(fleet.root.chain_pem(), make_key().value()).error().code, Code::corrupt);
    std::string key = make_key().value();
    Grant grant{.identity = Identity::core("core", fleet.core_cell), .addresses = {}, .authority = false, .now = fleet.now};
    EXPECT_EQ(Authority::open(fleet.root.issue(make_request(key).value(), grant).value(), key).error().code, Code::invalid);
    EXPECT_EQ(Authority::make_root(Identity::user("u", {}), fleet.now).error().code, Code::invalid);
}

TEST(Identity, uris_have_one_spelling) {
    for (const Identity& identity :
         {Identity::core("core", CellId(Id{1, 2})), Identity::of_site("store-17.emea", CellId(Id{1, 2})),
          Identity::node("store-17", "n-1", CellId(Id{1, 2})), Identity::user("alice@example.com", {})})
        EXPECT_EQ(parse_uri(uri_of(identity)).value(), identity);
    for (const char* bad :
         {"", "skerry://", "skerry://site/a", "skerry://site//00000000000000010000000000000002", "http://site/a/b",
          "skerry://site/A/00000000000000010000000000000002", "skerry://site/a/0000000000000001000000000000000A",
          "skerry://site/a/00000000000000000000000000000000", "skerry://site/a-/00000000000000010000000000000002",
          "skerry://node/a/00000000000000010000000000000002", "skerry://user/a/b", "skerry://user/",
          "skerry://site/a..b/00000000000000010000000000000002", "skerry://king/a/00000000000000010000000000000002"})
        EXPECT_FALSE(parse_uri(bad)) << bad;
}

} // namespace
} // namespace skerry::trust
