#include "http/connection.h"

#include "http/websocket_open.h"

#include <fmt/format.h>

#include <algorithm>

/// What comes: heads and bodies of requests, and their way to the application.
namespace skerry::http {

namespace {

/// How much a client may send ahead of the answer to its last request.
constexpr std::size_t ahead_limit = 64 << 10;
constexpr std::size_t sent_piece = 64 << 10;
constexpr std::size_t linger_limit = 4 << 20;

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
    if (reception_.known) stranger_.reset();
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

} // namespace skerry::http
