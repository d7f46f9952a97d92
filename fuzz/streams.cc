// Bytes of connections: HTTP messages cut anywhere, and frames of the tunnel's streams.
#include "base/check.h"
#include "http/message.h"
#include "http/parser.h"
#include "link/mux.h"
#include "seeds.h"

#include <map>

using namespace skerry;

namespace {

/// The same bytes in one piece and in pieces must mean the same.
struct Reading {
    std::string body, method, target;
    bool failed = false, done = false;
    int status = 0;
    bool operator==(const Reading&) const = default;
};

Reading read(std::string_view bytes, http::Parser::Kind kind, std::size_t piece) {
    http::Parser parser(kind, {.head = 4096, .line = 256});
    Reading reading;
    std::string waiting;
    for (std::size_t at = 0; at < bytes.size() && !parser.done() && !reading.failed; at += piece) {
        waiting += bytes.substr(at, piece);
        for (;;) {
            auto taken = parser.feed(waiting);
            if (!taken) {
                CHECK(!taken.error().message.empty());
                reading.failed = true;
                break;
            }
            CHECK(*taken <= waiting.size());
            waiting.erase(0, *taken);
            reading.body += std::exchange(parser.body, {});
            if (*taken == 0 || waiting.empty() || parser.done()) break;
        }
        CHECK(waiting.size() <= 4096 + 256 + piece, "a parser that takes nothing and refuses nothing");
    }
    if (!parser.done() && !reading.failed && parser.got_some() && !parser.feed_end()) reading.failed = true;
    reading.done = parser.done();
    reading.method = parser.method, reading.target = parser.target, reading.status = parser.status;
    if (reading.failed) reading = {.failed = true};
    return reading;
}

void http_message(fuzz::Input input) {
    auto kind = input.byte() % 2 == 0 ? http::Parser::Kind::request : http::Parser::Kind::response;
    std::size_t piece = 1 + input.byte() % 64;
    auto whole = read(input.rest(), kind, input.rest().size() + 1);
    auto pieces = read(input.rest(), kind, piece);
    CHECK(whole == pieces, "a message means something else when it comes in pieces");
    if (auto query = http::Query::parse(input.rest())) CHECK(http::Query::parse(query->text()).has_value());
}

void mux(fuzz::Input input) {
    std::size_t sent = 0;
    bool broken = false;
    link::Mux mux({.side = input.byte() % 2 == 0 ? link::Side::acceptor : link::Side::dialler, .max_streams = 8},
                  {.send = [&](std::string message) { sent += message.size(); }, .unsent = [] { return std::size_t{0}; }});
    std::vector<std::shared_ptr<link::Stream>> streams;
    mux.on_broken([&](std::string why) {
        CHECK(!why.empty());
        broken = true;
    });
    mux.on_open([&](std::shared_ptr<link::Stream> stream) {
        if (streams.size() >= 64) return stream->reset("enough");
        std::size_t index = streams.size();
        if (index % 3 == 0) stream->consume_by_hand();
        if (index % 2 == 0) {
            stream->on_bytes([&streams, index](std::string bytes) {
                // An echo: what does not fit is dropped.
                (void)streams[index]->write(bytes);
                if (index % 3 == 0) streams[index]->consumed(bytes.size());
            });
            stream->on_end([&streams, index] { streams[index]->end(); });
        }
        streams.push_back(std::move(stream));
    });
    if (auto ours = mux.open({.name = "logs", .parameters = {{"a", "b"}}})) {
        (void)(*ours)->write("hello");
        streams.push_back(*ours);
    }
    while (!input.empty() && !broken) {
        unsigned what = input.byte();
        if (what % 16 == 1 && !streams.empty())
            streams[input.byte() % streams.size()]->reset();
        else if (what % 16 == 2 && !streams.empty())
            (void)streams[input.byte() % streams.size()]->write(std::string(input.byte() * 64, 'x'));
        else if (what % 16 == 3 && !streams.empty())
            streams[input.byte() % streams.size()]->end();
        else
            mux.arrived(input.text());
        CHECK(mux.streams() <= 16 + 1, "more streams than allowed");
    }
    mux.down("the end");
    CHECK(mux.streams() == 0);
}

/// What the other side of a tunnel sends when it opens a stream, writes and ends it.
std::string conversation() {
    std::string script(1, '\1');
    script += '\0';
    std::vector<std::string> sent;
    {
        link::Mux peer({.side = link::Side::dialler}, {.send = [&](std::string message) { sent.push_back(std::move(message)); },
                                                       .unsent = [] { return std::size_t{0}; }});
        auto stream = peer.open({.name = "logs", .parameters = {{"instance", "till-0"}, {"follow", "true"}}});
        CHECK(stream.has_value());
        (void)(*stream)->write("hello there");
        (*stream)->end();
        if (auto other = peer.open({.name = "blob/sha256:00"})) {
            (void)(*other)->write(std::string(3'000, 'b'));
            (*other)->reset("cancelled");
        }
    }
    for (auto& message : sent) script += '\0' + fuzz::written(message);
    return script;
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    auto web = [](char kind, std::string text) { return std::string{'\0', kind, '\3'} + text; };
    fuzz::start_from(
        {web(0, "GET /apis/skerry/v1/apps?watch=1&labelSelector=a%3Db HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"),
         web(0, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"),
         web(0, "PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: v\r\n\r\n"),
         web(0, "GET /link HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
                "dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
         web(1, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), web(1, "HTTP/1.0 404 Not Found\r\n\r\nuntil the end"),
         conversation()},
        count, arguments);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* bytes, std::size_t size) {
    fuzz::Input input(bytes, size);
    if (input.byte() % 2 == 0)
        http_message(input);
    else
        mux(input);
    return 0;
}
