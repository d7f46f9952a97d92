#pragma once

#include "base/json.h"
#include "cli/client/session.h"
#include "cli/line/command.h"
#include "env/real/loop.h"
#include "env/real/real_timers.h"
#include "http/server.h"
#include "model/kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

namespace skerry::cli {

/// A server for tests that keeps objects by path, as little of the API as the client can tell apart from the real one. Runs on a
/// given loop.
class FakeApi {
public:
    explicit FakeApi(env::Loop& loop) {
        auto opened = http::Server::open(loop.context(), {.listen = {"127.0.0.1:0"}});
        EXPECT_TRUE(opened) << opened.error().message;
        server_ = std::move(*opened);
        server_->on_head([](const http::Request& request) {
            return http::Reception{.streamed = request.method == "PUT" && request.path.starts_with("/blobs/")};
        });
        server_->on_request([this](http::Request request, std::shared_ptr<http::Responder> responder) {
            requests.push_back(request.method + " " + request.path + (request.query.empty() ? "" : "?" + request.query.text()));
            bodies.push_back(request.body);
            if (override_ && override_(request, responder)) return;
            answer(request, *responder);
        });
    }

    std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
    /// Answers instead, where it returns true.
    void instead(std::function<bool(const http::Request&, const std::shared_ptr<http::Responder>&)> f) {
        override_ = std::move(f);
    }

    static http::Response json(int status, const Json& value) { return http::Response::json(status, write_json(value)); }
    static http::Response refusal(int status, const char* reason, const std::string& message) {
        return json(status,
                    Json::object(
                        {{"kind", "Status"}, {"status", "Failure"}, {"reason", reason}, {"message", message}, {"code", status}}));
    }

    std::map<std::string, Json> objects; ///< by path
    std::vector<std::string> requests;
    std::vector<std::string> bodies;

private:
    void answer(const http::Request& request, http::Responder& responder) {
        auto found = objects.find(request.path);
        bool dry = request.query.get("dryRun") == "All";
        auto numbered = [&](Json object) {
            object.find("metadata")->set("resourceVersion", std::to_string(++version_));
            return object;
        };
        if (request.method == "POST") {
            auto body = parse_json(request.body);
            std::string path = request.path + "/" + std::string(body->at({"metadata"}).text("name"));
            if (objects.contains(path)) return responder.respond(refusal(409, "AlreadyExists", "is there already"));
            Json made = numbered(*body);
            if (auto at = request.path.find("namespaces/"); at != std::string::npos)
                made.find("metadata")->set("namespace", request.path.substr(at + 11, request.path.rfind('/') - at - 11));
            if (!dry) objects[path] = made;
            return responder.respond(json(201, made));
        }
        if (found == objects.end() && request.method == "GET") {
            Json items = Json::array();
            bool any = false;
            for (auto& [path, object] : objects)
                if (path.starts_with(request.path + "/")) items.push(object), any = true;
            auto* kind = model::find_kind(std::string_view(request.path).substr(request.path.rfind('/') + 1));
            if (any || (kind && request.path.ends_with("/" + std::string(kind->plural))))
                return responder.respond(
                    json(200, Json::object({{"kind", "List"},
                                            {"metadata", Json::object({{"resourceVersion", std::to_string(version_)}})},
                                            {"items", items}})));
        }
        if (found == objects.end()) return responder.respond(refusal(404, "NotFound", "\"" + request.path + "\" not found"));
        if (request.method == "GET") return responder.respond(json(200, found->second));
        if (request.method == "DELETE") {
            if (!dry) objects.erase(found);
            return responder.respond(json(200, Json::object({{"kind", "Status"}, {"status", "Success"}})));
        }
        auto body = parse_json(request.body);
        Json after = found->second;
        if (request.method == "PATCH")
            merge_patch(after, *body);
        else
            after = *body;
        if (after != found->second) after = numbered(after);
        if (!dry) found->second = after;
        responder.respond(json(200, after));
    }

    std::unique_ptr<http::Server> server_;
    std::function<bool(const http::Request&, const std::shared_ptr<http::Responder>&)> override_;
    std::int64_t version_ = 10;
};

/// The client's verbs as processes, against a FakeApi in this one.
struct VerbTest : testing::Test {
    env::Loop loop;
    env::RealTimers timers{loop};
    FakeApi api{loop};
    std::string folder;
    int status = -1;
    std::string out, err;

    void SetUp() override {
        char pattern[] = "/tmp/skerry-cli-XXXXXX";
        folder = ::mkdtemp(pattern);
        write("kubeconfig",
              "{current-context: t, contexts: [{name: t, context: {cluster: t}}], clusters: [{name: t, cluster: {server: '" +
                  api.url() + "'}}]}");
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    std::string write(const std::string& name, const std::string& text) {
        std::ofstream(folder + "/" + name) << text;
        return folder + "/" + name;
    }
    static std::string read(const std::string& path) {
        std::ostringstream text;
        text << std::ifstream(path).rdbuf();
        return text.str();
    }

    /// Runs `skerry WORDS…` to its end.
    int run(std::vector<std::string> words, const std::string& input = {}) {
        std::string in_path = write("in", input), out_path = folder + "/out", err_path = folder + "/err";
        std::fflush(nullptr);
        child = ::fork();
        if (child == 0) {
            ::dup2(::open(in_path.c_str(), O_RDONLY), 0);
            ::dup2(::open(out_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
            ::dup2(::open(err_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), 2);
            words.insert(words.begin(), {"skerry", "--kubeconfig", folder + "/kubeconfig"});
            std::vector<const char*> argv;
            for (auto& word : words) argv.push_back(word.c_str());
            int code = run_commands(static_cast<int>(argv.size()), argv.data(), client_commands("test"), "test");
            std::fflush(nullptr);
            ::_exit(code);
        }
        int waited = 0;
        std::unique_ptr<env::Timer> timer;
        std::function<void()> look = [&] {
            if (::waitpid(child, &waited, WNOHANG) == child) return loop.stop();
            timer = timers.after(2ms, look);
        };
        look();
        loop.run();
        status = WIFEXITED(waited) ? WEXITSTATUS(waited) : -WTERMSIG(waited);
        out = read(out_path);
        err = read(err_path);
        return status;
    }
    pid_t child = -1;
    std::shared_ptr<http::BodyStream> held; ///< of a watch that shall stay open
    std::unique_ptr<env::Timer> kill_timer;
};

} // namespace skerry::cli
