#pragma once

#include "base/result.h"
#include "http/message.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::http {

/// Takes one HTTP/1.x message out of a stream of bytes. Strict where laxity lets requests be smuggled: one framing (a length or
/// chunks, never both), no other transfer coding than chunked.
class Parser {
public:
    enum class Kind : std::uint8_t { request, response };
    struct Limits {
        std::size_t head = 16 << 10;
        std::size_t line = 8 << 10; ///< of a chunk's head or the trailers
    };

    Parser(Kind, Limits);
    ~Parser();
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;

    /// Takes from the front of `bytes` and returns how many; stops after the head and after the end. Call again with the rest and
    /// more. `exhausted` where the head is too long, else `invalid`.
    Result<std::size_t> feed(std::string_view bytes);
    /// The stream ended: fine for a response whose body has no other end, `invalid` in the middle of a message.
    Result<void> feed_end();

    bool got_some() const;
    bool head_done() const;
    bool done() const;
    /// A response to HEAD has no body whatever its head says. Set before its head is fed.
    void expect_no_body();

    std::string method, target; ///< of a request
    int status = 0;             ///< of a response
    Headers headers;
    bool http10 = false;
    /// Body bytes that came since this was last taken.
    std::string body;

    std::optional<std::uint64_t> content_length() const;
    bool keep_alive() const;
    /// Asks for, or confirms, a WebSocket.
    bool is_upgrade() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// `status line, fields, blank line`; control characters in values become spaces, so that no value can add a field.
std::string write_head(std::string_view start_line, const Headers&);
/// One chunk of a chunked body; an empty piece gives the closing one.
std::string chunk(std::string_view piece);

} // namespace skerry::http
