#pragma once

#include "base/json.h"
#include "cell/test_world.h"
#include "http/server.h"
#include "trust/tokens/rights.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace skerry::main {

struct DeskResponder final : http::Responder {
    void respond(http::Response response) override { answer = std::move(response); }
    std::shared_ptr<http::BodyStream> stream(int, http::Headers) override { return nullptr; }
    void on_closed(std::function<void()>) override {}
    std::optional<http::Response> answer;
};

/// A core, and whoever asks one of its desks.
struct DeskTest : testing::Test {
    DeskTest() : core(world, {env::Peer::Role::core, "core", {}}, {.version = "1", .with_default_project = true}, 1) {
        core.boot(nullptr, nullptr);
    }

    struct Answer {
        int status = 0;
        Json body;
        std::string message() const { return std::string(body.text("message")); }
    };
    template<class Desk>
    Answer ask(Desk& desk, std::string method, std::string path, const std::string& body = {}) {
        auto responder = std::make_shared<DeskResponder>();
        http::Request request{.method = std::move(method), .path = std::move(path), .query = {}, .headers = {}, .body = body};
        EXPECT_TRUE(desk.answer(request, responder)) << request.path;
        world.settle();
        EXPECT_TRUE(responder->answer);
        if (!responder->answer) return {};
        return {responder->answer->status, parse_json(responder->answer->body).value_or(Json())};
    }
    auto identify() {
        return [this](const http::Request&) -> Result<trust::Identity> {
            if (!who) return fail(Code::unauthenticated, "nobody");
            return *who;
        };
    }

    cell::World world;
    cell::Machine core;
    std::optional<trust::Identity> who = trust::Identity::user("admin", {std::string(trust::administrators)});
};

} // namespace skerry::main
