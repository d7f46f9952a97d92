#include "base/test_seeds.h"
#include "http/parser.h"

#include <gtest/gtest.h>

#include <random>

namespace skerry::http {
namespace {

struct Parsed {
    Result<void> outcome;
    std::string body;
    std::size_t taken = 0;
    bool done = false;
};

/// Feeds the text in pieces of the given size, as a connection would.
Parsed parse(Parser& parser, std::string_view text, std::size_t piece) {
    Parsed parsed;
    std::string in;
    std::size_t at = 0;
    while (at < text.size() || !in.empty()) {
        auto add = std::min(piece, text.size() - at);
        in += text.substr(at, add);
        at += add;
        auto before = in.size();
        while (!parser.done()) {
            auto taken = parser.feed(in);
            if (!taken) {
                parsed.outcome = std::unexpected(taken.error());
                return parsed;
            }
            in.erase(0, *taken);
            parsed.taken += *taken;
            parsed.body += std::exchange(parser.body, {});
            if (*taken == 0) break;
        }
        if (parser.done() || (at == text.size() && in.size() == before)) break;
    }
    parsed.done = parser.done();
    return parsed;
}

TEST(Parser, TakesBodiesInChunksHoweverTheyArrive) {
    std::string text = "POST /x?y HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n "
                       "world\r\n0\r\nTrailer: x\r\n\r\n";
    for (std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{60}, text.size()}) {
        Parser parser(Parser::Kind::request, {});
        auto parsed = parse(parser, text + "GET /next", piece);
        ASSERT_TRUE(parsed.outcome) << piece << ": " << parsed.outcome.error().message;
        EXPECT_TRUE(parsed.done) << piece;
        EXPECT_EQ(parsed.body, "hello world") << piece;
        EXPECT_EQ(parsed.taken, text.size()) << piece;
        EXPECT_EQ(parser.target, "/x?y");
        EXPECT_FALSE(parser.headers.has("Trailer"));
    }
}

TEST(Parser, ResponsesMayEndWithTheConnection) {
    Parser parser(Parser::Kind::response, {});
    auto parsed = parse(parser, "HTTP/1.1 200 OK\r\n\r\nuntil the end", 5);
    EXPECT_FALSE(parsed.done);
    EXPECT_EQ(parsed.body, "until the end");
    EXPECT_TRUE(parser.feed_end());
    EXPECT_TRUE(parser.done());
    Parser cut(Parser::Kind::response, {});
    parse(cut, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 5);
    EXPECT_FALSE(cut.feed_end());
}

TEST(Parser, EndlessChunkHeadsAndTrailersAreRefused) {
    for (std::string tail : {"5;" + std::string(100'000, 'e'), "0\r\nA: " + std::string(100'000, 'a')}) {
        Parser parser(Parser::Kind::request, {});
        auto parsed = parse(parser, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + tail, 1000);
        EXPECT_FALSE(parsed.outcome);
    }
}

TEST(Parser, RandomBytesNeverCrash) {
    for (std::uint32_t seed = 0, end = test::seeds(4000); seed < end; ++seed) {
        std::mt19937 random(seed);
        std::string text =
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        if (random() % 2) text.erase(random() % text.size(), random() % 20);
        for (auto n = random() % 6; n > 0; --n) text[random() % text.size()] = static_cast<char>(random());
        Parser parser(random() % 4 == 0 ? Parser::Kind::response : Parser::Kind::request, {});
        auto parsed = parse(parser, text, 1 + random() % 30);
        EXPECT_LE(parsed.body.size(), text.size());
    }
}

TEST(Message, QueriesAndEscapes) {
    auto query = *Query::parse("a=1&b=x+y&a=%32&watch&c=%C3%A9&&=z");
    EXPECT_EQ(query.get("a"), "1");
    EXPECT_EQ(query.all("a").size(), 2u);
    EXPECT_EQ(query.get("b"), "x y");
    EXPECT_TRUE(query.has("watch"));
    EXPECT_EQ(query.get("c"), "\xc3\xa9");
    EXPECT_FALSE(Query::parse("a=%"));
    EXPECT_FALSE(Query::parse("a=%4"));
    EXPECT_FALSE(Query::parse("%g0"));
    EXPECT_EQ((*Query::parse((Query{{"k y", "a&b=c%+"}}).text())).get("k y"), "a&b=c%+");
    EXPECT_EQ((Request{.raw_target = "/_health?local=true&a%20b"}).target(), "/_health?local=true&a%20b");
    EXPECT_EQ((Request{.path = "/a b/ü", .query = {{"x", "1,2"}}}).target(), "/a%20b/%C3%BC?x=1%2C2");
}

} // namespace
} // namespace skerry::http
