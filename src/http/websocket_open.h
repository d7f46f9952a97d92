#pragma once

#include "http/client.h"
#include "http/stream.h"
#include "http/websocket.h"

#include <functional>
#include <memory>
#include <string>

namespace skerry::http {

struct UpgradeRequest {
    std::string target;
    Headers headers;
};

/// Server's half: answers 101 to a request that was read already.
void accept_websocket(Stream, UpgradeRequest, WebSocketOptions, std::function<void(Result<std::unique_ptr<WebSocket>>)>);

/// Client's half, on a fresh connection; `host` is the Host header. Dropping the Call cancels.
[[nodiscard]] std::unique_ptr<Call> connect_websocket(Stream, std::string host, UpgradeRequest, WebSocketOptions,
                                                      Duration timeout, std::function<void(Result<std::unique_ptr<WebSocket>>)>);

} // namespace skerry::http
