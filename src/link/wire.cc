#include "link/wire.h"

namespace skerry::link {

namespace {

class WebSocketWire final : public env::Wire, private http::WebSocket::Listener {
public:
    WebSocketWire(std::unique_ptr<http::WebSocket> socket, env::Peer peer, env::Channel channel)
        : socket_(std::move(socket)), peer_(std::move(peer)), channel_(channel) {}

    const env::Peer& peer() const override { return peer_; }
    env::Channel channel() const override { return channel_; }
    void listen(env::Wire::Listener& listener) override {
        bool first = listener_ == nullptr;
        listener_ = &listener;
        if (first) socket_->listen(*this);
    }
    void send(std::string message) override { socket_->send(std::move(message), http::WebSocket::Kind::binary); }
    std::size_t unsent() const override { return socket_->unsent(); }
    Traffic traffic() const override {
        auto traffic = socket_->traffic();
        return {.sent = traffic.sent, .received = traffic.received};
    }
    Path path() const override {
        auto path = socket_->path();
        return {.round_trip = path.round_trip, .sent = path.sent, .sent_again = path.sent_again};
    }

private:
    void arrived(std::string message, http::WebSocket::Kind kind) override {
        // The protocol has binary messages only.
        if (kind != http::WebSocket::Kind::binary) return socket_->close("text on a link");
        listener_->arrived(std::move(message));
    }
    void closed(std::string why) override { listener_->closed(std::move(why)); }
    void drained() override { listener_->drained(); }

    std::unique_ptr<http::WebSocket> socket_;
    env::Peer peer_;
    env::Channel channel_;
    env::Wire::Listener* listener_ = nullptr;
};

} // namespace

http::WebSocketOptions socket_options(env::Channel channel, Duration user_timeout) {
    return {.max_message = max_message,
            .subprotocol = {},
            .user_timeout = user_timeout,
            .not_sent_low = channel == env::Channel::control ? std::size_t{4 << 10} : std::size_t{128 << 10}};
}

std::unique_ptr<env::Wire> make_wire(std::unique_ptr<http::WebSocket> socket, env::Peer peer, env::Channel channel) {
    return std::make_unique<WebSocketWire>(std::move(socket), std::move(peer), channel);
}

} // namespace skerry::link
