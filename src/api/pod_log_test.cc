#include "api/pod_log.h"

#include "model/instance.pb.h"
#include "store/memory/memory_backend.h"
#include "store/test_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::api {
namespace {

struct LogBody final : http::BodyStream {
    void write(std::string bytes) override { text += bytes; }
    void end() override { ended = true; }
    bool is_open() const override { return !ended; }
    std::size_t unsent() const override { return 0; }
    void on_drained(std::function<void()>) override {}
    void on_closed(std::function<void()> call) override { closed = std::move(call); }
    std::string text;
    bool ended = false;
    std::function<void()> closed;
};

struct LogResponder final : http::Responder {
    void respond(http::Response response) override { answer = std::move(response); }
    std::shared_ptr<http::BodyStream> stream(int, http::Headers) override { return body; }
    void on_closed(std::function<void()> call) override { closed = std::move(call); }
    std::optional<http::Response> answer;
    std::shared_ptr<LogBody> body = std::make_shared<LogBody>();
    std::function<void()> closed;
};

/// One log, of which bytes come when the test says so.
struct FakeLogs final : LogSource {
    struct Flow final : LogFlow {
        explicit Flow(FakeLogs& logs) : logs(logs) { ++logs.flows; }
        ~Flow() override { --logs.flows; }
        void pause(bool) override {}
        FakeLogs& logs;
    };
    std::unique_ptr<LogFlow> open(Wanted, Sink given) override {
        sink = std::make_shared<Sink>(std::move(given));
        return std::make_unique<Flow>(*this);
    }
    int flows = 0;
    std::shared_ptr<Sink> sink;
};

struct PodLog : testing::Test {
    void SetUp() override {
        auto opened = store::Store::open(env.env(), std::make_unique<store::MemoryBackend>(disk), {});
        ASSERT_TRUE(opened);
        store = std::move(*opened);
        store::Transaction transaction;
        model::Instance instance;
        instance.mutable_metadata()->set_name("till.pos.x");
        instance.mutable_spec()->set_component("pos");
        store::Key key{model::Kind::instance, "retail", "till.pos.x"};
        transaction.put(key, Uid(Id{1, 2}), store->cell(), 1, instance.SerializeAsString(), store::Transaction::absent());
        store->commit(std::move(transaction), nullptr);
        env.settle();
        ASSERT_TRUE(store->get(key));
        http::Request request;
        serve_log(env.env().timers, *store, logs,
                  {.view = View::as_pod, .kind = key.kind, .project = "retail", .name = key.name, .subresource = "log"}, request,
                  responder, [this] { return allowed; });
        ASSERT_EQ(logs.flows, 1);
    }

    store::TestEnv env{7};
    std::shared_ptr<store::MemoryDisk> disk = std::make_shared<store::MemoryDisk>();
    std::unique_ptr<store::Store> store;
    FakeLogs logs;
    std::shared_ptr<LogResponder> responder = std::make_shared<LogResponder>();
    Result<void> allowed;
};

TEST_F(PodLog, a_client_that_leaves_before_the_first_byte_ends_the_reading) {
    ASSERT_TRUE(responder->closed);
    responder->closed();
    EXPECT_EQ(logs.flows, 0);
    logs.sink->bytes("too late");
    logs.sink->end({});
    EXPECT_EQ(responder->body->text, "");
}

TEST_F(PodLog, a_client_that_leaves_in_the_middle_ends_the_reading) {
    logs.sink->bytes("one\n");
    responder->body->closed();
    EXPECT_EQ(logs.flows, 0);
}

TEST_F(PodLog, a_log_that_ends_lets_go_of_everything) {
    logs.sink->bytes("one\n");
    logs.sink->end({});
    EXPECT_EQ(responder->body->text, "one\n");
    EXPECT_TRUE(responder->body->ended);
    EXPECT_EQ(logs.flows, 0);
    std::weak_ptr<LogResponder> watched = responder;
    responder.reset();
    logs.sink.reset();
    EXPECT_TRUE(watched.expired());
}

TEST_F(PodLog, a_log_ends_with_the_leave_to_read_it) {
    logs.sink->bytes("one\n");
    env.pass(2min);
    EXPECT_FALSE(responder->body->ended);
    allowed = fail(Code::unauthenticated, "this token was revoked");
    env.pass(31s);
    EXPECT_FALSE(responder->body->ended) << "it is not complete: the connection is cut";
    EXPECT_EQ(responder->body->text, "one\n");
    EXPECT_EQ(logs.flows, 0);
}

TEST_F(PodLog, a_log_ends_when_its_instance_is_gone) {
    logs.sink->bytes("last words\n");
    store::Transaction transaction;
    transaction.erase({model::Kind::instance, "retail", "till.pos.x"}, store::Transaction::anything());
    store->commit(std::move(transaction), nullptr);
    env.settle();
    env.pass(31s);
    EXPECT_TRUE(responder->body->ended);
    EXPECT_EQ(responder->body->text, "last words\n");
    EXPECT_EQ(logs.flows, 0);
}

TEST_F(PodLog, a_refusal_is_an_answer) {
    logs.sink->end(fail(Code::not_found, "it has not started yet"));
    ASSERT_TRUE(responder->answer);
    EXPECT_EQ(responder->answer->status, 404);
    EXPECT_EQ(logs.flows, 0);
}

} // namespace
} // namespace skerry::api
