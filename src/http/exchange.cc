#include "http/exchange.h"

#include <fmt/format.h>

#include <array>

namespace skerry::http {

namespace {
constexpr std::size_t body_piece = 64 << 10;
constexpr std::size_t tls_record = 16 << 10; ///< TLS gives no more at a time
} // namespace

Exchange::Exchange(std::shared_ptr<ClientPlace> place, std::string method, std::string target, Headers headers, std::string body,
                   BodyReader reader, ResponseSink sink)
    : place_(std::move(place)), method_(std::move(method)), target_(std::move(target)), headers_(std::move(headers)),
      body_(std::move(body)), reader_(std::move(reader)), sink_(std::move(sink)), timer_(place_->context) {
    chunked_ = reader_ && !headers_.has("Content-Length");
    if (chunked_) headers_.set("Transfer-Encoding", "chunked");
}

void Exchange::begin() {
    // From the event loop, so that no callback comes before the caller has its Call.
    asio::post(place_->context, [self = shared_from_this()] {
        if (self->over_) return;
        if (auto idle = std::exchange(self->place_->idle, nullptr)) {
            std::array<char, 1> byte{};
            std::size_t count = 0;
            // An idle connection with something to read is closed, or out of step.
            if (idle->read(byte.data(), byte.size(), count) == Step::want_read) {
                self->reused_ = true;
                return self->run(std::move(idle));
            }
        }
        self->connect_afresh();
    });
}

void Exchange::connect_afresh() {
    reused_ = false;
    connecting_ = connect(place_->context, place_->to, place_->connect_timeout, [this](Result<std::unique_ptr<Stream>> stream) {
        auto self = shared_from_this();
        connecting_.reset();
        if (over_) return;
        if (!stream) return finish(std::unexpected(stream.error()));
        run(std::move(*stream));
    });
}

void Exchange::run(std::unique_ptr<Stream> stream) {
    stream_ = std::move(stream);
    ++generation_;
    write_waiting_ = read_waiting_ = request_sent_ = false;
    parser_ = std::make_unique<Parser>(Parser::Kind::response, Parser::Limits{.head = 64 << 10});
    if (method_ == "HEAD") parser_->expect_no_body();
    out_.clear();
    out_start_ = 0;
    out_.push_back(write_head(method_ + " " + target_ + " HTTP/1.1", headers_));
    if (!body_.empty()) out_.push_back(body_);
    reader_done_ = !reader_;
    deadline(place_->head_timeout, "no answer");
    write_more();
    read_more();
}

// Writing

void Exchange::write_more() {
    while (!over_ && stream_ && !write_waiting_) {
        if (out_.empty()) {
            if (reader_done_) {
                if (!std::exchange(request_sent_, true) && !head_told_) deadline(place_->head_timeout, "no answer");
                return;
            }
            return read_body_piece();
        }
        std::size_t count = 0;
        auto& front = out_.front();
        auto step = stream_->write(front.data() + out_start_, front.size() - out_start_, count);
        if (step == Step::done) {
            out_start_ += count;
            if (!head_told_) deadline(place_->head_timeout, "the server takes nothing");
            if (out_start_ == front.size()) {
                out_.pop_front();
                out_start_ = 0;
            }
        } else if (step == Step::want_read || step == Step::want_write) {
            write_waiting_ = true;
            stream_->wait(step, [self = shared_from_this(), generation = generation_](error_code) {
                if (self->generation_ != generation) return;
                self->write_waiting_ = false;
                self->write_more();
            });
        } else {
            // The server may have answered and closed: its answer, if any, tells more than a broken pipe. Reading goes on and
            // finds out.
            out_.clear();
            reader_done_ = true;
            return;
        }
    }
}

void Exchange::read_body_piece() {
    if (reader_busy_) return;
    reader_busy_ = true;
    reader_(body_piece, [weak = weak_from_this()](Result<std::string> piece) {
        auto self = weak.lock();
        if (!self || self->over_) return;
        // From the event loop: a reader that answers at once must not nest.
        asio::post(self->place_->context, [self, piece = std::move(piece)]() mutable {
            self->reader_busy_ = false;
            if (self->over_ || self->reader_done_) return;
            if (!piece) return self->finish(std::unexpected(piece.error()));
            if (piece->empty()) self->reader_done_ = true;
            if (self->chunked_) {
                self->out_.push_back(chunk(*piece));
            } else if (!piece->empty()) {
                self->out_.push_back(std::move(*piece));
            }
            self->write_more();
        });
    });
}

// Reading

void Exchange::read_more() {
    auto self = shared_from_this();
    std::array<char, tls_record> scratch;
    for (int turn = 0; turn < 16 && !over_ && stream_ && !read_waiting_; ++turn) {
        std::size_t count = 0;
        auto step = stream_->read(scratch.data(), scratch.size(), count);
        if (step == Step::done) {
            in_.append(scratch.data(), count);
            take();
        } else if (step == Step::want_read || step == Step::want_write) {
            read_waiting_ = true;
            stream_->wait(step, [self, generation = generation_](error_code) {
                if (self->generation_ != generation) return;
                self->read_waiting_ = false;
                self->read_more();
            });
            return;
        } else if (step == Step::closed && parser_->head_done()) {
            auto ended = parser_->feed_end();
            if (!ended) return broke({Code::unavailable, "the answer was cut short"});
            return finish({});
        } else {
            return broke(step == Step::closed ? Error{Code::unavailable, "the server closed the connection without an answer"}
                                              : stream_->why());
        }
    }
    if (over_ || read_waiting_ || !stream_) return;
    read_waiting_ = true;
    asio::post(place_->context, [self, generation = generation_] {
        if (self->generation_ != generation) return;
        self->read_waiting_ = false;
        self->read_more();
    });
}

void Exchange::take() {
    while (!over_ && !in_.empty()) {
        bool had_head = parser_->head_done();
        auto taken = parser_->feed(in_);
        if (!taken) return broke({Code::unavailable, taken.error().message});
        in_.erase(0, *taken);
        if (!had_head && parser_->head_done()) {
            if (parser_->status >= 100 && parser_->status < 200) {
                if (parser_->status == 101) return broke({Code::unavailable, "the server switched protocols unasked"});
                parser_ = std::make_unique<Parser>(Parser::Kind::response, Parser::Limits{.head = 64 << 10});
                if (method_ == "HEAD") parser_->expect_no_body();
                continue;
            }
            response_head();
        }
        if (!over_ && !parser_->body.empty()) {
            if (place_->idle_timeout > Duration{}) deadline(place_->idle_timeout, "the answer stalled");
            auto piece = std::exchange(parser_->body, {});
            if (sink_.piece) sink_.piece(std::move(piece));
        }
        if (over_) return;
        if (parser_->done()) return finish({});
        if (*taken == 0) return;
    }
}

void Exchange::response_head() {
    head_told_ = true;
    ++timer_serial_;
    timer_.cancel();
    if (place_->idle_timeout > Duration{}) deadline(place_->idle_timeout, "the answer stalled");
    Response head{.status = parser_->status, .headers = parser_->headers, .body = {}};
    if (sink_.head) sink_.head(head);
}

// Ending

void Exchange::broke(Error why) {
    // A kept connection that the server closed just now: nothing of the answer came, so the request is tried once on a fresh one.
    bool began = parser_ && parser_->got_some();
    bool safe = method_ == "GET" || method_ == "HEAD" || method_ == "PUT" || method_ == "DELETE" || method_ == "OPTIONS";
    if (reused_ && !began && in_.empty() && !reader_ && safe && why.code == Code::unavailable) {
        ++generation_;
        stream_->close();
        stream_.reset();
        return connect_afresh();
    }
    finish(fail(why.code, place_->to.title + ": " + why.message));
}

void Exchange::finish(Result<void> result) {
    if (over_) return;
    auto self = shared_from_this();
    bool reusable = result && request_sent_ && out_.empty() && in_.empty() && parser_->done() && parser_->keep_alive();
    if (reusable && stream_ && !read_waiting_ && !write_waiting_) place_->idle = std::move(stream_);
    auto end = std::move(sink_.end);
    cancel();
    if (end) end(std::move(result));
}

void Exchange::cancel() {
    if (std::exchange(over_, true)) return;
    place_->running.erase(this);
    timer_.cancel();
    connecting_.reset();
    ++generation_;
    if (stream_) stream_->close();
    // One of these may be what is calling.
    asio::post(place_->context, [sink = std::exchange(sink_, {}), reader = std::exchange(reader_, nullptr)] {});
}

void Exchange::deadline(Duration from_now, std::string why) {
    timer_.expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(from_now));
    timer_.async_wait([weak = weak_from_this(), serial = ++timer_serial_, why = std::move(why), from_now](error_code code) {
        auto self = weak.lock();
        if (code || !self || self->over_ || serial != self->timer_serial_) return;
        self->finish(fail(Code::timeout, self->place_->to.title + ": " + why + " within " + skerry::text(from_now)));
    });
}

} // namespace skerry::http
