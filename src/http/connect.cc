#include "http/connect.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>

namespace skerry::http {

namespace {

class Attempt : public std::enable_shared_from_this<Attempt> {
public:
    using Done = std::function<void(Result<std::unique_ptr<Stream>>)>;
    Attempt(asio::io_context& context, Destination to, Duration timeout, Done done)
        : context_(context), to_(std::move(to)), timeout_(timeout), done_(std::move(done)), resolver_(context), timer_(context) {}

    void begin() {
        error_code no_literal;
        auto address = asio::ip::make_address(to_.host, no_literal);
        if (!no_literal) {
            // Spares the resolver's thread.
            endpoints_.emplace_back(address, to_.port);
            asio::post(context_, [self = shared_from_this()] { self->next(); });
            return;
        }
        arm("resolving \"" + to_.host + "\"");
        resolver_.async_resolve(to_.host, std::to_string(to_.port), [self = shared_from_this()](error_code code, auto found) {
            if (!self->done_) return;
            if (code)
                return self->finish(
                    self->unreachable("the name \"" + self->to_.host + "\" is not known (" + code.message() + ")"));
            for (const auto& entry : found) self->endpoints_.push_back(entry.endpoint());
            self->next();
        });
    }

    void cancel() {
        done_ = nullptr;
        resolver_.cancel();
        timer_.cancel();
        if (stream_) stream_->socket().close(ignored_);
    }

private:
    std::unexpected<Error> unreachable(std::string why, Code code = Code::unavailable) {
        return fail(code, "cannot reach " + to_.title + ": " + why);
    }

    void finish(Result<std::unique_ptr<Stream>> result) {
        timer_.cancel();
        auto done = std::move(done_);
        cancel();
        if (done) done(std::move(result));
    }

    void arm(std::string doing) {
        auto serial = ++serial_;
        timer_.expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(timeout_));
        timer_.async_wait([self = shared_from_this(), serial, doing = std::move(doing)](error_code code) {
            if (code || !self->done_ || serial != self->serial_) return;
            self->last_ = {Code::timeout, doing + " took more than " + skerry::text(self->timeout_)};
            self->next();
        });
    }

    void next() {
        if (!done_) return;
        if (stream_) stream_->socket().close(ignored_);
        stream_.reset();
        if (endpoints_.empty()) {
            if (last_.message.empty()) last_ = {Code::unavailable, "no address"};
            return finish(unreachable(last_.message, last_.code));
        }
        auto endpoint = endpoints_.front();
        endpoints_.pop_front();
        auto where = endpoint.address().to_string();
        arm("connecting to " + where);
        stream_ = std::make_unique<Stream>(Socket(context_.get_executor()));
        stream_->socket().async_connect(endpoint, [self = shared_from_this(), serial = serial_, where](error_code code) {
            if (!self->done_ || serial != self->serial_) return;
            if (code) {
                auto why = code.message();
                if (code == asio::error::connection_refused) why = "connection refused";
                // That this process is out of descriptors says nothing of the other side.
                bool ours = code == asio::error::no_descriptors || code == asio::error::no_memory;
                self->last_ = {ours ? Code::exhausted : Code::unavailable,
                               self->endpoints_tried_ > 0 ? why + " by " + where : why};
                ++self->endpoints_tried_;
                return self->next();
            }
            self->stream_->prepare();
            if (!self->to_.tls) return self->finish(std::move(self->stream_));
            if (auto begun = self->stream_->begin_client_tls(*self->to_.tls, self->to_.host); !begun)
                return self->finish(std::unexpected(begun.error()));
            self->arm("the TLS handshake with " + where);
            self->shake();
        });
    }

    void shake() {
        auto step = stream_->handshake();
        if (step == Step::done) return finish(std::move(stream_));
        if (step == Step::failed) {
            last_ = stream_->why();
            // A stranger's certificate will not get better at the next address of the same name, but another address may be
            // another server.
            return next();
        }
        stream_->wait(step, [self = shared_from_this(), serial = serial_](error_code code) {
            if (!code && self->done_ && serial == self->serial_) self->shake();
        });
    }

    asio::io_context& context_;
    Destination to_;
    Duration timeout_;
    Done done_;
    asio::ip::tcp::resolver resolver_;
    asio::steady_timer timer_;
    std::deque<asio::ip::tcp::endpoint> endpoints_;
    std::unique_ptr<Stream> stream_;
    Error last_;
    int endpoints_tried_ = 0;
    std::uint64_t serial_ = 0;
    error_code ignored_;
};

struct AttemptCall final : Call {
    explicit AttemptCall(std::shared_ptr<Attempt> attempt) : attempt(std::move(attempt)) {}
    ~AttemptCall() override { attempt->cancel(); }
    std::shared_ptr<Attempt> attempt;
};

} // namespace

std::unique_ptr<Call> connect(asio::io_context& context, Destination to, Duration timeout,
                              std::function<void(Result<std::unique_ptr<Stream>>)> done) {
    ignore_broken_pipes();
    auto attempt = std::make_shared<Attempt>(context, std::move(to), timeout, std::move(done));
    attempt->begin();
    return std::make_unique<AttemptCall>(std::move(attempt));
}

} // namespace skerry::http
