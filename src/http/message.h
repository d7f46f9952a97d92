#pragma once

#include "base/result.h"

#include <any>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::http {

/// Names and values in order of arrival; names compare without regard to case (RFC 9110, 5.1).
class Headers {
public:
    using Field = std::pair<std::string, std::string>;
    Headers() = default;
    Headers(std::initializer_list<Field> fields) : fields_(fields) {}

    /// The first value, or "".
    std::string_view get(std::string_view name) const;
    bool has(std::string_view name) const;
    void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
    /// Replaces every value of that name.
    void set(std::string_view name, std::string value);
    void erase(std::string_view name);
    bool empty() const { return fields_.empty(); }
    auto begin() const { return fields_.begin(); }
    auto end() const { return fields_.end(); }

private:
    std::vector<Field> fields_;
};

/// What stands behind the `?`, decoded, in order; a name may come more than once.
class Query {
public:
    using Field = std::pair<std::string, std::string>;
    Query() = default;
    Query(std::initializer_list<Field> fields) : fields_(fields) {}
    /// `invalid` for a broken percent escape; `+` is a space.
    static Result<Query> parse(std::string_view text);

    /// The first value; none where the name is absent (`?watch` is present and empty).
    std::optional<std::string_view> find(std::string_view name) const;
    /// The first value, or "".
    std::string_view get(std::string_view name) const { return find(name).value_or(""); }
    bool has(std::string_view name) const { return find(name).has_value(); }
    std::vector<std::string_view> all(std::string_view name) const;
    void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
    bool empty() const { return fields_.empty(); }
    auto begin() const { return fields_.begin(); }
    auto end() const { return fields_.end(); }
    std::string text() const;

private:
    std::vector<Field> fields_;
};

/// PEM certificates, the peer's own first, then what it sent with it.
using Chain = std::vector<std::string>;

/// Who is at the other end of a TLS connection.
struct PeerIdentity {
    Chain chain;
    /// What the connection's Verify made of the chain (`std::any_cast<trust::Whatever>(&peer->identity)`).
    std::any identity;
};

class Upload;

/// A request, as received by a Server or sent by a Client.
struct Request {
    std::string method = "GET";
    std::string path = "/"; ///< decoded, begins with "/"
    Query query;
    Headers headers;
    std::string body;

    /// Set by the server. No peer: no client certificate.
    std::shared_ptr<const PeerIdentity> peer;
    std::string remote;           ///< address and port, "10.0.0.7:41234"
    std::string_view tls_version; ///< "TLSv1.3"; "" without TLS
    /// Path and query as sent. A client that sets it sends exactly that.
    std::string raw_target;
    /// The body, where the route asked for it piece by piece (`Reception::streamed`); `body` is empty then.
    std::shared_ptr<Upload> upload;

    /// Path and query, encoded; or as they were given.
    std::string target() const;
};

struct Response {
    int status = 200;
    Headers headers;
    std::string body;

    static Response text(int status, std::string body);
    static Response json(int status, std::string body);
};

/// Percent escapes of RFC 3986; a malformed one is `invalid`.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
/// Leaves unreserved characters and those in `keep`.
std::string percent_encode(std::string_view text, std::string_view keep = {});

} // namespace skerry::http
