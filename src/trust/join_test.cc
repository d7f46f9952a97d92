#include "trust/join.h"

#include "trust/trust_test_fleet.h"
#include "trust/verify.h"

namespace skerry::trust {
namespace {

struct JoinTest : testing::Test, Fleet {
    env::SeededChance chance{1};
    JoinToken token = make_join_token(chance, JoinKind::site, "store-18", root.key(), {"10.0.0.1:7443", "core.example:7443"},
                                      WallTime{now.seconds + 3600});
    TokenRecord record = record_of(token, {{"tier", "store"}});
    JoinRequest request{.token = token.id,
                        .secret = token.secret,
                        .cell = CellId(Id{8, 8}),
                        .request = make_request(make_key().value()).value(),
                        .authority_request = make_request(make_key().value()).value()};
    static RedeemTerms at(WallTime when) { return {.now = when, .judged = when}; }
};

TEST_F(JoinTest, token_survives_its_text) {
    EXPECT_EQ(parse_join_token(text(token)).value(), token);
    std::string wrapped = "  " + text(token) + "\n";
    wrapped.insert(60, "\r\n  ");
    EXPECT_EQ(parse_join_token(wrapped).value(), token);
}

TEST_F(JoinTest, a_region_joins_as_a_site_with_a_token_of_its_own_kind) {
    token.kind = JoinKind::region;
    auto parsed = parse_join_token(text(token));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->kind, JoinKind::region);
    auto redeemed = redeem(TokenRecord::from_json(record_of(token).json()).value(), request, root, at(now));
    ASSERT_TRUE(redeemed) << redeemed.error().message;
    EXPECT_EQ(redeemed->identity.role, Role::site);
    EXPECT_FALSE(redeemed->answer.authority_chain.empty());
    EXPECT_EQ(accept(token, request, redeemed->answer).value(), redeemed->identity);
    EXPECT_FALSE(parse_join_kind("zone"));
}

TEST_F(JoinTest, cut_or_altered_tokens_are_told_apart_from_foreign_ones) {
    std::string good = text(token);
    for (std::size_t size = 0; size < good.size(); ++size) {
        auto parsed = parse_join_token(std::string_view(good).substr(0, size));
        ASSERT_FALSE(parsed) << size;
        if (size > 20) {
            EXPECT_THAT(parsed.error().message, testing::HasSubstr("cut short")) << size;
        }
    }
    for (std::size_t i = 8; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        EXPECT_FALSE(parse_join_token(bad)) << i;
    }
    EXPECT_EQ(parse_join_token("skerry2." + good.substr(8)).error().code, Code::unsupported);
    EXPECT_THAT(parse_join_token("K10abc::server:def").error().message, testing::HasSubstr("does not begin with"));
    EXPECT_THAT(parse_join_token("").error().message, testing::HasSubstr("empty"));
    EXPECT_FALSE(parse_join_token("skerry1." + std::string(100'000, 'A')));
    EXPECT_FALSE(parse_join_token("skerry1.%%%%"));
}

TEST_F(JoinTest, hostile_tokens_with_a_good_checksum_are_refused) {
    JoinToken bad = token;
    bad.addresses = {};
    EXPECT_FALSE(parse_join_token(text(bad)));
    bad.addresses = {"http://x/"};
    EXPECT_FALSE(parse_join_token(text(bad)));
    bad.addresses = std::vector<std::string>(17, "h:1");
    EXPECT_FALSE(parse_join_token(text(bad)));
    bad = token;
    bad.name = "../../etc";
    EXPECT_FALSE(parse_join_token(text(bad)));
    bad = token;
    bad.secret = "short";
    EXPECT_FALSE(parse_join_token(text(bad)));
    bad = token;
    bad.authority_key = "";
    EXPECT_FALSE(parse_join_token(text(bad)));
}

TEST_F(JoinTest, a_site_receives_a_certificate_and_an_authority) {
    Redeemed redeemed = redeem(record, request, root, at(now)).value();
    EXPECT_FALSE(redeemed.repeated);
    EXPECT_EQ(redeemed.identity, Identity::of_site("store-18", request.cell));
    EXPECT_EQ(accept(token, request, redeemed.answer).value(), redeemed.identity);
    EXPECT_EQ(verify_peer(split_chain(redeemed.answer.chain).value(), anchors(), {}).value(), redeemed.identity);
    EXPECT_EQ(redeemed.record.labels.at("tier"), "store");
}

TEST_F(JoinTest, a_node_joins_a_site_that_is_cut_off) {
    JoinToken node = make_join_token(chance, JoinKind::node, "n2", site.key(), {"10.0.0.2:7443"}, WallTime{now.seconds + 60});
    JoinRequest asks{
        .token = node.id, .secret = node.secret, .cell = CellId(Id{9, 9}), .request = make_request(make_key().value()).value()};
    Redeemed redeemed = redeem(record_of(node), asks, site, at(now)).value();
    EXPECT_EQ(redeemed.identity, Identity::node("store-17", "n2", asks.cell));
    EXPECT_EQ(accept(node, asks, redeemed.answer).value(), redeemed.identity);
    asks.authority_request = request.authority_request;
    EXPECT_EQ(redeem(record_of(node), asks, site, at(now)).error().code, Code::invalid) << "nodes have no authority";
}

TEST_F(JoinTest, a_repeated_join_returns_the_same_answer_and_another_key_is_refused) {
    Redeemed first = redeem(record, request, root, at(now)).value();
    // As the parent finds it again in its store.
    first.record.object = Uid(Id{3, 4});
    first.record.replaces = true;
    TokenRecord stored = TokenRecord::from_json(parse_json(write_json(first.record.json())).value()).value();
    EXPECT_EQ(stored.object, first.record.object);
    EXPECT_TRUE(stored.replaces);
    Redeemed again = redeem(stored, request, root, at(WallTime{now.seconds + 1'000'000})).value();
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.answer.chain, first.answer.chain);
    EXPECT_EQ(again.answer.authority_chain, first.answer.authority_chain);

    JoinRequest other = request;
    other.request = make_request(make_key().value()).value();
    auto refused = redeem(stored, other, root, at(now));
    EXPECT_EQ(refused.error().code, Code::forbidden);
    EXPECT_THAT(refused.error().message, testing::HasSubstr("was used"));
    other = request;
    other.authority_request = make_request(make_key().value()).value();
    EXPECT_EQ(redeem(stored, other, root, at(now)).error().code, Code::forbidden);
    other = request;
    other.cell = CellId(Id{7, 7});
    EXPECT_EQ(redeem(stored, other, root, at(now)).error().code, Code::forbidden);
}

TEST_F(JoinTest, wrong_secrets_late_and_malformed_requests_are_refused) {
    JoinRequest bad = request;
    bad.secret[0] ^= 1;
    EXPECT_EQ(redeem(record, bad, root, at(now)).error().code, Code::unauthenticated);
    bad = request;
    bad.token = Id{5, 5};
    EXPECT_EQ(redeem(record, bad, root, at(now)).error().code, Code::unauthenticated);
    EXPECT_EQ(redeem(record, request, root, at(WallTime{now.seconds + 4000})).error().code, Code::unauthenticated);
    // A clock that nobody vouches for ends nothing (rule T1).
    EXPECT_TRUE(redeem(record, request, root, {.now = WallTime{now.seconds + 4'000'000}, .judged = now}));
    bad = request;
    bad.request = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";
    EXPECT_EQ(redeem(record, bad, root, at(now)).error().code, Code::invalid);
    bad = request;
    bad.authority_request.clear();
    EXPECT_EQ(redeem(record, bad, root, at(now)).error().code, Code::invalid);
    bad = request;
    bad.authority_request = bad.request;
    EXPECT_EQ(redeem(record, bad, root, at(now)).error().code, Code::invalid) << "one key for both";
    bad = request;
    bad.cell = CellId();
    EXPECT_EQ(redeem(record, bad, root, at(now)).error().code, Code::invalid);
}

TEST_F(JoinTest, the_joining_side_checks_what_it_gets) {
    JoinAnswer answer = redeem(record, request, root, at(now)).value().answer;
    Fleet other;
    JoinAnswer foreign = redeem(record, request, other.root, at(now)).value().answer;
    EXPECT_EQ(accept(token, request, foreign).error().code, Code::unauthenticated);
    JoinAnswer mixed = foreign;
    mixed.parent_authority = answer.parent_authority;
    EXPECT_EQ(accept(token, request, mixed).error().code, Code::unauthenticated);
    JoinRequest changed = request;
    changed.request = make_request(make_key().value()).value();
    EXPECT_EQ(accept(token, changed, answer).error().code, Code::corrupt);
    changed = request;
    changed.cell = CellId(Id{7, 7});
    EXPECT_EQ(accept(token, changed, answer).error().code, Code::corrupt);
    mixed = answer;
    mixed.authority_chain = answer.chain;
    EXPECT_EQ(accept(token, request, mixed).error().code, Code::corrupt);
    mixed.authority_chain.clear();
    EXPECT_FALSE(accept(token, request, mixed));
}

TEST_F(JoinTest, structs_survive_json_and_malformed_json_is_refused) {
    JoinRequest back = JoinRequest::from_json(parse_json(write_json(request.json())).value()).value();
    EXPECT_EQ(back.secret, request.secret);
    EXPECT_EQ(back.authority_request, request.authority_request);
    EXPECT_EQ(back.cell, request.cell);
    JoinAnswer answer = redeem(record, request, root, at(now)).value().answer;
    EXPECT_EQ(JoinAnswer::from_json(answer.json()).value().parent, answer.parent);
    EXPECT_EQ(TokenRecord::from_json(record.json()).value().secret_hash, record.secret_hash);
    for (const char* bad :
         {"{}", "[]", "null", R"({"token":1})", R"({"token":"00000000000000010000000000000002","secret":"AAAA"})"})
        EXPECT_FALSE(JoinRequest::from_json(parse_json(bad).value())) << bad;
    Json long_request = request.json();
    long_request.set("request", std::string(100'000, 'x'));
    EXPECT_FALSE(JoinRequest::from_json(long_request));
}

TEST_F(JoinTest, the_record_holds_no_secret) {
    EXPECT_EQ(write_json(record.json()).find(request.json().text("secret")), std::string::npos);
}

} // namespace
} // namespace skerry::trust
