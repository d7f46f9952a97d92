#include "api/blobs.h"

#include "env/fake_files.h"
#include "store/test_env.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

namespace skerry::api {
namespace {

/// A client's body, of which pieces come when the test says so.
struct FakeUpload final : http::Upload {
    void read(std::function<void(Result<std::string>)> call) override { wanted = std::move(call); }
    std::optional<std::uint64_t> length() const override { return {}; }
    /// An empty one is the end.
    void give(Result<std::string> piece) {
        ASSERT_TRUE(wanted) << "nobody reads it";
        std::exchange(wanted, nullptr)(std::move(piece));
    }
    std::function<void(Result<std::string>)> wanted;
};

struct UploadAnswer final : http::Responder {
    void respond(http::Response given) override { response = std::move(given); }
    std::shared_ptr<http::BodyStream> stream(int, http::Headers) override { return nullptr; }
    void on_closed(std::function<void()>) override {}
    std::optional<http::Response> response;
};

struct Client {
    std::shared_ptr<FakeUpload> upload = std::make_shared<FakeUpload>();
    std::shared_ptr<UploadAnswer> answer = std::make_shared<UploadAnswer>();
    int status() const { return answer->response ? answer->response->status : 0; }
};

class BlobsTest : public testing::Test {
protected:
    BlobsTest()
        : depot(*depot::Depot::open(files, "/depot", {.reserve = 0, .boot_id = "boot"})),
          blobs({.env = env.env(),
                 .depot = *depot,
                 .identify = [](const http::Request&) -> Result<trust::Identity> {
                     return trust::Identity::user("admin", {std::string(trust::administrators)});
                 },
                 .arrived = [this](const depot::Digest&) { ++arrived; }}) {}

    Client put(std::uint64_t at = 0) {
        Client client;
        http::Request request{.method = "PUT",
                              .path = "/blobs/v1/" + digest.text(),
                              .query = {{"size", std::to_string(content.size())}, {"at", std::to_string(at)}}};
        request.upload = client.upload;
        EXPECT_TRUE(blobs.answer(request, client.answer));
        env.settle();
        return client;
    }
    void give(Client& client, Result<std::string> piece) {
        client.upload->give(std::move(piece));
        env.settle();
    }

    env::FakeFiles files;
    store::TestEnv env{1};
    std::unique_ptr<depot::Depot> depot;
    Blobs blobs;
    std::string content = "all of an image";
    depot::Digest digest = depot::Digest::of(content);
    int arrived = 0;
};

TEST_F(BlobsTest, TheSecondClientWaitsAndNeedNotSendWhatTheFirstBrought) {
    Client first = put(), second = put();
    EXPECT_FALSE(second.upload->wanted) << "its turn has not come";
    give(first, content);
    give(first, "");
    EXPECT_EQ(first.status(), 201);
    EXPECT_EQ(second.status(), 201);
    EXPECT_FALSE(second.upload->wanted);
    EXPECT_EQ(arrived, 2) << "pinned for each";
    EXPECT_EQ(*depot->read_whole(digest), content);
}

TEST_F(BlobsTest, WhereTheFirstOneGoesAwayTheNextGoesOnFromThere) {
    Client first = put(), second = put();
    give(first, content.substr(0, 5));
    give(first, fail(Code::cancelled, "the client has gone"));
    EXPECT_EQ(second.status(), 0);
    give(second, content); // what is here already is passed over
    give(second, "");
    EXPECT_EQ(second.status(), 201);
    EXPECT_EQ(arrived, 1);
}

TEST_F(BlobsTest, AClientWaitsHalfAMinuteAndThereIsAnEndToTheQueue) {
    Client first = put();
    std::vector<Client> queue;
    for (int i = 0; i < 16; ++i) queue.push_back(put());
    EXPECT_EQ(put().status(), 503);
    env.pass(29s);
    EXPECT_EQ(queue[0].status(), 0);
    env.pass(2s);
    for (auto& client : queue) EXPECT_EQ(client.status(), 503);
    Client late = put();
    give(first, content);
    give(first, "");
    EXPECT_EQ(first.status(), 201);
    EXPECT_EQ(late.status(), 201);
    EXPECT_EQ(arrived, 2);
}

TEST_F(BlobsTest, AGapIsRefusedAndLeavesTheTurnToTheNext) {
    Client wrong = put(7);
    EXPECT_EQ(wrong.status(), 409);
    Client right = put();
    give(right, fail(Code::cancelled, "the client has gone"));
    EXPECT_EQ(arrived, 0);
}

} // namespace
} // namespace skerry::api
