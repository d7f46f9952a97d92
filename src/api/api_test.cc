#include "api/api.h"

#include "base/json.h"
#include "cell/test_world.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

namespace skerry::api {
namespace {

/// A client that reads only when told to.
class FakeStream final : public http::BodyStream {
public:
    void write(std::string bytes) override {
        if (!open) return;
        waiting += bytes.size();
        most = std::max(most, waiting);
        body += bytes;
    }
    void end() override { open = false; }
    bool is_open() const override { return open; }
    std::size_t unsent() const override { return waiting; }
    void on_drained(std::function<void()> call) override { drained = std::move(call); }
    void on_closed(std::function<void()> call) override { closed = std::move(call); }
    /// Takes everything, again and again, until nothing more comes.
    void read() {
        while (waiting > 0) {
            waiting = 0;
            if (drained) drained();
        }
    }
    std::vector<Json> events() const {
        std::vector<Json> found;
        for (std::size_t at = 0; at < body.size();) {
            auto end = body.find('\n', at);
            found.push_back(parse_json(body.substr(at, end - at)).value());
            at = end + 1;
        }
        return found;
    }

    std::string body;
    std::size_t waiting = 0, most = 0;
    bool open = true;
    std::function<void()> drained, closed;
};

class FakeResponder final : public http::Responder {
public:
    void respond(http::Response given) override { response = std::move(given); }
    std::shared_ptr<http::BodyStream> stream(int, http::Headers) override { return streamed = std::make_shared<FakeStream>(); }
    void on_closed(std::function<void()>) override {}
    std::optional<http::Response> response;
    std::shared_ptr<FakeStream> streamed;
};

class ApiTest : public testing::Test {
protected:
    ApiTest() : core(world, {env::Peer::Role::core, "core", {}}, {.version = "1", .with_default_project = true}, 1) {
        core.boot(nullptr, nullptr);
        auto identify = [this](const http::Request& request) -> Result<trust::Identity> {
            if (request.headers.get("Authorization") == revoked) return fail(Code::unauthenticated, "this token was revoked");
            return who;
        };
        api = std::make_unique<Api>(Options{.cell = *core.cell, .version = "1", .identify = identify});
    }

    std::shared_ptr<FakeResponder> send(http::Request request) {
        auto responder = std::make_shared<FakeResponder>();
        EXPECT_TRUE(api->answer(request, responder));
        world.settle();
        return responder;
    }
    struct Answer {
        int status = 0;
        Json body;
        std::string warning;
    };
    Answer ask(std::string method, std::string path, http::Query query = {}, std::string body = {},
               std::string type = "application/json") {
        http::Request request{.method = std::move(method),
                              .path = std::move(path),
                              .query = std::move(query),
                              .headers = {},
                              .body = std::move(body)};
        request.headers.set("Content-Type", type);
        auto responder = send(std::move(request));
        EXPECT_TRUE(responder->response);
        if (!responder->response) return {};
        return {responder->response->status, parse_json(responder->response->body).value_or(Json()),
                std::string(responder->response->headers.get("Warning"))};
    }
    std::shared_ptr<FakeStream> watch(http::Query query, std::string path = configs) {
        query.add("watch", "true");
        return send({.path = std::move(path), .query = std::move(query), .headers = {}, .body = {}})->streamed;
    }
    static std::string config(const std::string& name, const std::string& value = "x") {
        return R"({"apiVersion":"skerry/v1","kind":"Config","metadata":{"name":")" + name +
               R"(","namespace":"default"},"data":{"a":")" + value + R"("}})";
    }
    void make(const std::string& name, const std::string& value = "x") {
        EXPECT_EQ(ask("POST", configs, {}, config(name, value)).status, 201);
    }
    static std::string version(const Json& object) {
        return std::string(
            object.at({"metadata", "resourceVersion"}).string() ? *object.at({"metadata", "resourceVersion"}).string() : "");
    }

    static constexpr const char* configs = "/apis/skerry/v1/namespaces/default/configs";
    cell::World world;
    cell::Machine core;
    std::string revoked = "Bearer of nobody";
    trust::Identity who = trust::Identity::user("admin", {std::string(trust::administrators)});
    std::unique_ptr<Api> api;
};

TEST_F(ApiTest, AWatchBehindAListInPagesMissesNothing) {
    for (const char* name : {"a", "b", "c", "d"}) make(name);
    auto first = ask("GET", configs, {{"limit", "2"}});
    ASSERT_EQ(first.body.find("items")->array_items()->size(), 2u);
    EXPECT_EQ(first.body.at({"metadata", "remainingItemCount"}), Json(2));
    // Changes what the first page showed, before the second is taken.
    EXPECT_EQ(ask("PUT", std::string(configs) + "/a", {}, config("a", "changed")).status, 200);
    auto second =
        ask("GET", configs, {{"limit", "2"}, {"continue", std::string(*first.body.at({"metadata", "continue"}).string())}});
    ASSERT_EQ(second.body.find("items")->array_items()->size(), 2u);
    EXPECT_EQ(version(second.body), version(first.body));
    auto stream = watch({{"resourceVersion", version(second.body)}});
    ASSERT_EQ(stream->events().size(), 1u);
    EXPECT_EQ(*stream->events()[0].at({"object", "data", "a"}).string(), "changed");
    EXPECT_EQ(ask("GET", configs, {{"continue", "bm9uc2Vuc2U="}}).status, 410);
    EXPECT_EQ(ask("GET", configs, {{"limit", "many"}}).status, 422);
}

TEST_F(ApiTest, AWatchTellsAllThatIsThereHoweverMuch) {
    std::string large(200 << 10, 'v');
    for (int i = 0; i < 30; ++i) make("big-" + std::to_string(10 + i), large);
    auto stream = watch({});
    make("later");
    stream->read();
    auto events = stream->events();
    ASSERT_EQ(events.size(), 31u);
    for (auto& event : events) EXPECT_EQ(event.text("type"), "ADDED");
    EXPECT_EQ(*events.back().at({"object", "metadata", "name"}).string(), "later");
    EXPECT_LT(stream->most, std::size_t{1} << 20) << "no more is written than it reads";
    EXPECT_TRUE(stream->open);
}

TEST_F(ApiTest, AWatcherThatReadsNothingIsCutOff) {
    make("first");
    auto stream = watch({});
    stream->read();
    std::string large(500 << 10, 'v');
    for (int i = 0; i < 12; ++i) make("big-" + std::to_string(10 + i), large);
    EXPECT_FALSE(stream->open);
    EXPECT_EQ(stream->events().back().text("type"), "ERROR");
    EXPECT_EQ(stream->events().back().at({"object", "code"}), Json(410));
    EXPECT_LT(stream->waiting, std::size_t{6} << 20);
}

TEST_F(ApiTest, NobodyWaitsForACrowdOfWatchers) {
    make("a");
    std::string here = version(ask("GET", configs).body);
    std::vector<std::shared_ptr<FakeStream>> crowd;
    for (int i = 0; i < 200; ++i) crowd.push_back(watch({{"resourceVersion", here}, {"allowWatchBookmarks", "true"}}));
    auto told = [&](std::size_t events) {
        return std::ranges::count_if(crowd, [&](auto& stream) { return stream->events().size() == events; });
    };
    EXPECT_EQ(ask("PUT", std::string(configs) + "/a", {}, config("a", "changed")).status, 200);
    EXPECT_EQ(told(1), 64) << "the writer has its answer, most watchers are yet to be told";
    make("b");
    auto late = watch({{"resourceVersion", version(ask("GET", configs).body)}});
    crowd[10]->closed(), crowd[150]->closed();
    world.pass(1ms);
    EXPECT_EQ(told(2), 198);
    EXPECT_TRUE(late->events().empty()) << "it knew both when it began";
    EXPECT_EQ(crowd[10]->events().size(), 1u);
    EXPECT_TRUE(crowd[150]->events().empty());
    auto events = crowd[199]->events();
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(*events[0].at({"object", "data", "a"}).string(), "changed");
    EXPECT_EQ(*events[1].at({"object", "metadata", "name"}).string(), "b");
    // More than may wait: the oldest are told to all.
    for (int i = 0; i < 1'100; ++i) make("n" + std::to_string(i));
    EXPECT_GT(crowd[199]->events().size(), 70u);
    world.pass(1ms);
    EXPECT_EQ(crowd[199]->events().size(), 1'102u);
    EXPECT_EQ(crowd[0]->body, crowd[199]->body);
    EXPECT_EQ(late->events().size(), 1'100u);
}

TEST_F(ApiTest, AResumedWatchTellsWhatASelectorNoLongerMeans) {
    auto labelled = [&](const std::string& tier) {
        return R"({"apiVersion":"skerry/v1","kind":"Config","metadata":{"name":"a","namespace":"default","labels":{"tier":")" +
               tier + R"("}},"data":{"a":"x"}})";
    };
    EXPECT_EQ(ask("POST", configs, {}, labelled("store")).status, 201);
    std::string here = version(ask("GET", configs).body);
    EXPECT_EQ(ask("PUT", std::string(configs) + "/a", {}, labelled("lab")).status, 200);
    auto events = watch({{"resourceVersion", here}, {"labelSelector", "tier=store"}})->events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].text("type"), "DELETED");
    EXPECT_EQ(*events[0].at({"object", "metadata", "name"}).string(), "a");
    EXPECT_TRUE(watch({{"labelSelector", "tier=store"}})->events().empty());
}

TEST_F(ApiTest, WatchesResumeFromAVersionAndCarryBookmarks) {
    make("a");
    std::string here = version(ask("GET", configs).body);
    make("b");
    EXPECT_EQ(ask("DELETE", std::string(configs) + "/a").status, 200);
    auto stream = watch({{"resourceVersion", here}, {"allowWatchBookmarks", "true"}});
    auto events = stream->events();
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].text("type"), "ADDED");
    EXPECT_EQ(events[1].text("type"), "DELETED");
    EXPECT_EQ(*events[1].at({"object", "metadata", "name"}).string(), "a") << "which is all that is left of it";
    EXPECT_EQ(*events[1].at({"object", "metadata", "namespace"}).string(), "default");
    EXPECT_TRUE(events[1].at({"object", "metadata", "uid"}).string());
    stream->read();
    world.pass(61s);
    ASSERT_EQ(stream->events().size(), 3u);
    EXPECT_EQ(stream->events()[2].text("type"), "BOOKMARK");
    EXPECT_EQ(version(*stream->events()[2].find("object")), version(ask("GET", configs).body));
    EXPECT_EQ(ask("GET", configs, {{"watch", "true"}, {"resourceVersion", "999999999999999999"}}).status, 410) << "another life";
    EXPECT_EQ(ask("GET", configs, {{"watch", "true"}, {"resourceVersion", "yesterday"}}).status, 422);
}

TEST_F(ApiTest, AWatchEndsWithTheTokenThatOpenedIt) {
    auto open = [&](const std::string& token) {
        http::Request request{.path = configs, .query = {{"watch", "true"}}, .headers = {{"Authorization", token}}, .body = {}};
        return send(std::move(request))->streamed;
    };
    auto mine = open("Bearer of mine"), other = open("Bearer of another");
    world.pass(61s);
    EXPECT_TRUE(mine->open);
    revoked = "Bearer of mine";
    world.pass(31s);
    EXPECT_FALSE(mine->open);
    ASSERT_EQ(mine->events().size(), 1u);
    EXPECT_EQ(mine->events()[0].at({"object", "code"}), Json(401));
    make("later");
    EXPECT_EQ(mine->events().size(), 1u) << "nothing is told after the end";
    EXPECT_TRUE(other->open);
    EXPECT_EQ(other->events().size(), 1u);
}

TEST_F(ApiTest, DryRunsChangeNothing) {
    EXPECT_EQ(ask("POST", configs, {{"dryRun", "All"}}, config("a")).status, 201);
    EXPECT_EQ(ask("GET", std::string(configs) + "/a").status, 404);
    make("a");
    EXPECT_EQ(ask("PUT", std::string(configs) + "/a", {{"dryRun", "All"}}, config("a", "y")).status, 200);
    EXPECT_EQ(ask("DELETE", std::string(configs) + "/a", {{"dryRun", "All"}}).status, 200);
    EXPECT_EQ(*ask("GET", std::string(configs) + "/a").body.at({"data", "a"}).string(), "x");
    EXPECT_EQ(ask("POST", configs, {{"dryRun", "Some"}}, config("b")).status, 422) << "never ignored";
}

TEST_F(ApiTest, UnknownFieldsAsTheCallerWants) {
    std::string odd =
        R"({"apiVersion":"skerry/v1","kind":"Config","metadata":{"name":"odd","namespace":"default"},"colour":"red"})";
    auto strict = ask("POST", configs, {{"fieldValidation", "Strict"}}, odd);
    EXPECT_EQ(strict.status, 422);
    EXPECT_NE(strict.body.text("message").find("colour"), std::string::npos);
    auto warned = ask("POST", configs, {{"fieldValidation", "Warn"}}, odd);
    EXPECT_EQ(warned.status, 201);
    EXPECT_NE(warned.warning.find("colour"), std::string::npos);
    EXPECT_EQ(ask("DELETE", std::string(configs) + "/odd").status, 200);
    auto ignored = ask("POST", configs, {{"fieldValidation", "Ignore"}}, odd);
    EXPECT_EQ(ignored.status, 201);
    EXPECT_EQ(ignored.warning, "");
}

TEST_F(ApiTest, DeletesHoldTheirPreconditions) {
    make("a");
    std::string path = std::string(configs) + "/a";
    auto wrong = ask("DELETE", path, {}, R"({"preconditions":{"uid":"00000000000000000000000000000001"}})");
    EXPECT_EQ(wrong.status, 409);
    EXPECT_EQ(ask("DELETE", path, {}, R"({"preconditions":{"resourceVersion":"1"}})").status, 409);
    std::string uid(*ask("GET", path).body.at({"metadata", "uid"}).string());
    EXPECT_EQ(ask("DELETE", path, {}, R"({"preconditions":{"uid":")" + uid + R"("}})").status, 200);
    EXPECT_EQ(ask("DELETE", path).status, 404);
}

TEST_F(ApiTest, AnOutdatedUpdateIsAConflict) {
    make("a");
    std::string path = std::string(configs) + "/a";
    auto seen = ask("GET", path).body;
    EXPECT_EQ(ask("PATCH", path, {}, R"({"data":{"a":"y"}})", "application/merge-patch+json").status, 200);
    seen.find("data")->set("a", "z");
    EXPECT_EQ(ask("PUT", path, {}, write_json(seen)).status, 409);
    EXPECT_EQ(*ask("GET", path).body.at({"data", "a"}).string(), "y");
    EXPECT_EQ(ask("PATCH", path, {}, "{", "application/merge-patch+json").status / 100, 4);
    EXPECT_EQ(ask("PATCH", path, {}, "[]", "application/json-patch+json").status, 415) << "refused, not guessed";
}

TEST_F(ApiTest, ViewersReadAllButSecrets) {
    make("a");
    who = trust::Identity::user("eve", {std::string(trust::viewers)});
    EXPECT_EQ(ask("GET", std::string(configs) + "/a").status, 200);
    EXPECT_EQ(ask("GET", "/apis/skerry/v1/namespaces/default/secrets").status, 403);
    EXPECT_EQ(ask("POST", configs, {}, config("b")).status, 403);
    EXPECT_EQ(ask("DELETE", std::string(configs) + "/a").status, 403);
    who = trust::Identity::user("nobody", {});
    EXPECT_EQ(ask("GET", std::string(configs) + "/a").status, 403);
}

TEST_F(ApiTest, RefusalsAreOfOneMind) {
    auto missing = ask("GET", std::string(configs) + "/none").body;
    EXPECT_EQ(missing.text("reason"), "NotFound");
    EXPECT_EQ(*missing.find("code"), Json(404));
    auto all = ask("DELETE", configs).body;
    EXPECT_EQ(all.text("reason"), "NotImplemented");
    EXPECT_EQ(*all.find("code"), Json(501));
    EXPECT_EQ(ask("POST", configs, {}, std::string(100, '[')).status, 422);
}

} // namespace
} // namespace skerry::api
