#pragma once

#include "base/time.h"
#include "http/tls_session.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace skerry::http {

namespace asio = boost::asio;
using boost::system::error_code;
using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;

/// A TCP connection, with TLS or without: the one type of stream on which everything here runs.
///
/// Used in two ways: `read`, `write` and `wait` for our own loops over HTTP, which hold no buffer while idle; and as an Asio
/// AsyncStream under Beast's WebSocket.
class Stream {
public:
    using executor_type = Socket::executor_type;
    using lowest_layer_type = Socket;

    explicit Stream(Socket socket) : socket_(std::move(socket)) {}
    Stream(Stream&&) = default;
    ~Stream();

    /// Non-blocking, no delay, keepalive off. Failures (the peer is gone already) show at the first read.
    void prepare();
    Result<void> begin_server_tls(ServerTls&);
    Result<void> begin_client_tls(ClientTls&, const std::string& host);

    Step handshake();
    Step read(char* bytes, std::size_t size, std::size_t& count);
    Step write(const char* bytes, std::size_t size, std::size_t& count);
    /// After `failed`.
    const Error& why() const { return tls_ ? tls_->why() : why_; }

    /// Calls when the socket is ready, or with operation_aborted after `close`.
    template<class Function>
    void wait(Step step, Function&& function) {
        socket_.async_wait(step == Step::want_write ? Socket::wait_write : Socket::wait_read, std::forward<Function>(function));
    }

    /// Says goodbye (close_notify, FIN) and closes; what was not sent is lost.
    void close();
    /// FIN only: the other side may go on sending.
    void end_writing();

    Socket& socket() { return socket_; }
    Socket& lowest_layer() { return socket_; }
    executor_type get_executor() { return socket_.get_executor(); }
    const TlsSession* tls() const { return tls_.get(); }
    std::shared_ptr<const PeerIdentity> peer() const { return tls_ ? tls_->peer() : nullptr; }
    /// Keeps of the peer only what its judge made of it.
    void forget_chain();
    std::uint64_t sent() const { return tls_ ? tls_->sent() : sent_; }
    std::uint64_t received() const { return tls_ ? tls_->received() : received_; }
    /// "10.0.0.7:41234", as it was when the connection began.
    const std::string& remote() const { return remote_; }
    void set_user_timeout(unsigned milliseconds);
    void set_not_sent_low(unsigned bytes);
    /// As the kernel measures it (TCP_INFO): from segments and their acknowledgements, without a byte of its own.
    struct Path {
        Duration round_trip{};                  ///< smoothed; zero: not known
        std::uint64_t sent = 0, sent_again = 0; ///< segments with bytes
    };
    Path path();

    /// Whatever is to live as long as the connection (a place among the server's connections).
    std::shared_ptr<void> place;

    template<class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [this](auto handler, asio::mutable_buffer buffer) {
                Transfer<decltype(handler), false>::begin(*this, buffer, std::move(handler));
            },
            token, first<asio::mutable_buffer>(buffers));
    }
    template<class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return asio::async_initiate<Token, void(error_code, std::size_t)>(
            [this](auto handler, asio::const_buffer buffer) {
                Transfer<decltype(handler), true>::begin(*this, buffer, std::move(handler));
            },
            token, joined(buffers));
    }

private:
    template<class Buffer, class Buffers>
    static Buffer first(const Buffers& buffers) {
        for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at)
            if (Buffer buffer = *at; buffer.size() != 0) return buffer;
        return {};
    }
    /// What to write next, as one TLS record where it fits: a frame's head and its payload apart would cost 22 bytes more per
    /// message.
    template<class Buffers>
    asio::const_buffer joined(const Buffers& buffers) {
        auto head = first<asio::const_buffer>(buffers);
        if (head.size() >= join_below || head.size() == asio::buffer_size(buffers)) return head;
        gathered_.resize(std::min(asio::buffer_size(buffers), record_limit));
        asio::buffer_copy(asio::buffer(gathered_), buffers);
        return asio::buffer(std::as_const(gathered_));
    }
    static constexpr std::size_t join_below = 4 << 10;
    static constexpr std::size_t record_limit = 16 << 10;
    /// Asio's name for what a step came to; none while it has to be repeated.
    error_code code_of(Step) const;

    /// One read or write, repeated until it moves a byte.
    template<class Handler, bool writes>
    struct Transfer {
        using Buffer = std::conditional_t<writes, asio::const_buffer, asio::mutable_buffer>;
        using allocator_type = asio::associated_allocator_t<Handler>;
        using executor_type = asio::associated_executor_t<Handler, Stream::executor_type>;
        Stream& stream;
        Buffer buffer;
        Handler handler;

        allocator_type get_allocator() const noexcept { return asio::get_associated_allocator(handler); }
        executor_type get_executor() const noexcept { return asio::get_associated_executor(handler, stream.get_executor()); }

        static void begin(Stream& stream, Buffer buffer, Handler handler) {
            Transfer self{stream, buffer, std::move(handler)};
            std::size_t count = 0;
            auto step = self.attempt(count);
            if (step == Step::want_read || step == Step::want_write) {
                stream.wait(step, std::move(self));
            } else {
                if constexpr (writes) stream.gathered_ = {};
                // Never from within the initiating call.
                auto code = stream.code_of(step);
                asio::post(stream.get_executor(), [self = std::move(self), code, count]() mutable { self.handler(code, count); });
            }
        }
        Step attempt(std::size_t& count) {
            if (buffer.size() == 0) return Step::done;
            if constexpr (writes) {
                return stream.write(static_cast<const char*>(buffer.data()), buffer.size(), count);
            } else {
                return stream.read(static_cast<char*>(buffer.data()), buffer.size(), count);
            }
        }
        void operator()(error_code code) {
            if (code) return handler(code, 0);
            std::size_t count = 0;
            auto step = attempt(count);
            if (step == Step::want_read || step == Step::want_write) return stream.wait(step, std::move(*this));
            if constexpr (writes) stream.gathered_ = {};
            auto result = stream.code_of(step);
            handler(result, count);
        }
    };

    Socket socket_;
    std::unique_ptr<TlsSession> tls_;
    std::string remote_;
    std::string gathered_; // for the write under way
    Error why_;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
};

std::string text(const asio::ip::tcp::endpoint&);

} // namespace skerry::http
