#include "link/dialer.h"

#include "http/client.h"
#include "link/wire.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>

namespace skerry::link {

namespace {

using Done = std::function<void(Result<std::unique_ptr<env::Wire>>)>;

/// One dial under way. Ends once: with a wire, an error or its deadline.
struct Dial : std::enable_shared_from_this<Dial> {
    Dial(boost::asio::io_context& context, std::string address, Done done)
        : context(context), address(std::move(address)), done(std::move(done)), timer(context) {}

    void begin(const DialerOptions& options, Result<std::shared_ptr<http::ClientTls>> tls, env::Channel channel) {
        auto client = open(options, std::move(tls));
        if (!client) {
            boost::asio::post(context,
                              [self = shared_from_this(), error = client.error()] { self->finish(std::unexpected(error)); });
            return;
        }
        this->client = std::move(*client);
        timer.expires_after(std::chrono::duration_cast<boost::asio::steady_timer::duration>(options.deadline));
        timer.async_wait([weak = weak_from_this(), deadline = options.deadline](boost::system::error_code code) {
            auto self = weak.lock();
            if (!code && self)
                self->finish(fail(Code::timeout, "cannot reach " + self->address + ": no link within " + text(deadline)));
        });
        http::Request request{.path = channel == env::Channel::control ? "/link/control" : "/link/bulk"};
        call = this->client->open_websocket(std::move(request), socket_options(channel, options.user_timeout),
                                            [weak = weak_from_this(), channel](Result<std::unique_ptr<http::WebSocket>> socket) {
                                                auto self = weak.lock();
                                                if (!self) return;
                                                if (!socket) return self->finish(std::unexpected(socket.error()));
                                                auto who = (*socket)->peer();
                                                self->finish(self->wire(std::move(who), std::move(*socket), channel));
                                            });
    }

    Result<std::unique_ptr<http::Client>> open(const DialerOptions& options, Result<std::shared_ptr<http::ClientTls>> tls) {
        http::ClientOptions made{.base = "https://" + address};
        made.ready_tls = TRY(std::move(tls));
        // An address that swallows everything must leave time for the next one.
        made.connect_timeout = std::max<Duration>(options.deadline / 2, 1s);
        return http::Client::create(context, std::move(made));
    }

    Result<std::unique_ptr<env::Wire>> wire(std::shared_ptr<const http::PeerIdentity> who,
                                            std::unique_ptr<http::WebSocket> socket, env::Channel channel) {
        const auto* peer = who ? std::any_cast<env::Peer>(&who->identity) : nullptr;
        if (peer == nullptr) return fail(Code::unauthenticated, address + " showed no certificate");
        return make_wire(std::move(socket), *peer, channel);
    }

    void finish(Result<std::unique_ptr<env::Wire>> result) {
        auto self = shared_from_this();
        auto tell = std::exchange(done, nullptr);
        cancel();
        if (tell) tell(std::move(result));
    }

    void cancel() {
        done = nullptr;
        timer.cancel();
        // The callback of one of these may be running.
        boost::asio::post(context, [call = std::shared_ptr<http::Call>(std::move(call)),
                                    client = std::shared_ptr<http::Client>(std::move(client))] {});
    }

    boost::asio::io_context& context;
    std::string address;
    Done done;
    boost::asio::steady_timer timer;
    std::unique_ptr<http::Client> client;
    std::unique_ptr<http::Call> call;
};

struct DialToken final : env::Timer {
    explicit DialToken(std::shared_ptr<Dial> dial) : dial(std::move(dial)) {}
    ~DialToken() override { dial->cancel(); }
    std::shared_ptr<Dial> dial;
};

class WebSocketDialer final : public env::Dialer {
public:
    WebSocketDialer(boost::asio::io_context& context, DialerOptions options) : context_(context), options_(std::move(options)) {}

    std::unique_ptr<env::Timer> dial(const std::string& address, env::Channel channel, Done done) override {
        auto dial = std::make_shared<Dial>(context_, address, std::move(done));
        dial->begin(options_, tls(), channel);
        return std::make_unique<DialToken>(std::move(dial));
    }

private:
    /// The same from dial to dial, until the credentials change.
    Result<std::shared_ptr<http::ClientTls>> tls() {
        auto credentials = options_.credentials();
        if (tls_ && credentials == shown_) return tls_;
        http::ClientTlsOptions made{.credentials = credentials};
        made.allow_tls12 = false;
        made.resumes = true;
        made.verify = [verify = options_.verify](const http::Chain& chain) -> Result<http::Verdict> {
            return http::Verdict::of(TRY(verify(chain)));
        };
        tls_ = TRY(http::ClientTls::create(std::move(made)));
        shown_ = std::move(credentials);
        return tls_;
    }

    boost::asio::io_context& context_;
    DialerOptions options_;
    http::Credentials shown_;
    std::shared_ptr<http::ClientTls> tls_;
};

} // namespace

std::unique_ptr<env::Dialer> make_dialer(boost::asio::io_context& context, DialerOptions options) {
    return std::make_unique<WebSocketDialer>(context, std::move(options));
}

} // namespace skerry::link
