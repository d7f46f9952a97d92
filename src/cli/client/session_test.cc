#include "cli/client/blob_upload.h"
#include "cli/client/fake_api.h"
#include "cli/client/image_tags.h"
#include "cli/client/lists.h"
#include "cli/client/watching.h"

#include "base/bytes.h"
#include "base/digest.h"

#include <csignal>

namespace skerry::cli {

using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// A server in another process, since a session runs its own loop: requests it got are not seen, answers are.
struct ForkedServer {
    explicit ForkedServer(std::function<void(FakeApi&)> prepare) {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        pid = ::fork();
        if (pid == 0) {
            env::Loop loop;
            FakeApi api(loop);
            prepare(api);
            std::string url = api.url();
            if (::write(ends[1], url.data(), url.size()) < 0) ::_exit(1);
            ::close(ends[1]);
            loop.run();
            ::_exit(0);
        }
        ::close(ends[1]);
        char buffer[200];
        ssize_t n = ::read(ends[0], buffer, sizeof buffer);
        url.assign(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
        ::close(ends[0]);
    }
    ~ForkedServer() {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    std::unique_ptr<Session> session() const {
        auto made = Session::open({.server = url});
        EXPECT_TRUE(made) << made.error().message;
        return std::move(*made);
    }
    pid_t pid = -1;
    std::string url;
};

const model::KindFacts& apps() { return model::facts(model::Kind::app); }

std::string event(const char* type, const std::string& name, int version) {
    return R"({"type":")" + std::string(type) + R"(","object":{"metadata":{"name":")" + name + R"(","resourceVersion":")" +
           std::to_string(version) + "\"}}}\n";
}

} // namespace

TEST(Session, ListsInPieces) {
    ForkedServer server([](FakeApi& api) {
        api.instead([](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
            auto next = request.query.get("continue");
            bool last = next == "2";
            Json metadata = Json::object({{"resourceVersion", "5"}});
            if (!last) metadata.set("continue", next.empty() ? "1" : "2");
            responder->respond(FakeApi::json(
                200,
                Json::object(
                    {{"metadata", metadata},
                     {"items", Json::array({Json::object(
                                   {{"metadata", Json::object({{"name", "a" + std::string(next) +
                                                                            std::string(request.query.get("limit"))}})}})})}})));
            return true;
        });
    });
    auto session = server.session();
    auto list = list_all(*session, apps(), {}, 1);
    ASSERT_TRUE(list) << list.error().message;
    std::vector<std::string> names;
    for (auto& item : items_of(*list)) names.emplace_back(metadata_text(item, "name"));
    EXPECT_THAT(names, ElementsAre("a1", "a11", "a21"));
}

TEST(Session, AListThatDoesNotEndIsRefused) {
    ForkedServer server([](FakeApi& api) {
        api.instead([](const http::Request&, const std::shared_ptr<http::Responder>& responder) {
            responder->respond(http::Response::json(200, R"({"metadata":{"continue":"x"},"items":[]})"));
            return true;
        });
    });
    auto session = server.session();
    EXPECT_FALSE(list_all(*session, apps(), {}));
}

TEST(Session, RefusalsKeepMessageAndCode) {
    EXPECT_EQ(refusal_in(404, R"({"kind":"Status","message":"apps \"x\" not found"})").message, "apps \"x\" not found");
    EXPECT_EQ(refusal_in(404, "").code, Code::not_found);
    EXPECT_EQ(refusal_in(409, R"({"kind":"Status","reason":"AlreadyExists","message":"m"})").code, Code::exists);
    EXPECT_THAT(refusal_in(502, "<html>bad gateway</html>").message, HasSubstr("502"));
    EXPECT_LT(refusal_in(500, std::string(100'000, 'x')).message.size(), 400u);
}

/// A watch goes on at the last version after its connection ends, and lists again when that is too old.
TEST(Session, WatchGoesOnWhereItWas) {
    ForkedServer server([](FakeApi& api) {
        auto round = std::make_shared<int>(0);
        api.instead([round](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
            if (!request.query.has("watch")) {
                responder->respond(http::Response::json(200, R"({"metadata":{"resourceVersion":"10"},"items":[]})"));
                return true;
            }
            auto since = request.query.get("resourceVersion");
            int now = ++*round;
            if (now == 3) {
                responder->respond(FakeApi::refusal(410, "Expired", "too old"));
                return true;
            }
            auto stream = responder->stream(200, {});
            if (now == 1) stream->write(event("ADDED", "from-" + std::string(since), 11));
            if (now == 2) {
                stream->write(event("BOOKMARK", "", 20));
                std::string line = event("ADDED", "from-" + std::string(since), 21);
                stream->write(line.substr(0, 9));
                stream->write(line.substr(9));
            }
            if (now == 4) stream->write(event("DELETED", "from-" + std::string(since), 12));
            stream->end();
            return true;
        });
    });
    auto session = server.session();
    std::vector<std::string> seen;
    Watching watching{.kind = apps(), .choice = {}};
    watching.listed = [&](const Json&) -> Result<Next> {
        seen.push_back("list");
        return Next::go_on;
    };
    watching.changed = [&](const WatchEvent& change) -> Result<Next> {
        seen.push_back(std::string(change.type) + " " + std::string(metadata_text(change.object, "name")));
        return change.type == "DELETED" ? Next::stop : Next::go_on;
    };
    watching.until = session->clock().now() + 60s;
    auto watched = watch(*session, std::move(watching));
    ASSERT_TRUE(watched) << watched.error().message;
    EXPECT_THAT(seen, ElementsAre("list", "ADDED from-10", "ADDED from-11", "list", "DELETED from-10"));
}

TEST(Session, WatchThatMayNotIsAnError) {
    ForkedServer server([](FakeApi& api) {
        api.instead([](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
            if (!request.query.has("watch")) return false;
            responder->respond(FakeApi::refusal(403, "Forbidden", "no"));
            return true;
        });
    });
    auto session = server.session();
    Watching watching{.kind = apps(), .choice = {}};
    watching.listed = [](const Json&) -> Result<Next> { return Next::go_on; };
    auto watched = watch(*session, std::move(watching));
    ASSERT_FALSE(watched);
    EXPECT_EQ(watched.error().code, Code::forbidden);
}

namespace {

/// Takes blobs as api/blobs.h says; the first upload breaks off after `cut` bytes.
void serve_blobs(FakeApi& api, std::size_t cut) {
    struct Blob {
        std::string bytes;
        bool whole = false;
    };
    auto blobs = std::make_shared<std::map<std::string, Blob>>();
    auto cuts = std::make_shared<std::size_t>(cut);
    api.instead([blobs, cuts](const http::Request& request, const std::shared_ptr<http::Responder>& responder) {
        if (!request.path.starts_with("/blobs/v1/")) return false;
        auto& blob = (*blobs)[request.path];
        if (request.method == "HEAD") {
            auto response = http::Response::text(blob.whole ? 200 : 404, "");
            response.headers.set(blob.whole ? "X-Size" : "X-Have", std::to_string(blob.bytes.size()));
            responder->respond(std::move(response));
            return true;
        }
        std::size_t size = std::stoul(std::string(request.query.get("size"))),
                    at = std::stoul(std::string(request.query.get("at")));
        if (at != blob.bytes.size()) {
            responder->respond(FakeApi::refusal(409, "Conflict", "leaves a gap"));
            return true;
        }
        auto pull = std::make_shared<std::function<void()>>();
        *pull = [&blob, cuts, size, upload = request.upload, responder, pull]() mutable {
            upload->read([&, size, responder, pull](Result<std::string> piece) {
                if (!piece) return;
                blob.bytes += *piece;
                if (*cuts && blob.bytes.size() >= *cuts) {
                    blob.bytes.resize(*cuts);
                    *cuts = 0;
                    return responder->respond(FakeApi::refusal(503, "ServiceUnavailable", "cut"));
                }
                if (!piece->empty()) return (*pull)();
                blob.whole = blob.bytes.size() == size;
                responder->respond(http::Response::text(blob.whole ? 201 : 200, ""));
            });
        };
        (*pull)();
        return true;
    });
}

Result<void> send_blob(BlobUpload& upload, const std::string& digest, const std::string& bytes) {
    if (TRY(upload.has(digest))) return {};
    TRY_VOID(upload.begin(digest, static_cast<std::int64_t>(bytes.size()), ""));
    for (std::size_t at = 0; at < bytes.size(); at += 10'000)
        if (auto sent = upload.append(std::string_view(bytes).substr(at, 10'000)); !sent) {
            upload.abandon(digest);
            return sent;
        }
    return upload.finish(digest);
}

} // namespace

TEST(BlobUpload, GoesOnBehindWhatIsThere) {
    ForkedServer server([](FakeApi& api) { serve_blobs(api, 150'000); });
    auto session = server.session();
    std::string bytes;
    for (int i = 0; bytes.size() < 1'000'000; ++i) bytes += std::to_string(i) + " ";
    std::string digest = "sha256:" + hex(sha256(bytes));
    std::vector<BlobUpload::Progress::Stage> stages;
    BlobUpload upload(*session, [&](const BlobUpload::Progress& progress) {
        if (progress.stage != BlobUpload::Progress::Stage::moving) stages.push_back(progress.stage);
    });
    auto first = send_blob(upload, digest, bytes);
    ASSERT_FALSE(first);
    EXPECT_EQ(first.error().code, Code::unavailable) << first.error().message;
    std::int64_t before = upload.sent();
    auto second = send_blob(upload, digest, bytes);
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(upload.sent() - before, static_cast<std::int64_t>(bytes.size()) - 150'000);
    ASSERT_TRUE(send_blob(upload, digest, bytes));
    using Stage = BlobUpload::Progress::Stage;
    EXPECT_THAT(stages, ElementsAre(Stage::begun, Stage::broken, Stage::begun, Stage::finished, Stage::present));
}

TEST(BlobUpload, EmptyBlob) {
    ForkedServer server([](FakeApi& api) { serve_blobs(api, 0); });
    auto session = server.session();
    BlobUpload upload(*session, {});
    auto sent = send_blob(upload, "sha256:" + hex(sha256("")), "");
    EXPECT_TRUE(sent) << sent.error().message;
}

TEST(ImageTags, TagsAndOldDigests) {
    Json image = Json::object({{"metadata", Json::object()}});
    EXPECT_EQ(put_tag(image, "1", {.digest = "sha256:a"}), "");
    EXPECT_EQ(put_tag(image, "2", {.digest = "sha256:b", .size = "5", .platforms = {"linux/amd64"}}), "");
    EXPECT_EQ(put_tag(image, "1", {.digest = "sha256:c"}), "sha256:a");
    EXPECT_EQ(write_json(image.at({"spec", "tags"})),
              R"([{"name":"1","digest":"sha256:c"},{"name":"2","digest":"sha256:b","size":"5","platforms":["linux/amd64"]}])");
}

TEST(ImageTags, NamesAppsThatRunOldBytes) {
    ForkedServer server([](FakeApi& api) {
        auto put = [&](const char* path, const char* text) { api.objects[path] = *parse_json(text); };
        put("/apis/skerry/v1/apps/1",
            R"({"metadata":{"name":"till","namespace":"retail"},"spec":{"components":[{"name":"pos","image":"pos:1"},{"name":"db","image":"db:1"}]},"status":{"revision":"till.1"}})");
        put("/apis/skerry/v1/apps/2",
            R"({"metadata":{"name":"new","namespace":"other"},"spec":{"components":[{"name":"x","image":"retail/pos:1"}]},"status":{"revision":"new.1"}})");
        put("/apis/skerry/v1/apps/3",
            R"({"metadata":{"name":"pinned","namespace":"retail"},"spec":{"components":[{"name":"x","image":"pos:1@sha256:0000000000000000000000000000000000000000000000000000000000000000"}]},"status":{"revision":"pinned.1"}})");
        put("/apis/skerry/v1/namespaces/retail/revisions/till.1",
            R"({"spec":{"components":[{"component":{"name":"pos"},"imageDigest":"sha256:old"},{"component":{"name":"db"},"imageDigest":"sha256:db"}]}})");
        put("/apis/skerry/v1/namespaces/other/revisions/new.1",
            R"({"spec":{"components":[{"component":{"name":"x"},"imageDigest":"sha256:new"}]}})");
    });
    auto session = server.session();
    model::ImageRef reference{.project = "retail", .name = "pos", .tag = "1", .digest = {}};
    EXPECT_THAT(apps_behind(*session, reference, "sha256:new"), ElementsAre("retail/till (component pos)"));
    auto before = tag_image(*session, reference, {.digest = "sha256:n"});
    ASSERT_TRUE(before) << before.error().message;
    EXPECT_EQ(*before, "");
    EXPECT_EQ(*tag_image(*session, reference, {.digest = "sha256:m"}), "sha256:n");
}

TEST(Lines, CutsAndBounds) {
    Lines lines;
    std::vector<std::string> got;
    auto take = [&](std::string_view line) -> Result<void> {
        got.emplace_back(line);
        return {};
    };
    for (auto piece : {"a", "b\nc\n", "\nd"}) ASSERT_TRUE(lines.add(piece, take));
    EXPECT_THAT(got, ElementsAre("ab", "c", ""));
}

} // namespace skerry::cli
