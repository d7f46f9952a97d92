#include "http/test_web.h"

namespace skerry::http {
namespace {

struct Tls : Web {
    std::vector<std::shared_ptr<const PeerIdentity>> peers;

    void serve_tls() {
        serve({}, true);
        server->on_request([this](Request request, std::shared_ptr<Responder> responder) {
            peers.push_back(request.peer);
            responder->respond(Response::text(200, std::string(request.tls_version)));
        });
    }
};

TEST_F(Tls, IsVersion13WithAnOptionalClientCertificate) {
    serve_tls();
    auto anonymous = get(*client(), {});
    ASSERT_TRUE(anonymous) << anonymous.error().message;
    EXPECT_EQ(anonymous->body, "TLSv1.3");
    EXPECT_EQ(peers[0], nullptr);
    auto mine = make_credentials(authority, some_site());
    auto known = get(*client({.tls = {.credentials = mine}}), {});
    ASSERT_TRUE(known) << known.error().message;
    ASSERT_NE(peers[1], nullptr);
    ASSERT_FALSE(peers[1]->chain.empty());
    EXPECT_EQ(*fingerprint(peers[1]->chain[0]), *fingerprint(mine.chain_pem));
}

TEST_F(Tls, AStrangersCertificateIsRefusedByEitherSide) {
    serve_tls();
    auto stranger = make_authority("elsewhere");
    auto forged = get(*client({.tls = {.credentials = make_credentials(stranger, some_site())}}), {});
    ASSERT_FALSE(forged);
    EXPECT_TRUE(peers.empty());
    auto impostor = get(*client({.tls = {.ca_pem = stranger.certificate_pem()}}), {});
    ASSERT_FALSE(impostor);
    EXPECT_EQ(impostor.error().code, Code::unauthenticated);
    EXPECT_THAT(impostor.error().message, HasSubstr("not trusted"));
    EXPECT_TRUE(peers.empty());
    auto trusting = get(*client({.tls = {.ca_pem = stranger.certificate_pem(), .insecure = true}}), {});
    EXPECT_TRUE(trusting);
}

TEST_F(Tls, AFloodOfStrangersClosesItsOwn) {
    serve({.max_connections = 100, .max_strangers = 3, .stranger_grace = 0ms}, true);
    echo();
    auto known = client({.tls = {.credentials = make_credentials(authority, some_site())}});
    ASSERT_TRUE(get(*known, {}));
    // What is known waits now, and is older than every stranger.
    std::vector<asio::ip::tcp::socket> flood;
    for (int i = 0; i < 20; ++i) {
        flood.emplace_back(context).connect({asio::ip::make_address("127.0.0.1"), server->port()});
        context.restart();
        context.poll();
    }
    ASSERT_TRUE(run_until([&] { return server->connections() == 4; }));
    auto late = client();
    EXPECT_TRUE(get(*late, {})) << "who comes now finds a place";
    EXPECT_TRUE(get(*known, {}));
    EXPECT_EQ(server->connections(), 4u) << "the known one kept its connection";
}

TEST_F(Tls, TheNameIsCheckedAndMayBeReplaced) {
    serve_tls();
    auto wrong = get(*client({.tls = {.server_name = "bank.example"}}), {});
    ASSERT_FALSE(wrong);
    EXPECT_THAT(wrong.error().message, HasSubstr("ostname mismatch"));
    EXPECT_TRUE(get(*client({.tls = {.server_name = "localhost"}}), {}));
}

TEST_F(Tls, APinnedAuthoritySufficesAndAnotherDoesNot) {
    serve_tls();
    EXPECT_EQ(*key_fingerprint(authority.certificate_pem()), authority.key());
    for (const std::string& pin : {*fingerprint(authority.certificate_pem()), authority.key()})
        EXPECT_TRUE(get(*client({.tls = {.pin = pin}}), {}));
    auto good = get(*client({.tls = {.pin = authority.key()}}), {});
    EXPECT_TRUE(good) << good.error().message;
    auto bad = get(*client({.tls = {.pin = make_authority("elsewhere").key()}}), {});
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().code, Code::unauthenticated);
}

TEST_F(Tls, ACustomJudgeDecidesAndItsReasonIsTold) {
    serve_tls();
    auto refused = get(
        *client({.tls = {.verify = [](const Chain&) -> Result<Verdict> { return fail(Code::forbidden, "revoked last week"); }}}),
        {});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("revoked last week"));
    std::size_t length = 0;
    EXPECT_TRUE(get(*client({.tls = {.verify = [&](const Chain& chain) -> Result<Verdict> {
                                 length = chain.size();
                                 return Verdict::of(1);
                             }}}),
                    {}));
    EXPECT_GE(length, 2u);
}

TEST_F(Tls, ARevokedClientIsToldSoByTheAlert) {
    tls = *ServerTls::create({.credentials = make_credentials(authority, some_core()),
                              .ca_pem = authority.certificate_pem(),
                              .verify = [](const Chain&) -> Result<Verdict> { return fail(Code::gone, "revoked"); }});
    server = std::move(*Server::open(context, {.listen = {"127.0.0.1:0"}, .tls = tls}));
    auto mine = make_credentials(authority, some_site());
    auto refused = get(*client({.tls = {.credentials = mine}}), {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::gone) << refused.error().message;
    EXPECT_THAT(refused.error().message, HasSubstr("no longer good"));
}

TEST_F(Tls, ANewCertificateServesNewConnectionsWhileOldOnesGoOn) {
    serve_tls();
    auto other = make_authority("second");
    auto old = client();
    ASSERT_TRUE(get(*old, {}));
    ASSERT_TRUE(tls->replace(make_credentials(other, trust::Identity::core("second", CellId(Id{1, 1})))));
    EXPECT_TRUE(get(*old, {})); // kept alive
    EXPECT_FALSE(get(*client(), {}));
    EXPECT_TRUE(get(*client({.tls = {.ca_pem = other.certificate_pem()}}), {}));
    EXPECT_FALSE(tls->replace({.chain_pem = "nonsense", .key_pem = "nonsense"}));
    auto mixed = make_credentials(other, trust::Identity::core("second", CellId(Id{1, 1})));
    mixed.key_pem = *trust::make_key();
    EXPECT_FALSE(tls->replace(mixed));
    EXPECT_TRUE(get(*client({.tls = {.ca_pem = other.certificate_pem()}}), {}));
}

TEST_F(Tls, PlainTextOnATlsPortEndsAndTlsOnAPlainPortSaysSo) {
    serve_tls();
    raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(peers.empty());
    ASSERT_TRUE(run_until([&] { return server->connections() == 0; }));
    server.reset();
    tls.reset();
    serve();
    auto confused = get(*client({.base = base("https")}), {});
    ASSERT_FALSE(confused);
    EXPECT_THAT(confused.error().message, HasSubstr("does not speak TLS"));
}

TEST_F(Tls, VerifyChainCanIgnoreClocks) {
    auto grant = trust::Grant{.identity = some_site(), .now = WallTime{1'500'000'000, 0}, .validity = 1h};
    auto key = *trust::make_key();
    auto made = authority.issue_chain(*trust::make_request(key), grant);
    ASSERT_TRUE(made);
    EXPECT_TRUE(verify_chain({*made}, authority.certificate_pem(), Validity::ignored));
    EXPECT_FALSE(verify_chain({*made}, make_authority("x").certificate_pem(), Validity::ignored));
    EXPECT_FALSE(verify_chain({}, authority.certificate_pem(), Validity::ignored));
    EXPECT_FALSE(verify_chain({"rubbish"}, authority.certificate_pem(), Validity::ignored));
    EXPECT_FALSE(verify_chain({*made}, "", Validity::ignored));
}

} // namespace
} // namespace skerry::http
