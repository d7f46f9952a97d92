#include "http/test_web.h"

namespace skerry::http {
namespace {

/// A server and a client that both take sessions up again; who is who is a number that the test can change its mind about.
struct Resumption : Web {
    int judged = 0, recalled = 0, seen = 0; // how often the server judged a chain, a note; the client a chain
    bool is_revoked = false, client_trusts = true;
    Duration life = 1h;
    std::vector<std::shared_ptr<const PeerIdentity>> peers;
    std::shared_ptr<ClientTls> mine;

    void open_server() {
        server.reset();
        tls = *ServerTls::create({.credentials = make_credentials(authority, some_core()),
                                  .ca_pem = authority.certificate_pem(),
                                  .verify = [this](const Chain&) -> Result<Verdict> {
                                      ++judged;
                                      if (is_revoked) return fail(Code::gone, "revoked");
                                      return Verdict::of(7, "seven");
                                  },
                                  .recall = [this](std::string_view note) -> Result<Verdict> {
                                      ++recalled;
                                      EXPECT_EQ(note, "seven");
                                      if (is_revoked) return fail(Code::gone, "revoked");
                                      return Verdict::of(7, std::string(note));
                                  },
                                  .session_life = life});
        server = std::move(*Server::open(context, {.listen = {"127.0.0.1:0"}, .tls = tls}));
        server->on_request([this](Request request, std::shared_ptr<Responder> responder) {
            peers.push_back(request.peer);
            responder->respond(Response::text(200, "well"));
        });
    }

    void SetUp() override {
        open_server();
        mine = *ClientTls::create({.credentials = make_credentials(authority, some_site()),
                                   .verify = [this](const Chain& chain) -> Result<Verdict> {
                                       ++seen;
                                       EXPECT_GE(chain.size(), 2u);
                                       if (!client_trusts) return fail(Code::unauthenticated, "no parent of mine any more");
                                       return Verdict::of(1);
                                   },
                                   .resumes = true});
    }

    /// On a connection of its own.
    Result<Response> call() { return get(*client({.ready_tls = mine}), {}); }
    int who() { return peers.back() ? std::any_cast<int>(peers.back()->identity) : 0; }
};

TEST_F(Resumption, NoCertificateIsShownAgainAndBothSidesJudgeAnew) {
    for (int i = 0; i < 4; ++i) {
        auto answer = call();
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(who(), 7);
        EXPECT_EQ(judged, 1);
        EXPECT_EQ(peers.back()->chain.empty(), i > 0);
        EXPECT_EQ(recalled > 0, i > 0);
        EXPECT_EQ(seen, i + 1);
    }
}

TEST_F(Resumption, WhoWasRevokedSinceIsRefusedAndToldSo) {
    ASSERT_TRUE(call());
    is_revoked = true;
    auto refused = call();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::gone) << refused.error().message;
    EXPECT_EQ(peers.size(), 1u);
    EXPECT_GT(recalled, 0);
    EXPECT_EQ(judged, 2) << "its certificate was asked for, and refused";
    is_revoked = false;
    EXPECT_TRUE(call());
    EXPECT_EQ(who(), 7);
}

TEST_F(Resumption, AServerThatIsTrustedNoMoreIsNotGoneOnWith) {
    ASSERT_TRUE(call());
    client_trusts = false;
    auto refused = call();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("no parent of mine"));
    EXPECT_EQ(peers.size(), 1u);
}

TEST_F(Resumption, ARestartedServerOpensNoTicketOfBefore) {
    ASSERT_TRUE(call());
    open_server();
    auto answer = call();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(judged, 2);
    EXPECT_EQ(recalled, 0);
    EXPECT_EQ(who(), 7);
}

TEST_F(Resumption, ANewCertificateOfTheServersLeavesSessionsGood) {
    ASSERT_TRUE(call());
    ASSERT_TRUE(tls->replace(make_credentials(authority, some_core())));
    ASSERT_TRUE(call());
    EXPECT_EQ(judged, 1);
}

TEST_F(Resumption, ClientsWithoutACertificateAreNobodyBeforeAndAfter) {
    auto nameless =
        *ClientTls::create({.verify = [](const Chain&) -> Result<Verdict> { return Verdict::of(1); }, .resumes = true});
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(get(*client({.ready_tls = nameless}), {}));
        EXPECT_EQ(peers.back(), nullptr);
    }
    EXPECT_EQ(recalled + judged, 0);
}

TEST_F(Resumption, WhatSealsTicketsHasItsTime) {
    life = 1s;
    open_server();
    ASSERT_TRUE(call());
    ASSERT_TRUE(call());
    EXPECT_EQ(judged, 1);
    ::usleep(1'100'000);
    ASSERT_TRUE(call());
    EXPECT_EQ(judged, 2);
    EXPECT_EQ(who(), 7);
}

} // namespace
} // namespace skerry::http
