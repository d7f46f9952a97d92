#include "main/desks/join_desk.h"

#include "cell/links/seats.h"
#include "env/fake_files.h"
#include "main/desks/desk_test.h"
#include "main/membership/membership.h"
#include "main/membership/register.h"
#include "model/site.pb.h"
#include "store/test_env.h"
#include "trust/join.h"

#include <gmock/gmock.h>

namespace skerry::main {
namespace {

using testing::HasSubstr;

/// A machine that has joined nothing yet.
struct Joiner {
    explicit Joiner(std::uint64_t seed) : env(seed) {
        store = std::move(*store::Store::open(env.env(), std::make_unique<store::MemoryBackend>(disk), {}));
        membership.emplace(env.env(), files, *store, "/keys");
    }
    trust::JoinRequest request(const std::string& token) {
        return membership->prepare_join(*trust::parse_join_token(token)).value();
    }
    store::TestEnv env;
    env::FakeFiles files;
    std::shared_ptr<store::MemoryDisk> disk = std::make_shared<store::MemoryDisk>();
    std::unique_ptr<store::Store> store;
    std::optional<Membership> membership;
};

struct JoinDeskTest : DeskTest {
    void SetUp() override {
        ASSERT_TRUE(membership.ensure_core("core", {}));
        desk = std::make_unique<JoinDesk>(JoinDesk::Options{
            .cell = *core.cell,
            .store = *core.store,
            .membership = membership,
            .members = members,
            .life = 24h,
            .joined = [this](const trust::Identity& identity) { joined.push_back(identity.name); },
            .site = {},
            .takes_sites = true,
            .takes_nodes = false,
            .addresses = [] { return std::vector<std::string>{"10.0.0.1:7443"}; },
            .advertise = [](const std::vector<std::string>& addresses) -> Result<std::vector<std::string>> { return addresses; },
            .identify = identify()});
    }
    std::string token(const std::string& body = R"({"kind":"site","name":"store-17"})") {
        auto made = ask(*desk, "POST", "/tokens/v1", body);
        EXPECT_EQ(made.status, 201) << made.message();
        return std::string(made.body.text("token"));
    }
    Answer join(const trust::JoinRequest& request) { return ask(*desk, "POST", "/join/v1", write_json(request.json())); }

    void erase_site() {
        store::Transaction transaction;
        transaction.erase(site_key, store::Transaction::anything());
        core.store->commit(std::move(transaction), nullptr);
        world.settle();
    }

    static constexpr std::int64_t year = 365 * 24 * 3600;
    store::Key site_key{model::Kind::site, "", "store-17"};
    env::FakeFiles files;
    Membership membership{core.env(), files, *core.store, "/keys"};
    Register members{*core.store};
    std::unique_ptr<JoinDesk> desk;
    std::vector<std::string> joined;
};

TEST_F(JoinDeskTest, AJoinRepeatedWithTheSameKeyGetsTheSameCertificate) {
    auto text = token();
    Joiner site(11);
    auto request = site.request(text);
    auto first = join(request), again = join(request);
    ASSERT_EQ(first.status, 200) << first.message();
    EXPECT_EQ(write_json(again.body), write_json(first.body));
    EXPECT_EQ(joined, std::vector<std::string>{"store-17"}) << "once";
    auto answer = trust::JoinAnswer::from_json(first.body);
    auto identity = trust::accept(*trust::parse_join_token(text), request, *answer);
    ASSERT_TRUE(identity) << identity.error().message;
    EXPECT_EQ(identity->name, "store-17");
    world.pass(25h);
    EXPECT_EQ(join(request).status, 200) << "also after the token's end";
}

TEST_F(JoinDeskTest, ATokenIsForOne) {
    auto text = token();
    Joiner site(11), thief(12);
    ASSERT_EQ(join(site.request(text)).status, 200);
    auto refused = join(thief.request(text));
    EXPECT_EQ(refused.status, 403) << refused.message();
    EXPECT_EQ(joined.size(), 1u);
}

TEST_F(JoinDeskTest, ATokenEnds) {
    auto text = token(R"({"kind":"site","name":"store-17","ttl":"10m"})");
    Joiner site(11);
    auto request = site.request(text);
    world.pass(11min);
    EXPECT_EQ(join(request).status, 401);
    EXPECT_TRUE(joined.empty());
    auto forged = request;
    forged.secret = std::string(32, 'x');
    EXPECT_EQ(join(forged).status, 401);
}

TEST_F(JoinDeskTest, ARevokedKeyDoesNotJoinAgain) {
    auto text = token();
    Joiner site(11);
    auto request = site.request(text);
    ASSERT_EQ(join(request).status, 200);
    auto member = members.member(trust::Identity::of_site("store-17", request.cell));
    ASSERT_TRUE(member);
    store::Transaction transaction;
    members.revoke(transaction, {.key = member->key, .holder = "site store-17", .reason = "stolen", .when = {}});
    core.store->commit(std::move(transaction), nullptr);
    world.settle();
    auto refused = join(request);
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(refused.message(), HasSubstr("revoked"));
}

TEST_F(JoinDeskTest, ATokenOfASiteThatWasDeletedIsRefused) {
    auto text = token();
    Joiner site(11);
    auto request = site.request(text);
    erase_site();
    auto refused = join(request);
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(refused.message(), HasSubstr("was deleted since this token was made"));
    EXPECT_THAT(refused.message(), HasSubstr("skerry token create --site store-17"));
    auto anew = token(); // makes another Site of that name
    EXPECT_EQ(join(request).status, 403);
    EXPECT_TRUE(joined.empty());
    EXPECT_EQ(join(site.request(anew)).status, 200);
}

TEST_F(JoinDeskTest, WhoJoinsSitsInTheNameOfTheSiteThatIsThere) {
    Joiner site(11);
    ASSERT_EQ(join(site.request(token())).status, 200);
    env::Peer peer{env::Peer::Role::site, "store-17", site.store->cell()};
    auto seat = cell::seat_of(*core.store, peer.role, peer.name);
    ASSERT_TRUE(seat);
    EXPECT_EQ(seat->cell, peer.cell);
    EXPECT_EQ(seat->object, core.store->get(site_key)->uid);
    EXPECT_TRUE(cell::may_speak(*core.store, peer));
    erase_site();
    EXPECT_FALSE(cell::may_speak(*core.store, peer));
    auto anew = token();
    EXPECT_FALSE(cell::may_speak(*core.store, peer)) << "not for the new Site before it joins anew";
    ASSERT_EQ(join(site.request(anew)).status, 200);
    EXPECT_TRUE(cell::may_speak(*core.store, peer));
}

TEST_F(JoinDeskTest, ATokenTakesTheNameOfAMachineThatHasJoinedOnlyIfItWasMadeTo) {
    auto first = token(), second = token();
    Joiner site(11), other(12);
    ASSERT_EQ(join(site.request(first)).status, 200);
    auto late = join(other.request(second));
    EXPECT_EQ(late.status, 403) << "made before anybody had joined";
    EXPECT_THAT(late.message(), HasSubstr("--replace"));
    auto refused = ask(*desk, "POST", "/tokens/v1", R"({"kind":"site","name":"store-17"})");
    EXPECT_EQ(refused.status, 409);
    EXPECT_THAT(refused.message(), HasSubstr("site store-17 has joined"));
    EXPECT_THAT(refused.message(), HasSubstr("skerry token create --site store-17 --replace"));
    EXPECT_EQ(join(site.request(first)).status, 200) << "the same once more";
    ASSERT_EQ(join(other.request(token(R"({"kind":"site","name":"store-17","replace":true})"))).status, 200);
    EXPECT_EQ(cell::seat_of(*core.store, env::Peer::Role::site, "store-17")->cell, other.store->cell());
    EXPECT_EQ(joined.size(), 2u);
}

TEST_F(JoinDeskTest, WhoIsRevokedIsReplacedWithoutAFlag) {
    Joiner site(11);
    auto request = site.request(token());
    ASSERT_EQ(join(request).status, 200);
    store::Transaction transaction;
    members.revoke(transaction, {.key = members.member(trust::Identity::of_site("store-17", request.cell))->key,
                                 .holder = "site store-17",
                                 .reason = "stolen",
                                 .when = {}});
    core.store->commit(std::move(transaction), nullptr);
    world.settle();
    EXPECT_EQ(join(site.request(token())).status, 200);
}

TEST_F(JoinDeskTest, AClockThatNobodyVouchesForEndsNoTokenAndRemovesNone_T1) {
    auto text = token(R"({"kind":"site","name":"store-17","ttl":"10m"})");
    Joiner site(11);
    core.clock_error = 10 * year;
    core.clock_trust.level = env::ClockTrust::Level::wrong;
    auto late = token(R"({"kind":"site","name":"store-18"})");
    EXPECT_EQ(core.store->notes(JoinDesk::token_space).size(), 2u);
    EXPECT_EQ(join(site.request(text)).status, 200);
    // The time is known again: the one that was made meanwhile would be good for ten years.
    core.clock_error = 0;
    core.clock_trust.level = env::ClockTrust::Level::confirmed;
    Joiner other(12);
    auto refused = join(other.request(late));
    EXPECT_EQ(refused.status, 401);
    EXPECT_THAT(refused.message(), HasSubstr("while the clock here was wrong"));
    token(R"({"kind":"site","name":"store-19"})");
    EXPECT_EQ(core.store->notes(JoinDesk::token_space).size(), 2u) << "the used one, and the new one";
}

TEST_F(JoinDeskTest, ATokenForASiteThatIsOtherwiseIsRefused) {
    token(R"({"kind":"site","name":"store-17","labels":{"tier":"store"},"profile":"dsl"})");
    token(R"({"kind":"site","name":"store-17","labels":{"tier":"store"},"profile":"dsl"})");
    token(R"({"kind":"site","name":"store-17"})");
    for (auto& [body, word] : std::vector<std::pair<std::string, std::string>>{
             {R"({"kind":"site","name":"store-17","labels":{"tier":"bakery"}})", "its label tier is store, not bakery"},
             {R"({"kind":"site","name":"store-17","labels":{"city":"Brest"}})", "it has no label city"},
             {R"({"kind":"site","name":"store-17","values":{"till":"4"}})", "it has no value till"},
             {R"({"kind":"site","name":"store-17","profile":"satellite"})", "none of its uplinks has the profile satellite"},
             {R"({"kind":"site","name":"store-17","jurisdiction":"FR"})", "its jurisdiction is"},
         }) {
        auto refused = ask(*desk, "POST", "/tokens/v1", body);
        EXPECT_EQ(refused.status, 409) << body;
        EXPECT_THAT(refused.message(), HasSubstr(word));
    }
}

TEST_F(JoinDeskTest, RefusesInSentences) {
    for (auto& [body, word] : std::vector<std::pair<std::string, std::string>>{
             {R"({"kind":"ship","name":"x"})", "kind: \"ship\""},
             {R"({"kind":"node","name":"x"})", "a core or region takes sites"},
             {R"({"kind":"site","name":"Store 17"})", "name: \"Store 17\""},
             {R"({"kind":"site","name":"s","profile":"5g"})", "profile: \"5g\""},
             {R"({"kind":"site","name":"s","ttl":"0s"})", "ttl"},
             {R"({"kind":"site","name":"s","ttl":3600})", "ttl: wanted a text, not a number"},
             {R"({"kind":"site","name":"s","label":{}})", "\"label\" is no field here"},
             {R"({"kind":"site","name":"s","advertise":"host"})", "advertise: wanted a list"},
             {R"({"kind":"site","name":"s","advertise":["a b"]})", "advertise: \"a b\""},
             {R"({"kind":"site","name":"s","labels":{"a b":"c"}})", "labels: \"a b\""},
         }) {
        auto refused = ask(*desk, "POST", "/tokens/v1", body);
        EXPECT_GE(refused.status, 400) << body;
        EXPECT_THAT(refused.message(), HasSubstr(word));
    }
    EXPECT_FALSE(core.store->get({model::Kind::site, "", "s"}));
    who = trust::Identity::user("vera", {std::string(trust::viewers)});
    EXPECT_EQ(ask(*desk, "POST", "/tokens/v1", R"({"kind":"site","name":"s"})").status, 403);
}

} // namespace
} // namespace skerry::main
