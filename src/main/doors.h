#pragma once

#include "http/server.h"
#include "main/membership/membership.h"
#include "main/world.h"
#include "store/store.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skerry::main {

/// Where this cell answers and what it shows there: the listening server, the addresses by which others reach it, the certificate
/// that names these, and the administrator's kubeconfig that leads here.
class Doors {
public:
    struct Options {
        World& world;
        store::Store& store;
        Membership& membership;
        Membership::Known& known;           ///< keeps what is advertised
        std::vector<std::string> listen;    ///< HOST:PORT; port 0: any
        std::vector<std::string> advertise; ///< by its operator; empty: the machine's addresses
        std::string prefix;                 ///< of links that do not count among those
        std::string kubeconfig;             ///< path
        std::string name;                   ///< of the context in it
        /// Whom a client's chain speaks for.
        http::Verify judge;
        http::Recall recall;
    };
    static Result<std::unique_ptr<Doors>> open(Options);

    http::Server& server() { return *server_; }
    /// HOST:PORT each, the best first.
    std::vector<std::string> reached_at() const;
    /// Addresses that a token names are from then on this server's, also after a restart. Returns them with ports.
    Result<std::vector<std::string>> advertise(std::vector<std::string>);
    /// Certificates or anchors changed: new connections see it.
    Result<void> show_credentials();
    /// An administrator's kubeconfig, written once and kept as long as it leads to this server and lets somebody in.
    Result<void> write_way_in();

private:
    explicit Doors(Options options) : options_(std::move(options)) {}
    std::string with_port(const std::string& host) const;
    std::string anchors() const;
    Result<void> show_addresses();

    Options options_;
    std::shared_ptr<http::ServerTls> tls_;
    std::unique_ptr<http::Server> server_;
};

} // namespace skerry::main
