#pragma once

#include "env/env.h"
#include "http/websocket.h"

#include <memory>

namespace skerry::link {

/// Both channels' limit for one message: frames of slices are cut at 1 MiB at most (rule S4), those of streams at 16 KiB.
constexpr std::size_t max_message = (1 << 20) + 1024;

/// What a link asks of its sockets: on control little is buffered below us, so that a beat never queues behind bytes (rule L6).
http::WebSocketOptions socket_options(env::Channel, Duration user_timeout);
std::unique_ptr<env::Wire> make_wire(std::unique_ptr<http::WebSocket>, env::Peer, env::Channel);

} // namespace skerry::link
