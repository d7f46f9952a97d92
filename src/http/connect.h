#pragma once

#include "base/time.h"
#include "http/client.h"
#include "http/stream.h"

#include <functional>
#include <memory>
#include <string>

namespace skerry::http {

struct Destination {
    std::string host; ///< a name, or an address without brackets
    std::uint16_t port = 0;
    std::shared_ptr<ClientTls> tls; ///< none: plain TCP
    std::string title;              ///< for messages: "https://core:7443"
};

/// Resolves, connects to each address in turn, shakes hands. Called back once, unless the Call is dropped. The timeout is for
/// each address.
[[nodiscard]] std::unique_ptr<Call> connect(asio::io_context&, Destination, Duration timeout,
                                            std::function<void(Result<std::unique_ptr<Stream>>)>);

} // namespace skerry::http
