#include "http/websocket.h"

#include "base/queue.h"
#include "http/status.h"
#include "http/websocket_open.h"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <array>

namespace skerry::http {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;

// Beast ends a WebSocket's stream through these.

void beast_close_socket(Stream& stream) { stream.close(); }

void teardown(beast::role_type, Stream& stream, error_code& code) {
    stream.close();
    code = {};
}

template<class Handler>
void async_teardown(beast::role_type, Stream& stream, Handler&& handler) {
    stream.end_writing();
    asio::post(stream.get_executor(), [handler = std::forward<Handler>(handler)]() mutable { handler(error_code{}); });
}

namespace {

std::string plain(const error_code& code, const Stream& stream) {
    if (code == websocket::error::closed) return "the other side closed the connection";
    if (code == websocket::error::message_too_big) return "a message passed the limit";
    if (code == asio::error::eof) return "the other side closed the connection";
    if (code == asio::error::connection_reset && !stream.why().message.empty()) return stream.why().message;
    if (code == beast::error::timeout) return "the other side took too long";
    if (code.category() == error_code(websocket::error::closed).category())
        return "the other side broke the WebSocket protocol: " + code.message();
    return code.message();
}

/// The open socket's state, alive while operations of Beast's are; WebSocketHandle is what its owner holds.
class OpenWebSocket : public std::enable_shared_from_this<OpenWebSocket> {
public:
    OpenWebSocket(Stream stream, const WebSocketOptions& options) : ws_(std::move(stream)) {
        if (options.user_timeout > Duration{})
            next().set_user_timeout(
                static_cast<unsigned>(std::chrono::duration_cast<std::chrono::milliseconds>(options.user_timeout).count()));
        if (options.not_sent_low > 0) next().set_not_sent_low(static_cast<unsigned>(options.not_sent_low));
        ws_.read_message_max(options.max_message);
        ws_.auto_fragment(false);
        limit_opening();
    }

    Stream& next() { return ws_.next_layer(); }
    websocket::stream<Stream, false>& beast() { return ws_; }

    /// A deadline on the opening; afterwards none, and no pings: an idle socket is silent.
    void limit_opening(Duration opening = 20s) {
        ws_.set_option(websocket::stream_base::timeout{opening, websocket::stream_base::none(), false});
    }

    void opened() {
        open_ = true;
        next().forget_chain();
    }

    void listen(WebSocket::Listener& listener) {
        listener_ = &listener;
        if (!open_) {
            asio::post(next().get_executor(), [self = shared_from_this()] { self->tell_closed(); });
        } else if (!std::exchange(reading_, true)) {
            read();
        }
    }

    void send(std::string message, WebSocket::Kind kind) {
        if (!open_ || closing_) return;
        unsent_ += message.size();
        was_high_ = was_high_ || unsent_ >= WebSocket::high_mark;
        queue_.push_back({std::move(message), kind});
        write();
    }

    void close(std::string reason) {
        if (!open_ || std::exchange(closing_, true)) return;
        reason_ = std::move(reason);
        if (reason_.size() > 120) reason_.resize(120);
        write();
    }

    void drop() {
        listener_ = nullptr;
        open_ = false;
        next().close();
    }

    std::size_t unsent() const { return unsent_; }
    WebSocket::Traffic payload() const { return payload_; }
    WebSocket::Path path() {
        auto path = next().path();
        return {.round_trip = path.round_trip, .sent = path.sent, .sent_again = path.sent_again};
    }
    WebSocket::Traffic traffic() { return {next().sent(), next().received()}; }
    std::shared_ptr<const PeerIdentity> peer() { return next().peer(); }
    const std::string& remote() { return next().remote(); }

private:
    struct Queued {
        std::string bytes;
        WebSocket::Kind kind;
    };

    /// While idle only the first few bytes have a place: beats fit, and a longer message finds its own.
    void read() {
        auto into = message_.empty() ? asio::buffer(first_.data(), first_.size()) : grow();
        ws_.async_read_some(into, [self = shared_from_this()](error_code code, std::size_t count) { self->came(code, count); });
    }

    asio::mutable_buffer grow() {
        auto hint = std::clamp<std::size_t>(ws_.read_size_hint(std::size_t{4096}), 512, 64 << 10);
        message_.resize(filled_ + hint);
        return asio::buffer(message_.data() + filled_, hint);
    }

    void came(error_code code, std::size_t count) {
        if (code) return down(plain(code, next()));
        if (message_.empty()) {
            message_.assign(first_.data(), count);
        } else {
            message_.resize(filled_ + count);
        }
        filled_ = message_.size();
        if (ws_.is_message_done()) {
            payload_.received += filled_;
            auto message = std::move(message_);
            message_ = {};
            filled_ = 0;
            auto kind = ws_.got_binary() ? WebSocket::Kind::binary : WebSocket::Kind::text;
            if (listener_ != nullptr && !closing_) listener_->arrived(std::move(message), kind);
            if (listener_ == nullptr || !open_) return;
        }
        read();
    }

    void write() {
        if (writing_ || !open_) return;
        if (queue_.empty()) {
            if (!closing_ || std::exchange(close_sent_, true)) return;
            ws_.async_close(websocket::close_reason(websocket::close_code::normal, reason_),
                            [self = shared_from_this()](error_code) { self->down("closed: " + self->reason_); });
            return;
        }
        writing_ = true;
        ws_.binary(queue_.front().kind == WebSocket::Kind::binary);
        ws_.async_write(asio::buffer(queue_.front().bytes),
                        [self = shared_from_this()](error_code code, std::size_t) { self->wrote(code); });
    }

    void wrote(error_code code) {
        writing_ = false;
        if (code) return down(plain(code, next()));
        auto size = queue_.front().bytes.size();
        payload_.sent += size;
        unsent_ -= size;
        queue_.pop_front();
        write();
        if (was_high_ && unsent_ < WebSocket::high_mark) {
            was_high_ = false;
            if (listener_ != nullptr) listener_->drained();
        }
    }

    void down(std::string why) {
        if (!open_) return;
        open_ = false;
        queue_.clear();
        unsent_ = 0;
        if (ws_.reason().code != websocket::close_code::none && ws_.reason().reason.size() > 0 && !closing_)
            why += " (" + std::string(ws_.reason().reason.data(), ws_.reason().reason.size()) + ")";
        why_ = std::move(why);
        next().close();
        tell_closed();
    }

    void tell_closed() {
        if (auto* listener = std::exchange(listener_, nullptr)) listener->closed(why_);
    }

    websocket::stream<Stream, false> ws_;
    WebSocket::Listener* listener_ = nullptr;
    std::array<char, 128> first_{};
    std::string message_;
    std::size_t filled_ = 0;
    Queue<Queued> queue_;
    std::size_t unsent_ = 0;
    WebSocket::Traffic payload_;
    std::string reason_;
    std::string why_ = "the connection is closed";
    bool open_ = false;
    bool reading_ = false;
    bool writing_ = false;
    bool was_high_ = false;
    bool closing_ = false;
    bool close_sent_ = false;
};

class WebSocketHandle final : public WebSocket {
public:
    explicit WebSocketHandle(std::shared_ptr<OpenWebSocket> open) : open_(std::move(open)) {}
    ~WebSocketHandle() override { open_->drop(); }
    void listen(Listener& listener) override { open_->listen(listener); }
    void send(std::string message, Kind kind) override { open_->send(std::move(message), kind); }
    void close(std::string reason) override { open_->close(std::move(reason)); }
    std::size_t unsent() const override { return open_->unsent(); }
    Traffic payload() const override { return open_->payload(); }
    Traffic traffic() const override { return open_->traffic(); }
    Path path() const override { return open_->path(); }
    std::shared_ptr<const PeerIdentity> peer() const override { return open_->peer(); }
    std::string_view tls_version() const override {
        return open_->next().tls() != nullptr ? open_->next().tls()->version() : std::string_view{};
    }
    const std::string& remote() const override { return open_->remote(); }

private:
    std::shared_ptr<OpenWebSocket> open_;
};

using Opened = std::function<void(Result<std::unique_ptr<WebSocket>>)>;

struct Opening final : Call {
    ~Opening() override {
        if (*wanted) {
            *wanted = false;
            socket->drop();
        }
    }
    std::shared_ptr<OpenWebSocket> socket;
    std::shared_ptr<bool> wanted = std::make_shared<bool>(true);
};

} // namespace

void accept_websocket(Stream stream, UpgradeRequest asked, WebSocketOptions options, Opened done) {
    auto socket = std::make_shared<OpenWebSocket>(std::move(stream), options);
    beast::http::request<beast::http::empty_body> request(beast::http::verb::get, asked.target, 11);
    for (const auto& [name, value] : asked.headers) request.insert(name, value);
    auto subprotocol = options.subprotocol;
    socket->beast().set_option(websocket::stream_base::decorator([subprotocol](websocket::response_type& response) {
        if (!subprotocol.empty()) response.set(beast::http::field::sec_websocket_protocol, subprotocol);
    }));
    socket->beast().async_accept(request, [socket, done = std::move(done)](error_code code) {
        if (code) return done(fail(Code::invalid, "WebSocket: " + plain(code, socket->next())));
        socket->opened();
        done(std::make_unique<WebSocketHandle>(socket));
    });
}

std::unique_ptr<Call> connect_websocket(Stream stream, std::string host, UpgradeRequest asked, WebSocketOptions options,
                                        Duration timeout, Opened done) {
    auto call = std::make_unique<Opening>();
    call->socket = std::make_shared<OpenWebSocket>(std::move(stream), options);
    auto& socket = call->socket;
    socket->limit_opening(timeout);
    socket->beast().set_option(websocket::stream_base::decorator(
        [headers = asked.headers, subprotocol = options.subprotocol](websocket::request_type& request) {
            for (const auto& [name, value] : headers) request.insert(name, value);
            if (!subprotocol.empty()) request.set(beast::http::field::sec_websocket_protocol, subprotocol);
        }));
    auto response = std::make_shared<websocket::response_type>();
    socket->beast().async_handshake(
        *response, host, asked.target, [socket, response, wanted = call->wanted, done = std::move(done)](error_code code) {
            if (!std::exchange(*wanted, false)) return;
            if (code == websocket::error::upgrade_declined) {
                auto status = static_cast<int>(response->result_int());
                auto why = response->body();
                while (!why.empty() && (why.back() == '\n' || why.back() == '\r')) why.pop_back();
                return done(fail(code_of(status), "the server answers " + std::to_string(status) +
                                                      (why.empty() ? "" : ": " + why.substr(0, 300))));
            }
            if (code) {
                // In TLS 1.3 the word that our certificate is refused comes behind the handshake.
                Code refused = code == asio::error::connection_reset ? socket->next().why().code : Code::unavailable;
                bool known = refused == Code::unauthenticated || refused == Code::gone;
                return done(fail(code == beast::error::timeout ? Code::timeout
                                 : known                       ? refused
                                                               : Code::unavailable,
                                 plain(code, socket->next())));
            }
            socket->opened();
            done(std::make_unique<WebSocketHandle>(socket));
        });
    return call;
}

} // namespace skerry::http
