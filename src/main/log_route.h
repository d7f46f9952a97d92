#pragma once

#include "api/logs.h"
#include "drivers/logs.h"
#include "env/env.h"
#include "main/tunnel.h"

#include <map>
#include <memory>
#include <string>

namespace skerry::main {

/// Finds the way to an instance's log: this machine's own, or through the tunnel to the site or node that has it.
///
/// On a stream named "logs" the parameters say which instance; the answer is `ok\n` and the log's bytes, or `no <reason>\n`.
class LogRoute final : public api::LogSource {
public:
    struct Options {
        env::Env env;
        Tunnel& tunnel;
        std::string site; ///< whose cell this is; empty: a core without a site, or a node
        std::string node; ///< whose instances run in this cell; empty: none
        drivers::Logs* logs = nullptr;
    };
    explicit LogRoute(Options);
    ~LogRoute() override;

    std::unique_ptr<api::LogFlow> open(Wanted, Sink) override;

private:
    std::unique_ptr<api::LogFlow> open_far(const Wanted&, Sink);
    void serve(std::shared_ptr<link::Stream>);

    Options options_;
};

} // namespace skerry::main
