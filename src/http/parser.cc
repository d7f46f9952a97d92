#include "http/parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <fmt/format.h>

namespace skerry::http {

namespace beast = boost::beast;

namespace {

std::string owned(beast::string_view view) { return {view.data(), view.size()}; }

/// What both kinds of message do alike with what Beast finds.
template<bool is_request>
struct Collector final : beast::http::basic_parser<is_request> {
    using Base = beast::http::basic_parser<is_request>;
    using error_code = beast::error_code;
    explicit Collector(Parser& parser) : parser(parser) {}

    void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                         error_code&) override {
        parser.method = owned(method);
        parser.target = owned(target);
        parser.http10 = version == 10;
    }
    void on_response_impl(int code, beast::string_view, int version, error_code&) override {
        parser.status = code;
        parser.http10 = version == 10;
    }
    void on_field_impl(beast::http::field field, beast::string_view name, beast::string_view value, error_code& error) override {
        // Trailers come this way as well, and are dropped: what they say was not there when the head was judged.
        if (this->is_header_done()) return;
        if (field == beast::http::field::transfer_encoding && !beast::iequals(value, "chunked")) {
            error = beast::http::error::bad_transfer_encoding;
            return;
        }
        parser.headers.add(owned(name), owned(value));
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(beast::string_view piece, error_code&) override {
        parser.body.append(piece.data(), piece.size());
        return piece.size();
    }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view piece, error_code&) override {
        parser.body.append(piece.data(), piece.size());
        return piece.size();
    }
    void on_finish_impl(error_code&) override {}

    Parser& parser;
};

} // namespace

struct Parser::State {
    Limits limits;
    std::unique_ptr<Collector<true>> request;
    std::unique_ptr<Collector<false>> response;
    std::size_t head_bytes = 0;

    template<class Function>
    auto with(Function&& function) const {
        return request ? function(*request) : function(*response);
    }
};

namespace {

std::string_view plain(const beast::error_code& code) {
    using beast::http::error;
    if (code == error::bad_method) return "the method is malformed";
    if (code == error::bad_target) return "the address is malformed";
    if (code == error::bad_version) return "the protocol is not HTTP/1.0 or HTTP/1.1";
    if (code == error::bad_status) return "the status is malformed";
    if (code == error::bad_content_length || code == error::multiple_content_length)
        return "Content-Length is malformed or contradicts";
    if (code == error::bad_transfer_encoding) return "Transfer-Encoding is not just \"chunked\", or comes with a Content-Length";
    if (code == error::bad_chunk || code == error::bad_chunk_extension) return "a chunk's head is malformed";
    if (code == error::partial_message) return "the message ends too early";
    return "a header field is malformed";
}

std::unexpected<Error> refuse(const beast::error_code& code) {
    using beast::http::error;
    if (code == error::header_limit || code == error::buffer_overflow) return fail(Code::exhausted, "the head is too long");
    return fail(Code::invalid, std::string("not HTTP: ") + std::string(plain(code)));
}

} // namespace

Parser::Parser(Kind kind, Limits limits) : state_(std::make_unique<State>()) {
    state_->limits = limits;
    if (kind == Kind::request) {
        state_->request = std::make_unique<Collector<true>>(*this);
    } else {
        state_->response = std::make_unique<Collector<false>>(*this);
    }
    auto prepare = [&](auto& parser) {
        parser.header_limit(static_cast<std::uint32_t>(limits.head));
        parser.body_limit(boost::none);
        parser.eager(false);
    };
    state_->with(prepare);
}

Parser::~Parser() = default;

Result<std::size_t> Parser::feed(std::string_view bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size() && !done()) {
        bool had_head = head_done();
        beast::error_code error;
        auto rest = bytes.substr(taken);
        auto count =
            state_->with([&](auto& parser) { return parser.put(boost::asio::const_buffer(rest.data(), rest.size()), error); });
        taken += count;
        if (!had_head) {
            state_->head_bytes += count;
            auto waiting = head_done() ? 0 : rest.size() - count;
            if (state_->head_bytes + waiting > state_->limits.head) return fail(Code::exhausted, "the head is too long");
        }
        if (error == beast::http::error::need_more) {
            if (head_done() && rest.size() - count > state_->limits.line)
                return fail(Code::invalid, "a chunk's head or trailer is too long");
            break;
        }
        if (error) return refuse(error);
        if (!had_head && head_done()) break;
    }
    return taken;
}

Result<void> Parser::feed_end() {
    if (!got_some()) return fail(Code::invalid, "the connection ended before the message began");
    beast::error_code error;
    state_->with([&](auto& parser) { parser.put_eof(error); });
    if (error) return refuse(error);
    return {};
}

bool Parser::got_some() const {
    return state_->with([](auto& parser) { return parser.got_some(); });
}
bool Parser::head_done() const {
    return state_->with([](auto& parser) { return parser.is_header_done(); });
}
bool Parser::done() const {
    return state_->with([](auto& parser) { return parser.is_done(); });
}
void Parser::expect_no_body() {
    state_->with([](auto& parser) { parser.skip(true); });
}
bool Parser::keep_alive() const {
    return state_->with([](auto& parser) { return parser.keep_alive(); });
}

std::optional<std::uint64_t> Parser::content_length() const {
    auto length = state_->with([](auto& parser) { return parser.content_length(); });
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
}

bool Parser::is_upgrade() const {
    return state_->with([](auto& parser) { return parser.upgrade(); }) &&
           beast::iequals(std::string(headers.get("Upgrade")), "websocket");
}

std::string write_head(std::string_view start_line, const Headers& headers) {
    std::string head(start_line);
    auto put = [&](std::string_view text) {
        for (char c : text) head += (c >= 0 && c < ' ' && c != '\t') || c == 0x7f ? ' ' : c;
    };
    head += "\r\n";
    for (const auto& [name, value] : headers) {
        put(name);
        head += ": ";
        put(value);
        head += "\r\n";
    }
    head += "\r\n";
    return head;
}

std::string chunk(std::string_view piece) {
    if (piece.empty()) return "0\r\n\r\n";
    auto text = fmt::format("{:x}\r\n", piece.size());
    text.reserve(text.size() + piece.size() + 2);
    text += piece;
    text += "\r\n";
    return text;
}

} // namespace skerry::http
