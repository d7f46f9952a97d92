#include "http/connection.h"

#include "base/log.h"
#include "http/status.h"
#include "http/websocket_open.h"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::http {

namespace {

/// How much a client may send ahead of the answer to its last request.
constexpr std::size_t ahead_limit = 64 << 10;
constexpr std::size_t sent_piece = 64 << 10;
constexpr std::size_t record = 16 << 10;
constexpr std::size_t linger_limit = 4 << 20;

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

class ConnectionUpload final : public Upload {
public:
    ConnectionUpload(std::weak_ptr<Connection> connection, std::uint64_t serial, std::optional<std::uint64_t> length)
        : connection_(std::move(connection)), serial_(serial), length_(length) {}
    void read(std::function<void(Result<std::string>)> piece) override {
        if (auto connection = connection_.lock()) {
            connection->pull(serial_, std::move(piece));
        } else {
            piece(fail(Code::cancelled, "the client has gone"));
        }
    }
    std::optional<std::uint64_t> length() const override { return length_; }

private:
    std::weak_ptr<Connection> connection_;
    std::uint64_t serial_;
    std::optional<std::uint64_t> length_;
};

class ConnectionBody final : public BodyStream {
public:
    ConnectionBody(std::shared_ptr<Connection> connection, std::uint64_t serial)
        : connection_(std::move(connection)), serial_(serial) {}
    ~ConnectionBody() override {
        if (!ended_) connection_->abandon(serial_);
    }
    void write(std::string bytes) override {
        if (!ended_ && !bytes.empty()) connection_->stream_write(serial_, std::move(bytes));
    }
    void end() override {
        if (std::exchange(ended_, true)) return;
        connection_->stream_end(serial_);
    }
    bool is_open() const override { return !ended_ && connection_->is_current(serial_); }
    std::size_t unsent() const override { return connection_->is_current(serial_) ? connection_->unsent() : 0; }
    void on_drained(std::function<void()> call) override { connection_->on_drained(serial_, std::move(call)); }
    void on_closed(std::function<void()> call) override { connection_->on_closed(serial_, std::move(call)); }

private:
    std::shared_ptr<Connection> connection_;
    std::uint64_t serial_;
    bool ended_ = false;
};

class ConnectionResponder final : public Responder, public Upgrade {
public:
    ConnectionResponder(std::shared_ptr<Connection> connection, std::uint64_t serial)
        : connection_(std::move(connection)), serial_(serial) {}
    ~ConnectionResponder() override {
        if (!used_) connection_->respond(serial_, Response::text(500, "nobody answered this request\n"));
    }
    void respond(Response response) override {
        if (!std::exchange(used_, true)) connection_->respond(serial_, std::move(response));
    }
    std::shared_ptr<BodyStream> stream(int status, Headers headers) override {
        if (!std::exchange(used_, true)) connection_->stream_head(serial_, status, std::move(headers));
        return std::make_shared<ConnectionBody>(connection_, serial_);
    }
    void on_closed(std::function<void()> call) override { connection_->on_closed(serial_, std::move(call)); }
    void accept(WebSocketOptions options, std::function<void(Result<std::unique_ptr<WebSocket>>)> done) override {
        if (!std::exchange(used_, true)) connection_->upgrade(serial_, std::move(options), std::move(done));
    }
    void refuse(Response response) override { respond(std::move(response)); }

private:
    std::shared_ptr<Connection> connection_;
    std::uint64_t serial_;
    bool used_ = false;
};

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

// Reading

bool Connection::wants_bytes() const {
    switch (state_) {
    case State::head:
    case State::body:
    case State::lingering:
        return true;
    case State::answering:
        if (is_upload_ && !body_complete() && !upload_failed_) return pull_ != nullptr && pulled_.empty();
        return in_.size() < ahead_limit;
    default:
        return false;
    }
}

void Connection::read_more() {
    // A few reads, then others get a turn.
    for (int turn = 0; turn < 8; ++turn) {
        if (closed_ || waiting_ || end_of_input_ || !wants_bytes()) return;
        std::size_t count = 0;
        auto step = stream_.read(core_->scratch.data(), core_->scratch.size(), count);
        switch (step) {
        case Step::done:
            in_.append(core_->scratch.data(), count);
            take();
            break;
        case Step::want_read:
        case Step::want_write:
            return wait_to_read(step);
        case Step::closed:
            return gone({Code::cancelled, "the client closed the connection"});
        case Step::failed:
            return gone(stream_.why());
        }
    }
    waiting_ = true;
    asio::post(core_->context, [self = shared_from_this()] {
        self->waiting_ = false;
        self->read_more();
    });
}

void Connection::wait_to_read(Step step) {
    waiting_ = true;
    stream_.wait(step, [self = shared_from_this()](error_code) {
        self->waiting_ = false;
        self->read_more();
    });
}

void Connection::take() {
    switch (state_) {
    case State::head:
        return take_head();
    case State::body:
        return take_body();
    case State::answering:
        if (is_upload_ && !body_complete() && !upload_failed_) {
            take_body();
            deliver_piece();
        }
        return;
    case State::lingering:
        lingered_ += in_.size();
        in_.clear();
        if (lingered_ > linger_limit) gone({Code::exhausted, "the client sends on after the answer"});
        return;
    default:
        return;
    }
}

void Connection::take_head() {
    if (in_.empty()) return;
    if (!parser_->got_some()) deadline(core_->options.head_timeout);
    auto taken = parser_->feed(in_);
    if (!taken) {
        auto status = taken.error().code == Code::exhausted ? 431 : 400;
        return refuse(status, taken.error().message);
    }
    in_.erase(0, *taken);
    if (parser_->head_done()) begin_request();
}

void Connection::begin_request() {
    no_deadline();
    ++serial_;
    wants_upgrade_ = parser_->is_upgrade() && parser_->method == "GET";
    is_head_ = parser_->method == "HEAD";
    close_after_ = !parser_->keep_alive();
    Request request;
    request.method = parser_->method;
    request.raw_target = parser_->target;
    request.headers = std::move(parser_->headers);
    request.remote = stream_.remote();
    request.peer = stream_.peer();
    if (stream_.tls() != nullptr) request.tls_version = stream_.tls()->version();
    if (!parser_->http10 && !request.headers.has("Host")) return refuse(400, "the Host header is missing");
    std::string_view target = request.raw_target;
    if (!target.starts_with('/')) return refuse(400, "the address does not begin with \"/\"");
    target = target.substr(0, target.find('#'));
    auto mark = target.find('?');
    auto path = percent_decode(target.substr(0, mark));
    if (!path) return refuse(400, path.error().message);
    if (path->find('\0') != std::string::npos) return refuse(400, "the address has a zero byte in it");
    request.path = std::move(*path);
    if (mark != std::string_view::npos) {
        auto query = Query::parse(target.substr(mark + 1));
        if (!query) return refuse(400, query.error().message);
        request.query = std::move(*query);
    }

    state_ = State::answering;
    reception_ = core_->on_head ? core_->on_head(request) : Reception{};
    if (closed_) return;
    auto length = parser_->content_length();
    if (length && *length > reception_.limit)
        return refuse(413, fmt::format("the body has {} bytes; at most {} are taken here", *length, reception_.limit));
    auto expect = request.headers.get("Expect");
    expects_continue_ = !body_complete() && !parser_->http10 && expect == "100-continue";
    if (reception_.streamed) {
        is_upload_ = true;
        request.upload = std::make_shared<ConnectionUpload>(weak_from_this(), serial_, body_complete() ? 0 : length);
        return dispatch(std::move(request));
    }
    request_ = std::move(request);
    state_ = State::body;
    deadline(core_->options.body_timeout);
    if (expects_continue_) push("HTTP/1.1 100 Continue\r\n\r\n");
    take_body();
}

void Connection::take_body() {
    if (!body_complete()) {
        // What is collected whole has its time as a whole: byte by byte it would hold its place for ever.
        if (is_upload_) deadline(core_->options.stall_timeout);
        auto taken = parser_->feed(in_);
        if (!taken) {
            if (!is_upload_) return refuse(400, taken.error().message);
            upload_failed_ = true;
            close_after_ = true;
            if (pull_) std::exchange(pull_, nullptr)(std::unexpected(taken.error()));
            return;
        }
        in_.erase(0, *taken);
        body_progress();
    } else {
        body_progress();
    }
}

void Connection::body_progress() {
    if (is_upload_) {
        body_bytes_ += parser_->body.size();
        pulled_ += parser_->body;
        parser_->body.clear();
        if (body_bytes_ > reception_.limit) {
            upload_failed_ = true;
            close_after_ = true;
            pulled_.clear();
            auto text = fmt::format("the body passed the limit of {} bytes", reception_.limit);
            if (pull_) std::exchange(pull_, nullptr)(fail(Code::exhausted, text));
        }
        return;
    }
    if (parser_->body.size() > reception_.limit)
        return refuse(413, fmt::format("the body passed the limit of {} bytes", reception_.limit));
    if (!body_complete()) return;
    no_deadline();
    auto request = std::move(request_);
    request_ = {};
    request.body = std::move(parser_->body);
    dispatch(std::move(request));
}

void Connection::dispatch(Request request) {
    state_ = State::answering;
    auto responder = std::make_shared<ConnectionResponder>(shared_from_this(), serial_);
    if (wants_upgrade_) {
        auto found = core_->upgrades.find(request.path);
        for (auto at = core_->upgrades.begin(); found == core_->upgrades.end() && at != core_->upgrades.end(); ++at)
            if (at->first.ends_with('/') && request.path.starts_with(at->first)) found = at;
        if (found != core_->upgrades.end()) {
            upgrade_headers_ = request.headers;
            auto call = found->second;
            return call(std::move(request), std::move(responder));
        }
    }
    if (!core_->on_request) return responder->respond(Response::text(503, "nothing is served here yet\n"));
    auto call = core_->on_request;
    call(std::move(request), std::move(responder));
}

/// An answer of the connection's own, to something no application should see.
void Connection::refuse(int status, std::string why) {
    if (state_ != State::answering && !parser_->head_done()) ++serial_;
    state_ = State::answering;
    close_after_ = true;
    is_head_ = false;
    request_ = {};
    respond(serial_, Response::text(status, why + "\n"));
}

void Connection::pull(std::uint64_t serial, std::function<void(Result<std::string>)> piece) {
    auto later = [&](Result<std::string> result) {
        asio::post(core_->context,
                   [piece = std::move(piece), result = std::move(result)]() mutable { piece(std::move(result)); });
    };
    if (!is_current(serial)) return later(fail(Code::cancelled, "the client has gone"));
    if (upload_failed_) return later(fail(Code::exhausted, "the body was refused"));
    if (pull_) return later(fail(Code::internal, "two reads of one upload at a time"));
    if (std::exchange(expects_continue_, false) && !answered_) push("HTTP/1.1 100 Continue\r\n\r\n");
    pull_ = std::move(piece);
    // From the event loop, so that a reader that reads again in its own callback does not nest.
    asio::post(core_->context, [self = shared_from_this(), serial] {
        if (!self->is_current(serial) || !self->pull_) return;
        if (!self->body_complete()) self->take_body();
        self->deliver_piece();
        self->read_more();
    });
}

void Connection::deliver_piece() {
    if (!pull_ || (pulled_.empty() && !body_complete())) return;
    no_deadline();
    std::string piece;
    if (pulled_.size() <= sent_piece) {
        piece = std::move(pulled_);
        pulled_.clear();
    } else {
        piece = pulled_.substr(0, sent_piece);
        pulled_.erase(0, sent_piece);
    }
    std::exchange(pull_, nullptr)(std::move(piece));
}

// Writing

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

// Ending

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
