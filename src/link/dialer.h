#pragma once

#include "base/result.h"
#include "env/env.h"
#include "http/tls.h"

#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace skerry::link {

/// Whom a chain speaks for; by pinned authority, whatever the clock says (rule T3).
using PeerVerify = std::function<Result<env::Peer>(const http::Chain&)>;

struct DialerOptions {
    /// Asked at each dial, so that a renewed certificate is used from the next one on.
    std::function<http::Credentials()> credentials;
    PeerVerify verify;
    Duration deadline = 20s;     ///< for one dial as a whole: name, TCP, TLS, WebSocket
    Duration user_timeout = 30s; ///< unacknowledged bytes older than this end the wire
};

/// Dials wss://host:port/link/control or /link/bulk with mutual TLS 1.3. A name with several addresses has them tried in turn.
std::unique_ptr<env::Dialer> make_dialer(boost::asio::io_context&, DialerOptions);

} // namespace skerry::link
