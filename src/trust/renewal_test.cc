#include "trust/renewal.h"

#include "trust/trust_test_fleet.h"
#include "trust/verify.h"

#include <map>

namespace skerry::trust {
namespace {

struct RenewalTest : testing::Test, Fleet {
    Identity self = Identity::of_site("store-17", site_cell);
    Member member{.cell = site_cell,
                  .key = key_fingerprint(site_key).value(),
                  .authority_key = key_fingerprint(site_authority_key).value(),
                  .ends = now,
                  .issued_by = root.key(),
                  .follows = root.key()};
    RenewalRequest whole{.nonce = Id{7, 7},
                         .follows = root.key(),
                         .request = make_request(site_key).value(),
                         .authority_request = make_request(site_authority_key).value()};

    RenewalTerms terms(std::int64_t clock, bool knows_time = true) {
        WallTime at{clock, 0};
        return {.now = at, .time = knows_time ? std::optional(at) : std::nullopt, .life = 24h * 90};
    }
};

TEST_F(RenewalTest, gives_new_certificates_for_the_keys_on_record) {
    auto renewed = renew(self, member, whole, root, {}, terms(now.seconds)).value();
    ASSERT_TRUE(accept(self, whole, renewed.answer, root.certificate_pem(), now));
    Certificate given = read_certificate(renewed.answer.chain).value();
    EXPECT_EQ(given.not_after.seconds, now.seconds + 90 * 86'400);
    EXPECT_EQ(renewed.member.ends, given.not_after);
    EXPECT_EQ(renewed.member.issued_by, root.key());
    EXPECT_TRUE(verify_peer(split_chain(renewed.answer.chain).value(), anchors(), {.at = now}));
    Authority again = Authority::open(renewed.answer.authority_chain, site_authority_key).value();
    EXPECT_EQ(again.key(), site.key()) << "nodes pin the key, which stays";
}

TEST_F(RenewalTest, works_with_clocks_of_1970_and_2100_and_after_400_days) {
    for (std::int64_t clock : {std::int64_t{100}, now.seconds + 400 * 86'400, std::int64_t{4'102'444'800}}) {
        auto renewed = renew(self, member, whole, root, {}, terms(clock)).value();
        EXPECT_TRUE(accept(self, whole, renewed.answer, root.certificate_pem(), WallTime{})) << clock;
    }
    // A parent whose clock is far behind gives what is known to be over: the child keeps what it has, and asks again later.
    auto behind = renew(self, member, whole, root, {}, terms(100)).value();
    auto refused = accept(self, whole, behind.answer, root.certificate_pem(), WallTime{now.seconds + 400 * 86'400});
    EXPECT_EQ(refused.error().code, Code::unauthenticated);
}

TEST_F(RenewalTest, another_key_is_refused) {
    RenewalRequest other = whole;
    other.request = make_request(make_key().value()).value();
    EXPECT_EQ(renew(self, member, other, root, {}, terms(now.seconds)).error().code, Code::forbidden);
    other = whole;
    other.authority_request = make_request(make_key().value()).value();
    EXPECT_EQ(renew(self, member, other, root, {}, terms(now.seconds)).error().code, Code::forbidden);
    other.authority_request.clear();
    EXPECT_FALSE(renew(self, member, other, root, {}, terms(now.seconds)));
}

TEST_F(RenewalTest, the_time_is_signed_for_one_nonce_and_one_cell) {
    RenewalRequest ask{.nonce = Id{1, 2}, .follows = root.key(), .request = {}, .authority_request = {}};
    auto answer = renew(self, member, ask, root, {}, terms(now.seconds)).value().answer;
    EXPECT_TRUE(answer.chain.empty());
    std::string authority = root.certificate_pem();
    EXPECT_EQ(verified_time(answer, Id{1, 2}, site_cell, authority).value(), now);
    EXPECT_FALSE(verified_time(answer, Id{1, 3}, site_cell, authority)) << "an old answer, replayed";
    EXPECT_FALSE(verified_time(answer, Id{1, 2}, core_cell, authority)) << "somebody else's answer";
    EXPECT_FALSE(verified_time(answer, Id{1, 2}, site_cell, Fleet().root.certificate_pem()));
    auto moved = answer;
    moved.time = WallTime{4'102'444'800, 0};
    EXPECT_FALSE(verified_time(moved, Id{1, 2}, site_cell, authority));
    moved = answer;
    moved.signature.clear();
    EXPECT_FALSE(verified_time(moved, Id{1, 2}, site_cell, authority));
    auto silent = renew(self, member, ask, root, {}, terms(now.seconds, false)).value().answer;
    EXPECT_FALSE(verified_time(silent, Id{1, 2}, site_cell, authority).value().has_value()) << "told nothing, learned nothing";
}

TEST_F(RenewalTest, what_was_not_asked_for_is_not_taken) {
    auto answer = renew(self, member, whole, root, {}, terms(now.seconds)).value().answer;
    EXPECT_FALSE(accept(Identity::of_site("store-18", site_cell), whole, answer, root.certificate_pem(), {}));
    EXPECT_FALSE(accept(self, whole, answer, Fleet().root.certificate_pem(), {})) << "another authority issued it";
    RenewalRequest other = whole;
    other.request = make_request(make_key().value()).value();
    EXPECT_FALSE(accept(self, other, answer, root.certificate_pem(), {}));
    auto half = answer;
    half.authority_chain.clear();
    EXPECT_FALSE(accept(self, whole, half, root.certificate_pem(), {}));
    half.authority_chain = answer.chain;
    EXPECT_FALSE(accept(self, whole, half, root.certificate_pem(), {})) << "a leaf is no authority";
}

TEST_F(RenewalTest, tells_who_follows_an_older_key_how_it_goes_on) {
    Authority next = Authority::make_root(Identity::core("core", core_cell), now).value();
    Succession succession{succeed(root, next).value()};
    auto renewed = renew(self, member, whole, next, succession, terms(now.seconds)).value();
    EXPECT_EQ(renewed.answer.succession, succession);
    EXPECT_EQ(renewed.member.follows, root.key());
    RenewalRequest following = whole;
    following.follows = next.key();
    renewed = renew(self, member, following, next, succession, terms(now.seconds)).value();
    EXPECT_TRUE(renewed.answer.succession.empty());
    EXPECT_EQ(renewed.member.issued_by, next.key());
    EXPECT_TRUE(accept(self, following, renewed.answer, next.certificate_pem(), now));
}

TEST_F(RenewalTest, reads_back) {
    auto read = RenewalRequest::from_json(whole.json()).value();
    EXPECT_EQ(read.json(), whole.json());
    Authority next = Authority::make_root(Identity::core("core", core_cell), now).value();
    auto renewed = renew(self, member, whole, next, {succeed(root, next).value()}, terms(now.seconds)).value();
    renewed.answer.revocations = {{.id = Id{3, 4}, .node = "store-17.box-2", .reason = "stolen"}};
    renewed.answer.time = WallTime{now.seconds, 5'000'007};
    auto answer = RenewalAnswer::from_json(renewed.answer.json()).value();
    EXPECT_EQ(answer.json(), renewed.answer.json());
    EXPECT_EQ(answer.time, renewed.answer.time);
    EXPECT_EQ(answer.revocations, renewed.answer.revocations);
    EXPECT_EQ(RenewalRequest::from_json(whole.json()).value().heard, "");
    whole.heard = digest_of(answer.revocations);
    EXPECT_EQ(RenewalRequest::from_json(whole.json()).value().heard, whole.heard);
    answer.revocations.push_back({.id = Id{3, 5}, .node = "store-17.box-3", .reason = "stolen"});
    EXPECT_NE(digest_of(answer.revocations), whole.heard);
    EXPECT_EQ(answer.life, 24h * 90);
    EXPECT_EQ(Member::from_json(member.json()).value(), member);
    EXPECT_FALSE(RenewalRequest::from_json(Json::object({{"nonce", "short"}})));
    EXPECT_FALSE(RenewalRequest::from_json(Json::object({{"nonce", Id{1, 1}.text()}, {"follows", std::string(65, 'a')}})));
}

} // namespace
} // namespace skerry::trust
