#pragma once

#include "http/client.h"
#include "http/connect.h"
#include "http/parser.h"

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <map>
#include <memory>
#include <string>

namespace skerry::http {

class Exchange;

/// What one Client's exchanges share: where to, and the one idle connection.
struct ClientPlace {
    explicit ClientPlace(asio::io_context& context) : context(context) {}
    asio::io_context& context;
    Destination to;
    Duration connect_timeout{}, head_timeout{}, idle_timeout{};
    std::unique_ptr<Stream> idle;
    std::map<Exchange*, std::weak_ptr<Exchange>> running;
};

/// One request and its response. The response is read while the request is still being written, since a server may refuse a body
/// half-way.
class Exchange : public std::enable_shared_from_this<Exchange> {
public:
    Exchange(std::shared_ptr<ClientPlace> place, std::string method, std::string target, Headers headers, std::string body,
             BodyReader reader, ResponseSink sink);
    void begin();
    void cancel();

private:
    void connect_afresh();
    void run(std::unique_ptr<Stream> stream);
    void write_more();
    void read_body_piece();
    void read_more();
    void take();
    void response_head();
    void finish(Result<void> result);
    void broke(Error why);
    void deadline(Duration, std::string why);

    std::shared_ptr<ClientPlace> place_;
    std::string method_, target_;
    Headers headers_;
    std::string body_;
    BodyReader reader_;
    ResponseSink sink_;
    bool chunked_ = false;

    std::unique_ptr<Call> connecting_;
    std::unique_ptr<Stream> stream_;
    std::uint64_t generation_ = 0; ///< of the connection; a wait of an earlier one means nothing
    bool reused_ = false;
    asio::steady_timer timer_;
    std::uint64_t timer_serial_ = 0;

    std::deque<std::string> out_;
    std::size_t out_start_ = 0;
    bool write_waiting_ = false;
    bool read_waiting_ = false;
    bool reader_busy_ = false;
    bool reader_done_ = false;
    bool request_sent_ = false;

    std::unique_ptr<Parser> parser_;
    std::string in_;
    bool head_told_ = false;
    bool over_ = false;
};

struct ExchangeCall final : Call {
    explicit ExchangeCall(std::shared_ptr<Exchange> exchange) : exchange(std::move(exchange)) {}
    ~ExchangeCall() override { exchange->cancel(); }
    std::shared_ptr<Exchange> exchange;
};

} // namespace skerry::http
