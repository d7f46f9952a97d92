#pragma once

#include "base/result.h"
#include "base/time.h"

#include <cstdint>
#include <functional>
#include <string>

namespace skerry::node {

/// Health checks over the network, from this machine. Deciding thread only; never calls back before it returns, always calls back
/// once, at the latest soon after `timeout`.
class Prober {
public:
    using Answer = std::function<void(Result<void>)>;

    virtual ~Prober() = default;
    /// GET; fine with a status from 200 to 399. The error says what came instead.
    virtual void http(const std::string& address, std::uint16_t port, const std::string& path, Duration timeout, Answer) = 0;
    /// Fine when the connection is accepted.
    virtual void tcp(const std::string& address, std::uint16_t port, Duration timeout, Answer) = 0;
};

} // namespace skerry::node
