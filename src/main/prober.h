#pragma once

#include "env/env.h"
#include "node/prober.h"

#include <map>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace skerry::http {
class Call;
class Client;
class Stream;
} // namespace skerry::http

namespace skerry::main {

/// Health checks with real connections.
class RealProber final : public node::Prober {
public:
    RealProber(boost::asio::io_context& context, env::Timers& timers);
    ~RealProber() override;

    void http(const std::string& address, std::uint16_t port, const std::string& path, Duration timeout, Answer) override;
    void tcp(const std::string& address, std::uint16_t port, Duration timeout, Answer) override;

private:
    struct Probe;
    std::uint64_t begin(Duration timeout, Answer);
    void finish(std::uint64_t, Result<void>);

    boost::asio::io_context& context_;
    env::Timers& timers_;
    std::uint64_t next_ = 1;
    std::map<std::uint64_t, std::unique_ptr<Probe>> probes_;
};

} // namespace skerry::main
