#pragma once

#include "base/result.h"
#include "http/tls.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

typedef struct ssl_st SSL;
typedef struct ssl_session_st SSL_SESSION;

namespace skerry::http {

/// What a non-blocking step came to.
enum class Step : std::uint8_t {
    done,
    want_read,  ///< again when the socket is readable
    want_write, ///< again when it is writable
    closed,     ///< the other side ended properly
    failed,
};

struct KeptSession;

/// One TLS connection over a non-blocking socket, which it does not own. OpenSSL reads and writes the descriptor itself and holds
/// buffers only while bytes are in them: half the memory of a stream through memory BIOs.
class TlsSession {
public:
    static Result<std::unique_ptr<TlsSession>> server(ServerTls&, int descriptor);
    /// `host` for SNI and the check of the name.
    static Result<std::unique_ptr<TlsSession>> client(ClientTls&, int descriptor, const std::string& host);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    Step handshake();
    Step read(char* bytes, std::size_t size, std::size_t& count);
    Step write(const char* bytes, std::size_t size, std::size_t& count);
    /// Sends close_notify, once; does not wait for the other side's.
    void shut();

    /// After `failed`.
    const Error& why() const { return why_; }
    /// Judged by the handshake; none where no certificate came.
    const std::shared_ptr<const PeerIdentity>& peer() const { return peer_; }
    std::string_view version() const;
    /// Bytes at the socket.
    std::uint64_t sent() const;
    std::uint64_t received() const;

    void judged(std::shared_ptr<const PeerIdentity> peer, std::string note = {}) {
        peer_ = std::move(peer);
        note_ = std::move(note);
    }
    /// Frees what the peer showed, and keeps what was made of it.
    void forget_chain();
    /// At a server: what the session's ticket is to say of the peer.
    const std::string& note() const { return note_; }
    /// At a client: a ticket came.
    void keep(const SSL_SESSION&);
    /// An earlier session was taken up again: no certificates were shown.
    bool resumed() const;
    void refused(Error error) { refusal_ = std::move(error); }

private:
    explicit TlsSession(SSL* ssl) : ssl_(ssl) {}
    Step after(int outcome, std::string_view doing);

    void offer(std::shared_ptr<KeptSession>, const Verify&);
    Result<void> recall();

    SSL* ssl_;
    std::shared_ptr<const PeerIdentity> peer_;
    std::string note_;
    const Recall* recall_ = nullptr;               // a server's; during the handshake
    std::shared_ptr<KeptSession> kept_;            // a client's, for its next connection
    std::shared_ptr<const PeerIdentity> recalled_; // with whom a client offers to go on
    Error refusal_;                                // by our own judge
    Error why_;
    bool up_ = false;
};

/// Ignores SIGPIPE, which OpenSSL's writes to a reset socket would raise. Repeatable.
void ignore_broken_pipes();
/// Gives freed memory back to the system after many connections ended; called at each end.
void connection_ended();

} // namespace skerry::http
