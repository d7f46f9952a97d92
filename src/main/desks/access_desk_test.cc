#include "main/desks/access_desk.h"

#include "main/desks/desk_test.h"
#include "trust/tokens/access_token.h"

#include <gmock/gmock.h>

namespace skerry::main {
namespace {

using testing::HasSubstr;

struct AccessDeskTest : DeskTest {
    env::Env env = core.env();
    AccessDesk desk{{.store = *core.store, .env = env, .identify = identify()}};

    std::size_t count() { return ask(desk, "GET", "/access/v1").body.find("tokens")->array_items()->size(); }
};

TEST_F(AccessDeskTest, GivesListsAndTakesBack) {
    auto given = ask(desk, "POST", "/access/v1", R"({"user":"vera","role":"viewer","ttl":"1h"})");
    ASSERT_EQ(given.status, 201);
    auto token = trust::AccessToken::parse(given.body.text("token"));
    ASSERT_TRUE(token);
    auto note = core.store->note("access", token->id.text());
    ASSERT_TRUE(note) << "durable before it is told";
    EXPECT_THAT(*note, testing::Not(HasSubstr(token->secret)));
    auto record = *trust::AccessRecord::from_json(*parse_json(*note));
    EXPECT_EQ(trust::check(record, *token, core.wall())->name, "vera");
    auto list = ask(desk, "GET", "/access/v1").body;
    ASSERT_EQ(list.find("tokens")->array_items()->size(), 1u);
    EXPECT_EQ(list.find("tokens")->array_items()->at(0).text("role"), "viewer");
    EXPECT_FALSE(list.find("tokens")->array_items()->at(0).find("token")) << "secrets are shown once";
    EXPECT_EQ(ask(desk, "DELETE", "/access/v1/" + token->id.text()).status, 200);
    EXPECT_FALSE(core.store->note("access", token->id.text()));
    EXPECT_EQ(ask(desk, "DELETE", "/access/v1/" + token->id.text()).status, 404);
}

TEST_F(AccessDeskTest, RefusesInSentences) {
    for (auto& [body, word] : std::vector<std::pair<std::string, std::string>>{
             {R"({"user":"","role":"viewer"})", "user: \"\" is not"},
             {R"({"user":"vera","role":"god"})", "role: \"god\""},
             {R"({"user":"vera","ttl":"soon"})", "ttl"},
             {R"({"user":"vera","ttl":60})", "ttl: wanted a text, not a number"},
             {R"({"user":"vera","days":"60"})", "\"days\" is no field here"},
             {R"({"user":"vera","ttl":"900000h"})", "ttl"},
             {"{", "JSON"},
         }) {
        auto refused = ask(desk, "POST", "/access/v1", body);
        EXPECT_TRUE(refused.status == 400 || refused.status == 422) << body << refused.status;
        EXPECT_THAT(refused.message(), HasSubstr(word));
    }
    EXPECT_EQ(count(), 0u);
}

TEST_F(AccessDeskTest, IsForAdministrators) {
    ask(desk, "POST", "/access/v1", R"({"user":"vera"})");
    who = trust::Identity::user("vera", {std::string(trust::viewers)});
    EXPECT_EQ(ask(desk, "POST", "/access/v1", R"({"user":"eve","role":"admin"})").status, 403);
    EXPECT_EQ(ask(desk, "GET", "/access/v1").status, 403);
    who.reset();
    EXPECT_EQ(ask(desk, "GET", "/access/v1").status, 401);
    who = trust::Identity::user("admin", {std::string(trust::administrators)});
    EXPECT_EQ(count(), 1u);
}

TEST_F(AccessDeskTest, HoweverManyHaveEnded) {
    for (int n = 0; n < 300; ++n) ASSERT_EQ(ask(desk, "POST", "/access/v1", R"({"user":"kiosk","ttl":"1h"})").status, 201);
    world.pass(40 * 24h);
    for (std::size_t left : {201u, 102u, 3u, 4u}) {
        ASSERT_EQ(ask(desk, "POST", "/access/v1", R"({"user":"vera","ttl":"8760h"})").status, 201);
        EXPECT_EQ(count(), left);
    }
}

TEST_F(AccessDeskTest, RecordsGoAMonthAfterTheirEnd) {
    ask(desk, "POST", "/access/v1", R"({"user":"vera","ttl":"1h"})");
    world.pass(29 * 24h);
    ask(desk, "POST", "/access/v1", R"({"user":"otto","ttl":"8760h"})");
    EXPECT_EQ(count(), 2u) << "whoever wonders about a refused token still finds it";
    world.pass(3 * 24h);
    ask(desk, "POST", "/access/v1", R"({"user":"nora","ttl":"1h"})");
    EXPECT_EQ(count(), 2u);
}

} // namespace
} // namespace skerry::main
