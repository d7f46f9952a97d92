#include "http/test_web.h"
#include "link/acceptor.h"
#include "link/dialer.h"
#include "link/trunk.h"
#include "trust/verify.h"

namespace skerry::link {
namespace {

namespace asio = boost::asio;
using testing::HasSubstr;

struct Ear final : env::Wire::Listener {
    std::vector<std::string> messages;
    std::string why;
    int drains = 0;
    void arrived(std::string message) override { messages.push_back(std::move(message)); }
    void closed(std::string reason) override { why = std::move(reason); }
    void drained() override { ++drains; }
};

struct Link : http::Web {
    std::unique_ptr<env::Wire> up, down; // the child's end, the parent's
    Ear child, parent;
    http::Credentials mine = http::make_credentials(authority, http::some_site());
    std::unique_ptr<env::Dialer> dialer;
    std::unique_ptr<env::Timer> dialing;
    std::string refused;

    PeerVerify judge(trust::Use use) {
        return [this, use](const http::Chain& chain) -> Result<env::Peer> {
            std::vector<std::string> anchors{authority.certificate_pem()};
            return trust::peer_of(TRY(trust::verify_peer(chain, anchors, {.use = use})));
        };
    }

    void listen() {
        serve({}, true);
        accept_links(*server, {.peer = [this](const http::PeerIdentity& peer) { return judge(trust::Use::client)(peer.chain); },
                               .arrived =
                                   [this](std::unique_ptr<env::Wire> wire) {
                                       down = std::move(wire);
                                       down->listen(parent);
                                   }});
    }

    void dial(env::Channel channel = env::Channel::control, std::optional<std::uint16_t> port = {}) {
        if (!dialer)
            dialer = make_dialer(context,
                                 {.credentials = [this] { return mine; }, .verify = judge(trust::Use::server), .deadline = 3s});
        dialing = dialer->dial("127.0.0.1:" + std::to_string(port.value_or(server->port())), channel,
                               [this](Result<std::unique_ptr<env::Wire>> wire) {
                                   if (!wire) {
                                       refused = wire.error().message;
                                       return;
                                   }
                                   up = std::move(*wire);
                                   up->listen(child);
                               });
    }

    void connect(env::Channel channel = env::Channel::control) {
        listen();
        dial(channel);
        ASSERT_TRUE(run_until([&] { return (up && down) || !refused.empty(); }));
        ASSERT_EQ(refused, "");
    }
};

TEST_F(Link, CarriesMessagesBothWaysBetweenNamedPeers) {
    connect();
    EXPECT_EQ(up->peer().role, env::Peer::Role::core);
    EXPECT_EQ(down->peer().role, env::Peer::Role::site);
    EXPECT_EQ(down->peer().name, "store-17");
    EXPECT_EQ(down->peer().cell, CellId(Id{2, 2}));
    EXPECT_EQ(down->channel(), env::Channel::control);
    for (int i = 0; i < 100; ++i) up->send("beat " + std::to_string(i));
    down->send(std::string(1 << 20, 'b'));
    down->send("");
    ASSERT_TRUE(run_until([&] { return parent.messages.size() == 100 && child.messages.size() == 2; }));
    EXPECT_EQ(parent.messages[99], "beat 99");
    EXPECT_EQ(child.messages[0], std::string(1 << 20, 'b'));
    EXPECT_EQ(child.messages[1], "");
}

TEST_F(Link, ABeatOfTwentyBytesCostsAtMostFiftyAndSilenceNothing) {
    connect();
    for (int i = 0; i < 100; ++i) context.poll();
    auto before = up->traffic();
    auto other = down->traffic();
    up->send(std::string(20, 'b'));
    ASSERT_TRUE(run_until([&] { return parent.messages.size() == 1; }));
    EXPECT_LE(up->traffic().sent - before.sent, 20u + 30u);
    EXPECT_EQ(up->traffic().received, before.received);
    EXPECT_EQ(down->traffic().received - other.received, up->traffic().sent - before.sent);
}

TEST_F(Link, EitherEndDroppedIsNoticedByTheOther) {
    connect();
    up.reset();
    ASSERT_TRUE(run_until([&] { return !parent.why.empty(); }));
    EXPECT_EQ(child.why, ""); // its own doing
    parent.why.clear();
    down.reset();
    dial();
    ASSERT_TRUE(run_until([&] { return up && down; }));
    down.reset();
    ASSERT_TRUE(run_until([&] { return !child.why.empty(); }));
    up->send("into the void");
}

TEST_F(Link, AHugeMessageEndsTheWire) {
    connect();
    up->send(std::string((1 << 20) + 5000, 'x'));
    ASSERT_TRUE(run_until([&] { return !parent.why.empty(); }));
    EXPECT_THAT(parent.why, HasSubstr("limit"));
    EXPECT_TRUE(parent.messages.empty());
    ASSERT_TRUE(run_until([&] { return !child.why.empty(); }));
}

TEST_F(Link, SendersSeeWhatHasNotLeft) {
    connect(env::Channel::bulk);
    for (int i = 0; i < 32; ++i) up->send(std::string(1 << 20, 'x'));
    EXPECT_GT(up->unsent(), env::Wire::high_mark);
    ASSERT_TRUE(run_until([&] { return parent.messages.size() == 32; }));
    ASSERT_TRUE(run_until([&] { return up->unsent() == 0; }));
    EXPECT_EQ(child.drains, 1);
}

TEST_F(Link, WiresAreRefusedToStrangersAndOfStrangers) {
    listen();
    auto elsewhere = http::make_authority("elsewhere");
    mine = http::make_credentials(elsewhere, http::some_site());
    dial();
    ASSERT_TRUE(run_until([&] { return !refused.empty(); }));
    EXPECT_EQ(down, nullptr);
    mine = {};
    refused.clear();
    dial();
    ASSERT_TRUE(run_until([&] { return !refused.empty(); }));
    EXPECT_THAT(refused, HasSubstr("join first"));
    // A user of the fleet has a certificate, and no wires.
    mine = http::make_credentials(authority, trust::Identity::user("alice", {}));
    refused.clear();
    dial();
    ASSERT_TRUE(run_until([&] { return !refused.empty(); }));
    EXPECT_THAT(refused, HasSubstr("403"));
    // The child's own judgement.
    mine = http::make_credentials(authority, http::some_site());
    ASSERT_TRUE(tls->replace(http::make_credentials(elsewhere, trust::Identity::core("elsewhere", CellId(Id{1, 1})))));
    refused.clear();
    dial();
    ASSERT_TRUE(run_until([&] { return !refused.empty(); }));
    EXPECT_EQ(down, nullptr);
}

TEST_F(Link, APeerThatAcceptsAndSaysNothingRunsIntoTheDeadline) {
    serve();
    asio::ip::tcp::acceptor mute(context, {asio::ip::make_address("127.0.0.1"), 0});
    dial(env::Channel::control, mute.local_endpoint().port());
    ASSERT_TRUE(run_until([&] { return !refused.empty(); }));
    EXPECT_THAT(refused, HasSubstr("cannot reach"));
}

TEST_F(Link, ACancelledDialSaysNothing) {
    listen();
    dial();
    dialing.reset();
    for (int i = 0; i < 200; ++i) context.poll();
    EXPECT_EQ(up, nullptr);
    EXPECT_EQ(refused, "");
}

TEST_F(Link, APeerCutInTheMiddleOfAMessageDeliversNothingOfIt) {
    connect(env::Channel::bulk);
    up->send(std::string(1 << 20, 'x'));
    // One turn of the loop sends a part of it.
    context.restart();
    context.poll_one();
    up.reset();
    ASSERT_TRUE(run_until([&] { return !parent.why.empty(); }));
    for (const auto& message : parent.messages) EXPECT_EQ(message.size(), std::size_t{1 << 20});
}

TEST_F(Link, StreamsCrossARealWire) {
    listen();
    std::unique_ptr<Trunk> near, far;
    std::shared_ptr<Stream> served;
    std::string far_closed;
    accept_links(*server, {.peer = [this](const http::PeerIdentity& peer) { return judge(trust::Use::client)(peer.chain); },
                           .arrived =
                               [&](std::unique_ptr<env::Wire> wire) {
                                   far = std::make_unique<Trunk>(
                                       std::move(wire), MuxOptions{.side = Side::acceptor},
                                       [&](std::shared_ptr<Stream> stream) { served = stream; },
                                       [&](std::string why) { far_closed = why; });
                               }});
    dialer = make_dialer(context, {.credentials = [this] { return mine; }, .verify = judge(trust::Use::server)});
    dialing = dialer->dial(
        "127.0.0.1:" + std::to_string(server->port()), env::Channel::bulk, [&](Result<std::unique_ptr<env::Wire>> wire) {
            ASSERT_TRUE(wire);
            near = std::make_unique<Trunk>(std::move(*wire), MuxOptions{.side = Side::dialler}, nullptr, [](std::string) {});
        });
    ASSERT_TRUE(run_until([&] { return near && far; }));
    auto stream = *near->mux().open({.name = "blob/x"});
    std::string got;
    bool ended = false;
    stream->on_bytes([&](std::string piece) { got += piece; });
    stream->on_end([&] { ended = true; });
    ASSERT_TRUE(run_until([&] { return served != nullptr; }));
    std::string blob(5 << 20, '\0');
    for (std::size_t i = 0; i < blob.size(); ++i) blob[i] = static_cast<char>(i * 31 >> 3);
    std::size_t at = 0;
    auto more = [&] {
        at += served->write(std::string_view(blob).substr(at));
        if (at == blob.size()) served->end();
    };
    served->on_writable(more);
    more();
    ASSERT_TRUE(run_until([&] { return ended; }));
    EXPECT_EQ(got, blob);
    near.reset();
    ASSERT_TRUE(run_until([&] { return !far_closed.empty(); }));
    EXPECT_FALSE(served->is_open());
}

} // namespace
} // namespace skerry::link
