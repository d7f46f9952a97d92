#pragma once

#include "base/result.h"
#include "base/time.h"
#include "http/message.h"
#include "http/tls.h"
#include "http/websocket.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace skerry::http {

/// The body of a response that has no end in sight: watches, logs, big files. Chunked (RFC 9112, 7.1), or as it is where the
/// headers given to `stream` hold a Content-Length.
///
/// Dropping the last reference without `end()` cuts the connection, so that the client sees a broken body, not a complete one.
class BodyStream {
public:
    virtual ~BodyStream() = default;
    /// Queued and sent; dropped silently once closed.
    virtual void write(std::string bytes) = 0;
    virtual void end() = 0;
    virtual bool is_open() const = 0;
    /// Bytes written that the kernel has not yet taken. Writers hold back above `high_mark`.
    virtual std::size_t unsent() const = 0;
    static constexpr std::size_t high_mark = 256 << 10;
    /// `unsent()` fell to nothing after having been above zero.
    virtual void on_drained(std::function<void()>) = 0;
    /// The client went away (or was cut off for reading nothing for too long), once; never after `end()` was delivered.
    virtual void on_closed(std::function<void()>) = 0;
};

/// Takes the answer to one request: exactly one call of `respond` or `stream`. May be kept and used later, and after the client
/// has gone. Dropped unused, it answers 500.
class Responder {
public:
    virtual ~Responder() = default;
    virtual void respond(Response) = 0;
    [[nodiscard]] virtual std::shared_ptr<BodyStream> stream(int status, Headers) = 0;
    /// The client went away before the answer was complete. Set before answering; not called after the answer was delivered.
    virtual void on_closed(std::function<void()>) = 0;
};

/// A request's body, pulled piece by piece; what is not pulled is not read from the network.
class Upload {
public:
    virtual ~Upload() = default;
    /// The next piece, at most 64 KiB; an empty one is the end. One call at a time. `cancelled` when the client went away,
    /// `exhausted` when the body passed the route's limit.
    virtual void read(std::function<void(Result<std::string>)>) = 0;
    /// Where the client said how much will come.
    virtual std::optional<std::uint64_t> length() const = 0;
};

/// How a request's body is to be received, decided by its head.
struct Reception {
    std::uint64_t limit = 4 << 20; ///< beyond it: 413, and the connection ends
    bool streamed = false;         ///< the request is delivered at once, its body through `Request::upload`
    bool known = false;            ///< the client is somebody: it no longer counts in `max_strangers`
};

/// A request to turn its connection into a WebSocket: exactly one of the two calls; dropped unused, it answers 500.
class Upgrade {
public:
    virtual ~Upgrade() = default;
    virtual void accept(WebSocketOptions, std::function<void(Result<std::unique_ptr<WebSocket>>)>) = 0;
    virtual void refuse(Response) = 0;
};

struct ServerOptions {
    /// "0.0.0.0:7443", "[::]:7443", "127.0.0.1:0"; port 0 takes a free one. [::] is IPv6 only, so that both can be listened on.
    std::vector<std::string> listen;
    std::shared_ptr<ServerTls> tls;       ///< none: plain HTTP
    std::size_t max_connections = 12'000; ///< WebSockets count too; beyond it new ones are closed at once
    /// Of them without a client's certificate, or not yet with one. Beyond it the oldest that is not served is closed, once it has
    /// had `stranger_grace`; until then nobody is let in, and who comes waits in the kernel's queue: in a storm it is better that
    /// some wait than that work which is half done is thrown away and asked for again.
    std::size_t max_strangers = 2'000;
    Duration stranger_grace = 4s;
    std::size_t max_header = 16 << 10;
    Duration head_timeout = 20s;  ///< TLS handshake, and each request's head once its first byte came
    Duration body_timeout = 120s; ///< all of a body that is taken whole
    Duration idle_timeout = 120s; ///< between requests
    Duration stall_timeout = 60s; ///< an upload or an answer that does not move
};

/// HTTP/1.1 with keep-alive and pipelining (answered one by one, in order). All callbacks run on the context's thread.
class Server {
public:
    static Result<std::unique_ptr<Server>> open(boost::asio::io_context&, ServerOptions);
    /// Cuts all connections. WebSockets already handed over live on.
    virtual ~Server() = default;

    virtual void on_request(std::function<void(Request, std::shared_ptr<Responder>)>) = 0;
    /// Asked before a body is read. Default: `Reception{}`. The request has no body yet.
    virtual void on_head(std::function<Reception(const Request&)>) = 0;
    /// WebSocket upgrades at exactly this path, or below it where it ends in "/"; elsewhere they go to on_request as plain
    /// requests.
    virtual void on_upgrade(std::string path, std::function<void(Request, std::shared_ptr<Upgrade>)>) = 0;

    /// One per address of `listen`, in order, with the real ports: "127.0.0.1:43121".
    virtual std::vector<std::string> addresses() const = 0;
    virtual std::uint16_t port() const = 0; ///< of the first address
    virtual std::size_t connections() const = 0;

    /// Listens no more, lets running answers finish for up to `grace`, ends the rest, then calls `done`.
    virtual void shutdown(Duration grace, std::function<void()> done) = 0;
};

} // namespace skerry::http
