#pragma once

#include "http/parser.h"
#include "http/server.h"
#include "http/strangers.h"
#include "http/stream.h"

#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace skerry::http {

class Connection;

/// What the connections of one Server share. Outlives the Server in those that still unwind.
struct ServerCore {
    explicit ServerCore(asio::io_context& context) : context(context) {}

    asio::io_context& context;
    ServerOptions options;
    std::function<void(Request, std::shared_ptr<Responder>)> on_request;
    std::function<Reception(const Request&)> on_head;
    std::map<std::string, std::function<void(Request, std::shared_ptr<Upgrade>)>> upgrades;
    Strangers strangers;
    std::map<Connection*, std::shared_ptr<Connection>> connections;
    std::shared_ptr<std::size_t> places = std::make_shared<std::size_t>(0); ///< taken, WebSockets included
    bool stopping = false;
    std::function<void()> on_empty; ///< once stopping, when the last connection has gone
    /// One for all: a connection holds no read buffer while it waits.
    std::string scratch = std::string(64 << 10, '\0');
};

/// One client's connection: requests one after another, each answered before the next is looked at.
///
/// Bytes move only from the event loop: `write` and `respond` queue and schedule, so no call into here comes back to its caller,
/// and small writes of one turn share a TLS record. While a request is being answered the connection reads on, up to a bound, for
/// the one purpose of noticing that the client has gone.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(std::shared_ptr<ServerCore> core, Socket socket);
    void begin();

    // Of the exchange numbered `serial`; calls for one that is over do nothing.
    void respond(std::uint64_t serial, Response response);
    bool stream_head(std::uint64_t serial, int status, Headers headers);
    void stream_write(std::uint64_t serial, std::string bytes);
    void stream_end(std::uint64_t serial);
    void abandon(std::uint64_t serial);
    bool is_current(std::uint64_t serial) const { return !closed_ && serial == serial_; }
    std::size_t unsent() const { return unsent_; }
    void pull(std::uint64_t serial, std::function<void(Result<std::string>)> piece);
    void on_drained(std::uint64_t serial, std::function<void()> call);
    void on_closed(std::uint64_t serial, std::function<void()> call);
    void upgrade(std::uint64_t serial, WebSocketOptions options, std::function<void(Result<std::unique_ptr<WebSocket>>)> done);

    /// Finish what runs, then close; at once where nothing runs.
    void wind_down();
    /// It waits for its client: for the handshake, or for all of a request. What serves a request does not.
    bool waits_for_client() const;
    Duration age() const { return std::chrono::duration_cast<Duration>(Clock::now() - began_); }
    /// Close now. `tell`: the exchange's on_closed is called.
    enum class Tell : std::uint8_t { yes, no };
    void cut(Tell tell);

private:
    using Clock = asio::steady_timer::clock_type;
    static constexpr Clock::time_point never = Clock::time_point::max();

    enum class State : std::uint8_t {
        shaking,   ///< TLS handshake
        head,      ///< waiting for, or within, a request's head
        body,      ///< collecting a body
        answering, ///< with the application; an upload's body may still be coming
        lingering, ///< answered; dropping what still comes, so that the client gets to read the answer
        handed_over,
    };

    void shake();
    void read_more();
    bool wants_bytes() const;
    void wait_to_read(Step step);
    void take();
    void take_head();
    void take_body();
    void body_progress();
    void begin_request();
    void dispatch(Request request);
    void refuse(int status, std::string why);
    void push(std::string bytes);
    void schedule_flush();
    void flush();
    void flushed();
    void finish_exchange();
    void deliver_piece();
    bool is_idle() const;
    void gone(Error why);
    void deadline(Duration from_now);
    void no_deadline() { deadline_ = never; }
    void watch_deadline();
    bool body_complete() const { return parser_->done(); }
    std::string response_head(int status, Headers headers, std::optional<std::size_t> length, bool chunked);

    std::shared_ptr<ServerCore> core_;
    std::optional<Strangers::Place> stranger_;
    Stream stream_;
    asio::steady_timer timer_;
    Clock::time_point began_ = Clock::now();
    Clock::time_point deadline_ = never;
    Clock::time_point timer_at_ = never;
    State state_ = State::shaking;
    std::uint64_t serial_ = 0;

    std::string in_; // came, not yet parsed
    std::unique_ptr<Parser> parser_;
    bool waiting_ = false; // a read wait is outstanding
    bool end_of_input_ = false;
    Request request_; // while its body is collected
    Reception reception_;
    bool wants_upgrade_ = false;
    Headers upgrade_headers_;
    std::uint64_t body_bytes_ = 0;
    std::string pulled_; // body for the upload, not yet delivered
    std::function<void(Result<std::string>)> pull_;
    bool is_upload_ = false;
    bool upload_failed_ = false;
    bool expects_continue_ = false;
    std::size_t lingered_ = 0;

    std::deque<std::string> out_;
    std::size_t out_start_ = 0; // of the front, written already
    std::size_t unsent_ = 0;
    bool flush_posted_ = false;
    bool write_waiting_ = false;
    bool was_unsent_ = false;

    bool is_head_ = false; // a HEAD request: no body goes out
    bool chunked_ = false;
    bool answered_ = false; // head of the answer queued
    bool complete_ = false; // the whole answer queued
    bool close_after_ = false;
    bool closed_ = false;
    std::function<void()> drained_;
    std::function<void()> closed_call_;
};

} // namespace skerry::http
