#include "http/connection.h"

#include "base/log.h"
#include "http/status.h"
#include "http/websocket_open.h"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::http {

namespace {

constexpr std::size_t record = 16 << 10;

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

} // namespace

Connection::Connection(std::shared_ptr<ServerCore> core, Socket socket)
    : core_(std::move(core)), stream_(std::move(socket)), timer_(core_->context) {
    ++*core_->places;
    stream_.place = std::shared_ptr<void>(nullptr, [places = core_->places](void*) { --*places; });
}

void Connection::begin() {
    stream_.prepare();
    stranger_.emplace(core_->strangers, *this);
    deadline(core_->options.head_timeout);
    if (core_->options.tls) {
        if (auto begun = stream_.begin_server_tls(*core_->options.tls); !begun) return gone(begun.error());
    }
    shake();
}

void Connection::shake() {
    auto step = stream_.handshake();
    if (step == Step::failed) return gone(stream_.why());
    if (step != Step::done) {
        stream_.wait(step, [self = shared_from_this()](error_code) {
            if (!self->closed_) self->shake();
        });
        return;
    }
    if (stream_.peer()) stranger_.reset();
    finish_exchange();
    read_more();
}

std::string Connection::response_head(int status, Headers headers, std::optional<std::size_t> length, bool chunked) {
    if (is_upload_ && !body_complete()) close_after_ = true;
    headers.erase("Connection");
    headers.erase("Transfer-Encoding");
    if (length && !has_no_body(status)) headers.set("Content-Length", std::to_string(*length));
    if (chunked) headers.set("Transfer-Encoding", "chunked");
    if (close_after_ || core_->stopping) {
        close_after_ = true;
        headers.set("Connection", "close");
    } else if (parser_->http10) {
        headers.set("Connection", "keep-alive");
    }
    return write_head(fmt::format("HTTP/1.1 {} {}", status, reason_of(status)), headers);
}

void Connection::respond(std::uint64_t serial, Response response) {
    if (!is_current(serial) || answered_) return;
    answered_ = true;
    complete_ = true;
    auto length = response.body.size();
    // An answer to HEAD may say a length without having the body at hand.
    std::optional<std::size_t> said = length;
    if (is_head_ && response.body.empty() && response.headers.has("Content-Length")) said.reset();
    push(response_head(response.status, std::move(response.headers), said, false));
    if (!is_head_ && !has_no_body(response.status)) push(std::move(response.body));
    schedule_flush();
}

bool Connection::stream_head(std::uint64_t serial, int status, Headers headers) {
    if (!is_current(serial) || answered_) return false;
    answered_ = true;
    bool sized = headers.has("Content-Length") || has_no_body(status);
    chunked_ = !sized && !parser_->http10;
    if (!sized && !chunked_) close_after_ = true;
    push(response_head(status, std::move(headers), std::nullopt, chunked_));
    return true;
}

void Connection::stream_write(std::uint64_t serial, std::string bytes) {
    if (!is_current(serial) || complete_ || is_head_) return;
    push(chunked_ ? chunk(bytes) : std::move(bytes));
}

void Connection::stream_end(std::uint64_t serial) {
    if (!is_current(serial) || complete_) return;
    complete_ = true;
    if (chunked_ && !is_head_) push(chunk({}));
    schedule_flush();
}

void Connection::abandon(std::uint64_t serial) {
    if (!is_current(serial) || complete_) return;
    cut(Tell::no);
}

void Connection::on_drained(std::uint64_t serial, std::function<void()> call) {
    if (is_current(serial)) drained_ = std::move(call);
}

void Connection::on_closed(std::uint64_t serial, std::function<void()> call) {
    if (is_current(serial)) {
        closed_call_ = std::move(call);
    } else if (closed_) {
        asio::post(core_->context, std::move(call));
    }
}

void Connection::push(std::string bytes) {
    if (bytes.empty()) return;
    unsent_ += bytes.size();
    was_unsent_ = true;
    if (!out_.empty() && out_.back().size() + bytes.size() <= record) {
        out_.back() += bytes;
    } else {
        out_.push_back(std::move(bytes));
    }
    schedule_flush();
}

void Connection::schedule_flush() {
    if (flush_posted_ || write_waiting_ || closed_) return;
    flush_posted_ = true;
    asio::post(core_->context, [self = shared_from_this()] {
        self->flush_posted_ = false;
        self->flush();
    });
}

void Connection::flush() {
    while (!closed_ && state_ != State::handed_over && !out_.empty()) {
        std::size_t count = 0;
        auto& front = out_.front();
        auto step = stream_.write(front.data() + out_start_, front.size() - out_start_, count);
        if (step == Step::done) {
            if (state_ == State::answering) deadline(core_->options.stall_timeout);
            out_start_ += count;
            unsent_ -= count;
            if (out_start_ == front.size()) {
                out_.pop_front();
                out_start_ = 0;
            }
        } else if (step == Step::failed || step == Step::closed) {
            return gone(stream_.why());
        } else {
            if (deadline_ == never) deadline(core_->options.stall_timeout);
            write_waiting_ = true;
            stream_.wait(step, [self = shared_from_this()](error_code) {
                self->write_waiting_ = false;
                self->flush();
            });
            return;
        }
    }
    if (!closed_) flushed();
}

void Connection::flushed() {
    if (state_ != State::answering) return;
    if (!(is_upload_ && pull_)) no_deadline();
    if (complete_) {
        finish_exchange();
        return read_more();
    }
    if (std::exchange(was_unsent_, false) && drained_) {
        auto call = drained_;
        call();
    }
}

/// The answer has left (or, at first, the handshake is over): ready for the next request, or for the end.
void Connection::finish_exchange() {
    ++serial_;
    auto drained = std::exchange(drained_, nullptr);
    auto closed = std::exchange(closed_call_, nullptr);
    auto pull = std::exchange(pull_, nullptr);
    if (pull) pull(fail(Code::cancelled, "the request was answered before its body was read"));
    if (closed_) return;
    if (close_after_ || core_->stopping) {
        bool all_came = parser_ == nullptr || parser_->done();
        if (all_came && in_.empty()) return gone({});
        // Closing with bytes unread would reset the connection, and the reset may overtake the answer.
        state_ = State::lingering;
        in_.clear();
        stream_.end_writing();
        return deadline(2s);
    }
    parser_ = std::make_unique<Parser>(Parser::Kind::request, Parser::Limits{.head = core_->options.max_header});
    state_ = State::head;
    is_upload_ = upload_failed_ = expects_continue_ = false;
    answered_ = complete_ = chunked_ = is_head_ = was_unsent_ = false;
    body_bytes_ = 0;
    pulled_ = {};
    if (in_.empty()) {
        in_ = {};
        out_ = {};
    }
    deadline(core_->options.idle_timeout);
    // Requests sent ahead; through the event loop, or a thousand of them would nest a thousand deep.
    if (!in_.empty()) {
        asio::post(core_->context, [self = shared_from_this(), serial = serial_] {
            if (!self->is_current(serial) || self->state_ != State::head) return;
            self->take();
            self->read_more();
        });
    }
}

void Connection::upgrade(std::uint64_t serial, WebSocketOptions options,
                         std::function<void(Result<std::unique_ptr<WebSocket>>)> done) {
    if (!is_current(serial)) {
        asio::post(core_->context, [done = std::move(done)] { done(fail(Code::cancelled, "the client has gone")); });
        return;
    }
    if (!in_.empty()) {
        close_after_ = true;
        respond(serial, Response::text(400, "a WebSocket's client must wait for the answer\n"));
        done(fail(Code::invalid, "the client sent bytes before the answer"));
        return;
    }
    // A wait for the client's end may be outstanding; the descriptor goes on, so the wait is cancelled, and `closed_` silences
    // it.
    error_code ignored;
    stream_.socket().cancel(ignored);
    answered_ = true;
    state_ = State::handed_over;
    auto stream = std::move(stream_);
    UpgradeRequest request{.target = std::move(parser_->target), .headers = std::move(upgrade_headers_)};
    cut(Tell::no);
    accept_websocket(std::move(stream), std::move(request), std::move(options), std::move(done));
}

void Connection::deadline(Duration from_now) {
    deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(from_now);
    if (deadline_ < timer_at_) watch_deadline();
}

/// One wait at a time; a deadline that moved back is noticed when the earlier one passes.
void Connection::watch_deadline() {
    timer_at_ = deadline_;
    timer_.expires_at(timer_at_);
    timer_.async_wait([weak = weak_from_this()](error_code code) {
        auto self = weak.lock();
        if (code || !self || self->closed_) return;
        self->timer_at_ = never;
        if (Clock::now() >= self->deadline_) return self->gone({Code::timeout, "too slow"});
        if (self->deadline_ != never) self->watch_deadline();
    });
}

void Connection::gone(Error why) {
    if (closed_) return;
    if (state_ == State::shaking && !why.message.empty())
        log(Level::debug, "http", "handshake with {}: {}", stream_.remote(), why.message);
    cut(Tell::yes);
}

void Connection::cut(Tell tell) {
    if (std::exchange(closed_, true)) return;
    auto self = shared_from_this();
    timer_.cancel();
    stream_.close();
    stranger_.reset();
    core_->connections.erase(this);
    auto drained = std::exchange(drained_, nullptr);
    auto closed = std::exchange(closed_call_, nullptr);
    auto pull = std::exchange(pull_, nullptr);
    if (tell == Tell::yes) {
        if (pull) pull(fail(Code::cancelled, "the client has gone"));
        if (closed) closed();
    }
    if (core_->connections.empty() && core_->on_empty) std::exchange(core_->on_empty, nullptr)();
}

void Connection::wind_down() {
    if (closed_) return;
    close_after_ = true;
    if (is_idle()) gone({});
}

bool Connection::waits_for_client() const {
    return state_ == State::shaking || state_ == State::head || state_ == State::body || state_ == State::lingering;
}

bool Connection::is_idle() const {
    return state_ == State::shaking || (state_ == State::head && !parser_->got_some() && in_.empty());
}

} // namespace skerry::http
