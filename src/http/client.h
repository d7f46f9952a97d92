#pragma once

#include "base/result.h"
#include "base/time.h"
#include "http/message.h"
#include "http/tls.h"
#include "http/websocket.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace skerry::http {

/// A request under way; dropping it cancels without a further callback.
class Call {
public:
    virtual ~Call() = default;
};

/// Receives a response as it comes. All members but `end` are optional.
struct ResponseSink {
    std::function<void(const Response& head)> head;
    std::function<void(std::string piece)> piece;
    /// Called once, last. An error: no (whole) response.
    std::function<void(Result<void>)> end;
};

/// Gives a body piece by piece: asked for the next one, it calls back with at most `limit` bytes; an empty one is the end, an
/// error abandons the request.
using BodyReader = std::function<void(std::size_t limit, std::function<void(Result<std::string>)>)>;

struct ClientOptions {
    std::string base; ///< "https://core.example:7443" or "http://127.0.0.1:8080"; a path in it is a prefix
    ClientTlsOptions tls;
    /// Made of such options before, and used in their place: parsing keys and certificates costs more than a handshake.
    std::shared_ptr<ClientTls> ready_tls;
    std::string authorization;       ///< value of that header: "Bearer …"
    Duration connect_timeout = 10s;  ///< per address, TLS handshake included
    Duration head_timeout = 60s;     ///< from the request's last byte to the response's head
    Duration idle_timeout = 0s;      ///< longest silence within a body; 0: none (watches are silent)
    std::size_t max_body = 64 << 20; ///< of responses taken whole by `send`
};

/// Requests to one server. Keeps one idle connection for reuse; a request that meets it just closed is repeated once on a new one
/// where it is safe (no byte of an answer came, and the body can be repeated).
class Client {
public:
    /// `invalid` names the option that is wrong: an unreadable key, a base without scheme.
    static Result<std::unique_ptr<Client>> create(boost::asio::io_context&, ClientOptions);
    /// Cancels what is under way, without callbacks.
    virtual ~Client() = default;

    /// Any status is a Response; errors are those of reaching the server ("cannot reach https://…: connection refused").
    [[nodiscard]] virtual std::unique_ptr<Call> send(Request, std::function<void(Result<Response>)>) = 0;
    [[nodiscard]] virtual std::unique_ptr<Call> stream(Request, ResponseSink) = 0;
    /// The body comes from `reader`, chunked, or with the Content-Length that the request's headers hold.
    [[nodiscard]] virtual std::unique_ptr<Call> upload(Request, BodyReader reader, std::function<void(Result<Response>)>) = 0;
    /// Opens a WebSocket at the request's path. An answer other than 101 is an error with the code of its status.
    [[nodiscard]] virtual std::unique_ptr<Call> open_websocket(Request, WebSocketOptions,
                                                               std::function<void(Result<std::unique_ptr<WebSocket>>)>) = 0;
};

} // namespace skerry::http
