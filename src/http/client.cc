#include "http/client.h"

#include "http/exchange.h"
#include "http/websocket_open.h"

#include <fmt/format.h>

#include <charconv>

namespace skerry::http {

namespace {

struct Base {
    bool tls = false;
    std::string host;
    std::uint16_t port = 0;
    std::string host_header;
    std::string prefix; ///< "" or "/some/where"
    std::string title;
};

Result<Base> parse_base(const std::string& text) {
    auto wrong = [&] { return fail(Code::invalid, "server address \"" + text + "\" is not a URL (try https://host:7443)"); };
    std::string_view rest = text;
    Base base;
    if (rest.starts_with("https://")) {
        base.tls = true;
        rest.remove_prefix(8);
    } else if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
    } else {
        return wrong();
    }
    auto authority = rest.substr(0, rest.find_first_of("/?#"));
    base.prefix = std::string(rest.substr(authority.size()));
    if (base.prefix.find_first_of("?#") != std::string::npos) return wrong();
    while (base.prefix.ends_with('/')) base.prefix.pop_back();
    base.host_header = std::string(authority);
    base.title = text.substr(0, text.size() - rest.size()) + base.host_header;
    if (authority.find('@') != std::string_view::npos) return wrong();
    auto port = std::string_view{};
    if (authority.starts_with('[')) {
        auto end = authority.find(']');
        if (end == std::string_view::npos) return wrong();
        base.host = std::string(authority.substr(1, end - 1));
        authority.remove_prefix(end + 1);
        if (!authority.empty() && authority[0] != ':') return wrong();
        if (!authority.empty()) port = authority.substr(1);
    } else {
        auto colon = authority.find(':');
        base.host = std::string(authority.substr(0, colon));
        if (colon != std::string_view::npos) port = authority.substr(colon + 1);
    }
    if (base.host.empty()) return wrong();
    base.port = base.tls ? 443 : 80;
    if (!port.empty()) {
        auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), base.port);
        if (code != std::errc{} || end != port.data() + port.size() || base.port == 0) return wrong();
    }
    return base;
}

/// A connect followed by a WebSocket's handshake.
struct WebSocketCall final : Call {
    std::unique_ptr<Call> now;
};

class OpenClient final : public Client {
public:
    OpenClient(asio::io_context& context, ClientOptions options, Base base, std::shared_ptr<ClientTls> tls)
        : options_(std::move(options)), base_(std::move(base)), place_(std::make_shared<ClientPlace>(context)) {
        place_->to = {.host = base_.host, .port = base_.port, .tls = std::move(tls), .title = base_.title};
        place_->connect_timeout = options_.connect_timeout;
        place_->head_timeout = options_.head_timeout;
        place_->idle_timeout = options_.idle_timeout;
    }
    ~OpenClient() override {
        place_->idle.reset();
        auto running = std::exchange(place_->running, {});
        for (auto& [key, weak] : running)
            if (auto exchange = weak.lock()) exchange->cancel();
    }

    std::unique_ptr<Call> send(Request request, std::function<void(Result<Response>)> done) override {
        return begin(std::move(request), nullptr, whole(std::move(done)));
    }
    std::unique_ptr<Call> stream(Request request, ResponseSink sink) override {
        return begin(std::move(request), nullptr, std::move(sink));
    }
    std::unique_ptr<Call> upload(Request request, BodyReader reader, std::function<void(Result<Response>)> done) override {
        return begin(std::move(request), std::move(reader), whole(std::move(done)));
    }

    std::unique_ptr<Call> open_websocket(Request request, WebSocketOptions options,
                                         std::function<void(Result<std::unique_ptr<WebSocket>>)> done) override {
        auto call = std::make_unique<WebSocketCall>();
        complete(request);
        UpgradeRequest asked{.target = base_.prefix + request.target(), .headers = std::move(request.headers)};
        call->now = connect(place_->context, place_->to, options_.connect_timeout,
                            [call = call.get(), asked = std::move(asked), options = std::move(options), host = base_.host_header,
                             timeout = options_.connect_timeout, title = base_.title,
                             done = std::move(done)](Result<std::unique_ptr<Stream>> stream) mutable {
                                if (!stream) return done(std::unexpected(stream.error()));
                                call->now =
                                    connect_websocket(std::move(**stream), host, std::move(asked), std::move(options), timeout,
                                                      [done = std::move(done), title](Result<std::unique_ptr<WebSocket>> socket) {
                                                          done(std::move(socket) | during(title));
                                                      });
                            });
        return call;
    }

private:
    void complete(Request& request) {
        if (!options_.authorization.empty() && !request.headers.has("Authorization"))
            request.headers.set("Authorization", options_.authorization);
        if (!request.headers.has("User-Agent")) request.headers.set("User-Agent", "skerry");
    }

    std::unique_ptr<Call> begin(Request request, BodyReader reader, ResponseSink sink) {
        complete(request);
        request.headers.set("Host", base_.host_header);
        if (!request.headers.has("Accept")) request.headers.set("Accept", "*/*");
        if (!reader) {
            request.headers.erase("Transfer-Encoding");
            if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH")
                request.headers.set("Content-Length", std::to_string(request.body.size()));
        }
        auto exchange =
            std::make_shared<Exchange>(place_, request.method, base_.prefix + request.target(), std::move(request.headers),
                                       std::move(request.body), std::move(reader), std::move(sink));
        place_->running.emplace(exchange.get(), exchange);
        exchange->begin();
        return std::make_unique<ExchangeCall>(std::move(exchange));
    }

    ResponseSink whole(std::function<void(Result<Response>)> done) {
        auto response = std::make_shared<Response>();
        auto too_long = std::make_shared<bool>(false);
        return {.head = [response](const Response& head) { *response = head; },
                .piece =
                    [response, too_long, limit = options_.max_body](std::string piece) {
                        if (*too_long || response->body.size() + piece.size() > limit) {
                            *too_long = true;
                            response->body = {};
                        } else {
                            response->body += piece;
                        }
                    },
                .end =
                    [response, too_long, limit = options_.max_body, done = std::move(done)](Result<void> end) {
                        if (!end) return done(std::unexpected(end.error()));
                        if (*too_long)
                            return done(
                                fail(Code::exhausted, fmt::format("the response's body passed the limit of {} bytes", limit)));
                        done(std::move(*response));
                    }};
    }

    ClientOptions options_;
    Base base_;
    std::shared_ptr<ClientPlace> place_;
};

} // namespace

Result<std::unique_ptr<Client>> Client::create(asio::io_context& context, ClientOptions options) {
    auto base = TRY(parse_base(options.base));
    std::shared_ptr<ClientTls> tls;
    if (base.tls) tls = options.ready_tls ? options.ready_tls : TRY(ClientTls::create(options.tls));
    return std::make_unique<OpenClient>(context, std::move(options), std::move(base), std::move(tls));
}

} // namespace skerry::http
