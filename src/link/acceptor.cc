#include "link/acceptor.h"

#include "base/log.h"
#include "http/status.h"
#include "link/wire.h"

namespace skerry::link {

namespace {

void accept(const AcceptorOptions& options, env::Channel channel, http::Request request, std::shared_ptr<http::Upgrade> upgrade) {
    if (!request.peer) return upgrade->refuse(http::Response::text(401, "a link needs a client certificate: join first\n"));
    if (request.tls_version != "TLSv1.3") return upgrade->refuse(http::Response::text(426, "a link needs TLS 1.3\n"));
    auto peer = options.peer(*request.peer);
    if (!peer) {
        log(Level::warning, "link", "refused {}: {}", request.remote, peer.error().message);
        auto status = peer.error().code == Code::unauthenticated ? 401 : 403;
        return upgrade->refuse(http::Response::text(status, peer.error().message + "\n"));
    }
    upgrade->accept(socket_options(channel, options.user_timeout), [arrived = options.arrived, peer = std::move(*peer),
                                                                    channel](Result<std::unique_ptr<http::WebSocket>> socket) {
        if (!socket) return log(Level::debug, "link", "{} gave up: {}", peer.name, socket.error().message);
        arrived(make_wire(std::move(*socket), peer, channel));
    });
}

} // namespace

void accept_links(http::Server& server, AcceptorOptions options) {
    auto shared = std::make_shared<AcceptorOptions>(std::move(options));
    server.on_upgrade("/link/control", [shared](http::Request request, std::shared_ptr<http::Upgrade> upgrade) {
        accept(*shared, env::Channel::control, std::move(request), std::move(upgrade));
    });
    server.on_upgrade("/link/bulk", [shared](http::Request request, std::shared_ptr<http::Upgrade> upgrade) {
        accept(*shared, env::Channel::bulk, std::move(request), std::move(upgrade));
    });
}

} // namespace skerry::link
