#pragma once

#include "base/time.h"
#include "env/env.h"
#include "http/message.h"
#include "http/server.h"
#include "link/dialer.h"

#include <functional>
#include <memory>

namespace skerry::link {

struct AcceptorOptions {
    /// Whom a request's client certificate speaks for, out of the chain or of the identity that the server's own Verify made of
    /// it. An error refuses the wire: 401 for `unauthenticated`, else 403.
    std::function<Result<env::Peer>(const http::PeerIdentity&)> peer;
    std::function<void(std::unique_ptr<env::Wire>)> arrived;
    Duration user_timeout = 30s;
};

/// Takes /link/control and /link/bulk of the server: wires of children. Without a client certificate: 401.
void accept_links(http::Server&, AcceptorOptions);

} // namespace skerry::link
