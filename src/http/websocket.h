#pragma once

#include "base/result.h"
#include "base/time.h"
#include "http/message.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace skerry::http {

struct WebSocketOptions {
    std::size_t max_message = 1 << 20; ///< a longer one closes the socket
    std::string subprotocol;           ///< asked for by a client, confirmed by a server; "": none
    /// Unacknowledged bytes older than this end the connection (TCP_USER_TIMEOUT); 0 leaves the kernel's patience.
    Duration user_timeout{};
    /// TCP_NOTSENT_LOWAT: how much the kernel may buffer beyond what is in flight (rule L6); 0 leaves its default.
    std::size_t not_sent_low = 0;
};

/// An open WebSocket (RFC 6455) without compression and without pings of its own: nothing crosses an idle one.
class WebSocket {
public:
    enum class Kind : std::uint8_t { text, binary };
    struct Listener {
        virtual ~Listener() = default;
        virtual void arrived(std::string message, Kind) = 0;
        /// Down; no call follows. `why` reads as a sentence.
        virtual void closed(std::string why) = 0;
        /// `unsent()` fell below the high mark after having been above it.
        virtual void drained() {}
    };

    /// Closes without a word to the listener. May be called from within the listener's calls.
    virtual ~WebSocket() = default;
    /// Nothing is read before this. The listener outlives the socket.
    virtual void listen(Listener&) = 0;
    virtual void send(std::string message, Kind) = 0;
    /// Sends what is queued, then a close frame with `reason` (at most 120 bytes are kept), then ends; `closed` is called.
    virtual void close(std::string reason) = 0;
    virtual std::size_t unsent() const = 0;
    static constexpr std::size_t high_mark = 256 << 10;

    struct Traffic {
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
    };
    /// Bytes of messages.
    virtual Traffic payload() const = 0;
    /// Bytes at the TCP socket since it was connected: TLS with its handshake, HTTP, framing and payload; not TCP/IP headers.
    virtual Traffic traffic() const = 0;
    /// Of the way, as far as the kernel knows it.
    struct Path {
        Duration round_trip{};                  ///< smoothed; zero: not known
        std::uint64_t sent = 0, sent_again = 0; ///< segments with bytes
    };
    virtual Path path() const = 0;
    /// Without the chain, which would be some kilobytes for as long as the link lives: only what Verify made of it.
    virtual std::shared_ptr<const PeerIdentity> peer() const = 0;
    /// "TLSv1.3"; "" without TLS.
    virtual std::string_view tls_version() const = 0;
    virtual const std::string& remote() const = 0;
};

} // namespace skerry::http
