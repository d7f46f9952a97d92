#include "http/stream.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace skerry::http {

namespace {

/// As linux/tcp.h has it, which cannot be included beside netinet/tcp.h; an older kernel fills in less.
struct TcpNumbers {
    tcp_info first;
    std::uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    std::uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
};
static_assert(sizeof(tcp_info) == 104);

} // namespace

std::string text(const asio::ip::tcp::endpoint& endpoint) {
    auto address = endpoint.address();
    auto shown = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
    return shown + ":" + std::to_string(endpoint.port());
}

Stream::~Stream() {
    if (socket_.is_open()) {
        close();
        connection_ended();
    }
}

void Stream::prepare() {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.native_non_blocking(true, ignored);
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket_.set_option(asio::socket_base::keep_alive(false), ignored);
    error_code gone;
    auto remote = socket_.remote_endpoint(gone);
    remote_ = gone ? "unknown" : text(remote);
}

Result<void> Stream::begin_server_tls(ServerTls& tls) {
    tls_ = TRY(TlsSession::server(tls, socket_.native_handle()));
    return {};
}

Result<void> Stream::begin_client_tls(ClientTls& tls, const std::string& host) {
    tls_ = TRY(TlsSession::client(tls, socket_.native_handle(), host));
    return {};
}

Step Stream::handshake() { return tls_ ? tls_->handshake() : Step::done; }

Step Stream::read(char* bytes, std::size_t size, std::size_t& count) {
    count = 0;
    if (!socket_.is_open()) {
        why_ = {Code::cancelled, "the connection is closed"};
        return Step::failed;
    }
    if (tls_) return tls_->read(bytes, size, count);
    while (true) {
        auto got = ::recv(socket_.native_handle(), bytes, size, 0);
        if (got > 0) {
            count = static_cast<std::size_t>(got);
            received_ += count;
            return Step::done;
        }
        if (got == 0) return Step::closed;
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return Step::want_read;
        why_ = fail_errno("read").error();
        why_.code = Code::unavailable;
        return Step::failed;
    }
}

Step Stream::write(const char* bytes, std::size_t size, std::size_t& count) {
    count = 0;
    if (!socket_.is_open()) {
        why_ = {Code::cancelled, "the connection is closed"};
        return Step::failed;
    }
    if (tls_) return tls_->write(bytes, size, count);
    while (true) {
        auto put = ::send(socket_.native_handle(), bytes, size, MSG_NOSIGNAL);
        if (put >= 0) {
            count = static_cast<std::size_t>(put);
            sent_ += count;
            return Step::done;
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return Step::want_write;
        why_ = fail_errno("write").error();
        why_.code = Code::unavailable;
        return Step::failed;
    }
}

error_code Stream::code_of(Step step) const {
    switch (step) {
    case Step::closed:
        return asio::error::eof;
    case Step::failed:
        return asio::error::connection_reset;
    default:
        return {};
    }
}

void Stream::close() {
    if (!socket_.is_open()) return;
    if (tls_) tls_->shut();
    error_code ignored;
    socket_.shutdown(Socket::shutdown_both, ignored);
    socket_.close(ignored);
}

void Stream::end_writing() {
    if (tls_) tls_->shut();
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
}

void Stream::forget_chain() {
    if (tls_) tls_->forget_chain();
}

void Stream::set_user_timeout(unsigned milliseconds) {
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
}

Stream::Path Stream::path() {
    TcpNumbers numbers{};
    socklen_t size = sizeof numbers;
    if (::getsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_INFO, &numbers, &size) != 0 || size < sizeof numbers.first)
        return {};
    return {.round_trip = std::chrono::microseconds(numbers.first.tcpi_rtt),
            .sent = numbers.data_segs_out,
            .sent_again = numbers.first.tcpi_total_retrans};
}

void Stream::set_not_sent_low(unsigned bytes) {
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

} // namespace skerry::http
