#include "http/test_web.h"

namespace skerry::http {
namespace {

TEST_F(Web, AnswersRequestsAndKeepsTheConnection) {
    serve();
    std::vector<std::string> remotes;
    server->on_request([&](Request request, std::shared_ptr<Responder> responder) {
        remotes.push_back(request.remote);
        responder->respond(Response::text(200, request.path + "|" + std::string(request.query.get("labelSelector"))));
    });
    auto c = client();
    for (int i = 0; i < 3; ++i) {
        auto response = get(*c, {.path = "/a b/c", .query = {{"labelSelector", "tier=store,x!=y"}}});
        ASSERT_TRUE(response) << response.error().message;
        EXPECT_EQ(response->status, 200);
        EXPECT_EQ(response->body, "/a b/c|tier=store,x!=y");
    }
    ASSERT_EQ(remotes.size(), 3u);
    EXPECT_EQ(remotes[0], remotes[2]);
    EXPECT_EQ(server->connections(), 1u);
}

TEST_F(Web, ARequestOnAConnectionThatTheServerClosedIsRepeated) {
    serve({.idle_timeout = 50ms});
    echo();
    auto c = client();
    ASSERT_TRUE(get(*c, {}));
    ASSERT_TRUE(run_until([&] { return server->connections() == 0; }));
    auto again = get(*c, {.path = "/again"});
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->body, "GET /again||");
}

TEST_F(Web, PipelinedRequestsAreAnsweredInOrder) {
    serve();
    std::vector<std::shared_ptr<Responder>> waiting;
    std::vector<std::string> paths;
    asio::steady_timer timer(context);
    server->on_request([&](Request request, std::shared_ptr<Responder> responder) {
        EXPECT_TRUE(waiting.empty()); // one at a time
        waiting.push_back(responder);
        timer.expires_after(std::chrono::milliseconds(5));
        timer.async_wait([&, path = request.path](auto) {
            auto one = std::exchange(waiting, {});
            one[0]->respond(Response::text(200, "<" + path + ">"));
        });
    });
    std::string all;
    for (int i = 0; i < 9; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    auto answer = raw(all + "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    std::size_t at = 0;
    for (int i = 0; i < 9; ++i) {
        at = answer.find("</" + std::to_string(i) + ">", at);
        ASSERT_NE(at, std::string::npos) << answer;
    }
    EXPECT_THAT(answer.substr(at), HasSubstr("</last>"));
}

TEST_F(Web, AThousandPipelinedRequestsDoNotNest) {
    serve();
    echo();
    std::string all;
    for (int i = 0; i < 3000; ++i) all += "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    auto answer = raw(all + "GET /end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_THAT(answer, HasSubstr("GET /end||"));
}

struct Malformed : Web, testing::WithParamInterface<std::tuple<const char*, std::string, const char*>> {};

TEST_P(Malformed, IsRefused) {
    serve();
    bool served = false;
    server->on_request([&](Request, std::shared_ptr<Responder> responder) {
        served = true;
        responder->respond({});
    });
    auto answer = raw(std::get<1>(GetParam()));
    EXPECT_THAT(answer, StartsWith(std::string("HTTP/1.1 ") + std::get<2>(GetParam())));
    EXPECT_FALSE(served);
    EXPECT_TRUE(run_until([&] { return server->connections() == 0; }));
}

INSTANTIATE_TEST_SUITE_P(
    Requests, Malformed,
    testing::Values(
        std::tuple{"garbage", std::string("\x16\x03\x01\x02\x00\x01 hello\r\n\r\n", 16), "400"},
        std::tuple{"no_host", std::string("GET / HTTP/1.1\r\n\r\n"), "400"},
        std::tuple{"version", std::string("GET / HTTP/3.0\r\nHost: x\r\n\r\n"), "400"},
        std::tuple{"absolute_form", std::string("GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n"), "400"},
        std::tuple{"bad_escape", std::string("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"), "400"},
        std::tuple{"cut_escape", std::string("GET /a%2 HTTP/1.1\r\nHost: x\r\n\r\n"), "400"},
        std::tuple{"zero_byte", std::string("GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"), "400"},
        std::tuple{"two_lengths", std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
                   "400"},
        std::tuple{"length_and_chunks",
                   std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
                   "400"},
        std::tuple{"other_coding", std::string("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
                   "400"},
        std::tuple{"bad_chunk", std::string("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "400"},
        std::tuple{"negative_length", std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"), "400"},
        std::tuple{"long_length", std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\nabc"), "413"},
        std::tuple{"long_head", "GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(20'000, 'a') + "\r\n\r\n", "431"},
        std::tuple{"many_fields",
                   [] {
                       std::string request = "GET / HTTP/1.1\r\nHost: x\r\n";
                       for (int i = 0; i < 4000; ++i) request += "A: b\r\n";
                       return request + "\r\n";
                   }(),
                   "431"},
        std::tuple{"long_target", "GET /" + std::string(70'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", "431"}),
    [](const auto& info) { return std::string(std::get<0>(info.param)); });

TEST_F(Web, BodiesComeWholeAlsoInChunksUpToTheLimit) {
    serve();
    echo();
    server->on_head([](const Request& request) {
        return Reception{.limit = request.path == "/small" ? std::uint64_t{4} : std::uint64_t{100'000}};
    });
    auto c = client();
    EXPECT_EQ(get(*c, {.method = "POST", .path = "/x", .body = "hello"})->body, "POST /x||hello");
    auto big = std::string(90'000, 'b');
    EXPECT_EQ(get(*c, {.method = "PUT", .path = "/x", .body = big})->body, "PUT /x||" + big);
    auto refused = get(*c, {.method = "POST", .path = "/small", .body = "12345"});
    ASSERT_TRUE(refused) << refused.error().message;
    EXPECT_EQ(refused->status, 413);
    auto chunks = raw("POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
                      "chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: x\r\n\r\n");
    EXPECT_THAT(chunks, HasSubstr("POST /x||hello world"));
    auto too_many = raw("POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    EXPECT_THAT(too_many, StartsWith("HTTP/1.1 413"));
    auto expecting =
        raw("POST /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_THAT(expecting, HasSubstr("POST /x||hi"));
}

TEST_F(Web, UploadsArePulledAndUnpulledOnesWait) {
    serve();
    server->on_head([](const Request&) { return Reception{.limit = 64 << 20, .streamed = true}; });
    std::shared_ptr<Upload> upload;
    std::shared_ptr<Responder> responder;
    server->on_request([&](Request request, std::shared_ptr<Responder> r) {
        upload = request.upload;
        responder = r;
    });
    auto c = client();
    constexpr std::size_t total = 32 << 20;
    std::size_t given = 0;
    std::optional<Result<Response>> result;
    auto call = c->upload(
        {.method = "PUT", .path = "/image"},
        [&](std::size_t limit, std::function<void(Result<std::string>)> take) {
            auto size = std::min(limit, total - given);
            given += size;
            take(std::string(size, 'i'));
        },
        [&](Result<Response> response) { result = std::move(response); });
    ASSERT_TRUE(run_until([&] { return upload != nullptr; }));
    // Nobody pulls: the client fills the kernel's buffers and stops.
    for (int i = 0; i < 2000; ++i) context.poll();
    EXPECT_LT(given, total);
    std::size_t got = 0;
    std::function<void()> pull = [&] {
        upload->read([&](Result<std::string> piece) {
            ASSERT_TRUE(piece) << piece.error().message;
            EXPECT_LE(piece->size(), std::size_t{64 << 10});
            got += piece->size();
            if (piece->empty()) return responder->respond(Response::text(201, "stored"));
            pull();
        });
    };
    pull();
    ASSERT_TRUE(run_until([&] { return result.has_value(); }));
    ASSERT_TRUE(*result) << result->error().message;
    EXPECT_EQ((*result)->status, 201);
    EXPECT_EQ(got, total);
}

TEST_F(Web, AnUploadLearnsThatItsClientWentAndThatItsBodyIsTooLong) {
    serve();
    server->on_head([](const Request&) { return Reception{.limit = 1 << 20, .streamed = true}; });
    std::optional<Result<std::string>> last;
    std::shared_ptr<Responder> kept;
    std::function<void(std::shared_ptr<Upload>)> pull = [&](std::shared_ptr<Upload> upload) {
        upload->read([&, upload](Result<std::string> piece) {
            if (piece && !piece->empty()) return pull(upload);
            last = std::move(piece);
            if (!*last && last->error().code == Code::exhausted) kept->respond(Response::text(413, "too long"));
        });
    };
    server->on_request([&](Request request, std::shared_ptr<Responder> responder) {
        kept = responder;
        pull(request.upload);
    });
    auto c = client();
    std::optional<Result<Response>> result;
    auto endless = [](std::size_t limit, std::function<void(Result<std::string>)> take) { take(std::string(limit, 'x')); };
    auto call = c->upload({.method = "PUT"}, endless, [&](Result<Response> response) { result = std::move(response); });
    ASSERT_TRUE(run_until([&] { return last.has_value(); }));
    EXPECT_EQ(last->error().code, Code::exhausted);
    ASSERT_TRUE(run_until([&] { return result.has_value(); }));
    EXPECT_EQ(*result ? (*result)->status : 413, 413);
    last.reset();
    result.reset();
    int pieces = 0;
    call = c->upload(
        {.method = "PUT"},
        [&](std::size_t, std::function<void(Result<std::string>)> take) {
            if (++pieces == 3)
                call.reset(); // the user lost interest
            else
                take("piece");
        },
        [&](Result<Response>) { FAIL() << "a dropped call came back"; });
    ASSERT_TRUE(run_until([&] { return last.has_value(); }));
    ASSERT_FALSE(*last);
    EXPECT_EQ(last->error().code, Code::cancelled);
}

TEST_F(Web, StreamsPieceByPieceAndShowsBackPressure) {
    serve();
    std::shared_ptr<BodyStream> body;
    server->on_request([&](Request, std::shared_ptr<Responder> responder) {
        body = responder->stream(200, {{"Content-Type", "text/plain"}});
    });
    auto c = client();
    std::string got;
    bool head = false;
    std::optional<Result<void>> end;
    auto call = c->stream({.path = "/watch"}, {.head = [&](const Response& r) { head = r.status == 200; },
                                               .piece = [&](std::string piece) { got += piece; },
                                               .end = [&](Result<void> result) { end = std::move(result); }});
    ASSERT_TRUE(run_until([&] { return body != nullptr; }));
    body->write("one\n");
    ASSERT_TRUE(run_until([&] { return got == "one\n"; }));
    EXPECT_TRUE(head);
    int drained = 0;
    body->on_drained([&] { ++drained; });
    body->write(std::string(8 << 20, 'x'));
    EXPECT_GT(body->unsent(), BodyStream::high_mark);
    ASSERT_TRUE(run_until([&] { return drained > 0; }));
    EXPECT_EQ(body->unsent(), 0u);
    body->end();
    ASSERT_TRUE(run_until([&] { return end.has_value(); }));
    EXPECT_TRUE(*end);
    EXPECT_EQ(got.size(), 4u + (8u << 20));
}

TEST_F(Web, AStreamLearnsThatItsClientWent) {
    serve();
    std::shared_ptr<BodyStream> body;
    bool closed = false;
    server->on_request([&](Request, std::shared_ptr<Responder> responder) {
        body = responder->stream(200, {});
        body->on_closed([&] { closed = true; });
    });
    auto c = client();
    std::unique_ptr<Call> call;
    call = c->stream({.path = "/watch"}, {.head = [&](const Response&) { call.reset(); }});
    ASSERT_TRUE(run_until([&] { return closed; }));
    EXPECT_FALSE(body->is_open());
    body->write("into the void");
    body->end();
}

TEST_F(Web, AClientThatReadsNothingIsCutOff) {
    serve({.stall_timeout = 100ms});
    bool closed = false;
    std::shared_ptr<BodyStream> body;
    server->on_request([&](Request, std::shared_ptr<Responder> responder) {
        body = responder->stream(200, {});
        body->on_closed([&] { closed = true; });
        body->write(std::string(32 << 20, 'x'));
    });
    asio::ip::tcp::socket socket(context);
    socket.connect({asio::ip::make_address("127.0.0.1"), server->port()});
    asio::write(socket, asio::buffer(std::string_view("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
    EXPECT_TRUE(run_until([&] { return closed; }));
}

TEST_F(Web, ABodyStreamDroppedUnendedIsSeenAsCut) {
    serve();
    server->on_request([&](Request, std::shared_ptr<Responder> responder) {
        auto body = responder->stream(200, {});
        body->write("half of it");
    });
    auto c = client();
    auto result = get(*c, {});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::unavailable);
}

TEST_F(Web, ADroppedResponderAnswers500AndHeadHasNoBody) {
    serve();
    server->on_request([&](Request request, std::shared_ptr<Responder> responder) {
        if (request.method == "HEAD") responder->respond(Response::text(200, "twelve bytes"));
    });
    auto c = client();
    EXPECT_EQ(get(*c, {})->status, 500);
    auto head = get(*c, {.method = "HEAD"});
    ASSERT_TRUE(head) << head.error().message;
    EXPECT_EQ(head->body, "");
    EXPECT_EQ(head->headers.get("content-length"), "12");
}

TEST_F(Web, HeadersCannotBeInjected) {
    serve();
    server->on_request([&](Request, std::shared_ptr<Responder> responder) {
        responder->respond({.status = 200, .headers = {{"X-Name", "a\r\nX-Evil: yes"}}});
    });
    auto c = client();
    auto response = get(*c, {});
    EXPECT_FALSE(response->headers.has("X-Evil"));
}

TEST_F(Web, SlowHeadsAndIdleConnectionsEnd) {
    serve({.head_timeout = 100ms, .idle_timeout = 100ms});
    echo();
    EXPECT_EQ(raw("GET / HT"), "");
    EXPECT_EQ(raw(""), "");
}

TEST_F(Web, ABodyThatTricklesEnds) {
    serve({.max_strangers = 2, .stranger_grace = 0ms, .body_timeout = 150ms});
    echo();
    std::vector<asio::ip::tcp::socket> slow;
    std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
    for (int i = 0; i < 2; ++i) {
        slow.emplace_back(context).connect({asio::ip::make_address("127.0.0.1"), server->port()});
        asio::write(slow.back(), asio::buffer(head));
    }
    ASSERT_TRUE(run_until([&] { return server->connections() == 2; }));
    auto other = client();
    EXPECT_TRUE(get(*other, {})) << "who comes now takes the place of the oldest";
    int written = 0;
    boost::system::error_code code;
    ASSERT_TRUE(run_until([&] {
        if (!code && written++ < 500) asio::write(slow.back(), asio::buffer("x", 1), code);
        ::usleep(1000);
        context.poll_one();
        return server->connections() <= 1;
    })) << "byte by byte it does not hold its place";
}

TEST_F(Web, AStrangerThatJustCameKeepsItsPlaceAndOthersWaitOutside) {
    serve({.max_strangers = 2, .stranger_grace = 300ms, .head_timeout = 60s});
    echo();
    std::vector<asio::ip::tcp::socket> slow;
    for (int i = 0; i < 2; ++i) {
        slow.emplace_back(context).connect({asio::ip::make_address("127.0.0.1"), server->port()});
        asio::write(slow.back(), asio::buffer("GET / HT", 8));
    }
    ASSERT_TRUE(run_until([&] { return server->connections() == 2; }));
    auto other = client();
    std::optional<Result<Response>> answer;
    auto began = std::chrono::steady_clock::now();
    auto call = other->send({}, [&](Result<Response> response) { answer = std::move(response); });
    std::string first;
    asio::async_read(slow.front(), asio::dynamic_buffer(first), [](auto, auto) {});
    asio::write(slow.back(), asio::buffer("TP/1.1\r\nHost: x\r\n\r\n", 19));
    ASSERT_TRUE(run_until([&] { return answer.has_value(); }));
    EXPECT_TRUE(*answer) << "it came in when the oldest had had its time";
    EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(200));
    std::string second(12, '\0');
    asio::read(slow.back(), asio::buffer(second));
    EXPECT_EQ(second, "HTTP/1.1 200") << "who was at work meanwhile was not cut";
    EXPECT_EQ(server->connections(), 2u);
}

TEST_F(Web, ForAClientThatHasHungUpNoHandshakeBegins) {
    serve({}, true);
    echo();
    auto answer_to = [&](bool hangs_up) {
        asio::ip::tcp::socket socket(context);
        socket.connect({asio::ip::make_address("127.0.0.1"), server->port()});
        asio::write(socket, asio::buffer("\x16\x03\x01\x00\x04\x14\x00\x00\x00", 9)); // no handshake begins so: it is told
        if (hangs_up) socket.shutdown(asio::ip::tcp::socket::shutdown_send);
        std::string answer;
        bool closed = false;
        asio::async_read(socket, asio::dynamic_buffer(answer), [&](auto, auto) { closed = true; });
        EXPECT_TRUE(run_until([&] { return closed; }));
        return answer;
    };
    EXPECT_NE(answer_to(false), "");
    EXPECT_EQ(answer_to(true), "");
    EXPECT_TRUE(get(*client(), {}));
}

TEST_F(Web, ConnectionsAreBounded) {
    serve({.max_connections = 2});
    echo();
    std::vector<asio::ip::tcp::socket> sockets;
    for (int i = 0; i < 2; ++i) {
        sockets.emplace_back(context).connect({asio::ip::make_address("127.0.0.1"), server->port()});
    }
    ASSERT_TRUE(run_until([&] { return server->connections() == 2; }));
    EXPECT_EQ(raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "");
    sockets.clear();
    ASSERT_TRUE(run_until([&] { return server->connections() == 0; }));
    auto c = client();
    EXPECT_TRUE(get(*c, {}));
}

TEST_F(Web, ShutdownLetsRunningAnswersFinishAndBoundsTheRest) {
    serve();
    std::shared_ptr<Responder> answer;
    std::shared_ptr<BodyStream> endless;
    server->on_request([&](Request request, std::shared_ptr<Responder> responder) {
        if (request.path == "/watch")
            endless = responder->stream(200, {});
        else
            answer = responder;
    });
    auto a = client(), b = client();
    std::optional<Result<Response>> result;
    std::optional<Result<void>> cut;
    auto first = a->send({.path = "/slow"}, [&](Result<Response> response) { result = std::move(response); });
    auto second = b->stream({.path = "/watch"}, {.end = [&](Result<void> end) { cut = std::move(end); }});
    ASSERT_TRUE(run_until([&] { return answer && endless; }));
    bool down = false;
    server->shutdown(300ms, [&] { down = true; });
    answer->respond(Response::text(200, "done"));
    ASSERT_TRUE(run_until([&] { return down; }));
    ASSERT_TRUE(run_until([&] { return result && cut; }));
    EXPECT_TRUE(*result);
    EXPECT_FALSE(*cut);
    auto refused = get(*client(), {});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("connection refused"));
}

TEST_F(Web, ErrorsOfReachingNameTheAddress) {
    serve();
    auto c = client({.base = "https://127.0.0.1:1"});
    auto refused = get(*c, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "cannot reach https://127.0.0.1:1: connection refused");
    EXPECT_EQ(refused.error().code, Code::unavailable);
    for (const char* base : {"", "ftp://x", "https://", "https://x:0", "https://x:port", "https://u@x", "https://[::1"})
        EXPECT_FALSE(Client::create(context, {.base = base})) << base;
    for (const char* address : {"", "7443", "1.2.3.4", "x:1", "1.2.3.4:99999", "1.2.3.4:x"}) {
        EXPECT_FALSE(Server::open(context, {.listen = {address}})) << address;
    }
    auto taken = Server::open(context, {.listen = {"127.0.0.1:" + std::to_string(server->port())}});
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Code::exists);
}

} // namespace
} // namespace skerry::http
