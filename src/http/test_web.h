#pragma once

#include "http/client.h"
#include "http/server.h"
#include "http/test_certificates.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace skerry::http {

namespace asio = boost::asio;
using testing::HasSubstr;
using testing::StartsWith;

/// A server on a loopback port and whatever talks to it, on one io_context.
struct Web : testing::Test {
    asio::io_context context;
    trust::Authority authority = make_authority();
    std::unique_ptr<Server> server;
    std::shared_ptr<ServerTls> tls;

    void serve(ServerOptions options = {}, bool secure = false) {
        if (secure) {
            tls = *ServerTls::create(
                {.credentials = make_credentials(authority, some_core()), .ca_pem = authority.certificate_pem()});
            options.tls = tls;
        }
        options.listen = {"127.0.0.1:0"};
        auto opened = Server::open(context, options);
        ASSERT_TRUE(opened) << opened.error().message;
        server = std::move(*opened);
    }

    std::string base(const char* scheme = "http") {
        return std::string(scheme) + "://127.0.0.1:" + std::to_string(server->port());
    }

    std::unique_ptr<Client> client(ClientOptions options = {}) {
        if (options.base.empty()) options.base = base(tls ? "https" : "http");
        if (tls && options.tls.ca_pem.empty() && options.tls.pin.empty() && !options.tls.verify)
            options.tls.ca_pem = authority.certificate_pem();
        auto made = Client::create(context, options);
        EXPECT_TRUE(made) << made.error().message;
        return std::move(*made);
    }

    /// Runs the loop until `done`, or for 20 seconds.
    template<class Done>
    bool run_until(Done done) {
        asio::steady_timer limit(context, std::chrono::seconds(20));
        bool late = false;
        // The cancelled wait's callback comes when `late` is no more.
        limit.async_wait([&](boost::system::error_code code) {
            if (!code) late = true;
        });
        context.restart();
        while (!done() && !late) context.run_one();
        return !late;
    }

    Result<Response> get(Client& client, Request request) {
        std::optional<Result<Response>> result;
        auto call = client.send(std::move(request), [&](Result<Response> response) { result = std::move(response); });
        if (!run_until([&] { return result.has_value(); })) return fail(Code::timeout, "the test's own patience");
        return std::move(*result);
    }

    void echo() {
        server->on_request([](Request request, std::shared_ptr<Responder> responder) {
            Response response =
                Response::text(200, request.method + " " + request.path + "|" + request.query.text() + "|" + request.body);
            responder->respond(std::move(response));
        });
    }

    /// Sends raw bytes, returns all that comes until the server closes.
    std::string raw(std::string bytes) {
        asio::ip::tcp::socket socket(context);
        socket.connect({asio::ip::make_address("127.0.0.1"), server->port()});
        asio::async_write(socket, asio::buffer(bytes), [](auto, auto) {});
        std::string answer;
        bool closed = false;
        asio::async_read(socket, asio::dynamic_buffer(answer), [&](auto, auto) { closed = true; });
        EXPECT_TRUE(run_until([&] { return closed; }));
        return answer;
    }
};

} // namespace skerry::http
