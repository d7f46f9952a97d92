#include "main/doors.h"

#include "main/machine/address.h"
#include "main/machine/machine.h"
#include "main/membership/kubeconfig.h"
#include "trust/tokens/rights.h"

#include <algorithm>
#include <utility>

namespace skerry::main {

namespace {

constexpr std::size_t most_advertised = 64;

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

} // namespace

Result<std::unique_ptr<Doors>> Doors::open(Options options) {
    std::unique_ptr<Doors> doors(new Doors(std::move(options)));
    auto& self = *doors;
    http::ServerTlsOptions tls{.credentials = TRY(self.options_.membership.server_credentials(self.reached_at())),
                               .ca_pem = self.anchors()};
    tls.verify = self.options_.judge;
    tls.recall = self.options_.recall;
    self.tls_ = TRY(http::ServerTls::create(std::move(tls)));
    // Half of the descriptors stay for what runs here: who only connects must not make this cell blind to its own instances.
    std::size_t most = std::min<std::size_t>(12'000, raise_open_files() / 2);
    self.server_ =
        TRY(http::Server::open(self.options_.world.loop.context(), {.listen = self.options_.listen,
                                                                    .tls = self.tls_,
                                                                    .max_connections = most,
                                                                    .max_strangers = std::max<std::size_t>(most / 6, 16)}));
    TRY_VOID(self.show_addresses()); // port 0 is known only now
    return doors;
}

std::string Doors::with_port(const std::string& host) const {
    if (has_port(host)) return host;
    return host + ":" + (server_ ? std::to_string(server_->port()) : port_of(options_.listen.front()));
}

std::vector<std::string> Doors::reached_at() const {
    std::vector<std::string> addresses;
    std::vector<std::string> hosts = options_.advertise;
    if (hosts.empty()) hosts = machine_addresses(options_.prefix);
    for (auto& host : options_.known.advertised) hosts.push_back(host);
    for (auto& host : hosts) {
        std::string address = with_port(host);
        if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(std::move(address));
    }
    if (addresses.empty()) addresses.push_back(with_port("127.0.0.1"));
    return addresses;
}

std::string Doors::anchors() const {
    std::string all;
    for (auto& anchor : options_.membership.anchors()) all += anchor;
    return all;
}

Result<void> Doors::show_addresses() { return tls_->replace(TRY(options_.membership.server_credentials(reached_at()))); }

Result<std::vector<std::string>> Doors::advertise(std::vector<std::string> addresses) {
    auto& known = options_.known;
    for (auto& address : addresses) address = with_port(address);
    auto all = known.advertised;
    for (auto& address : addresses)
        if (std::find(all.begin(), all.end(), address) == all.end()) all.push_back(address);
    if (all == known.advertised) return addresses;
    if (all.size() > most_advertised)
        return fail(Code::exhausted, "advertise: this server answers for " + std::to_string(known.advertised.size()) +
                                         " further addresses already (at most " + std::to_string(most_advertised) +
                                         "); give fewer, or a name for all");
    auto before = std::exchange(known.advertised, std::move(all));
    known.life = options_.membership.life();
    store::Transaction notes;
    Membership::write_notes(notes, known);
    // On its way to the disk before the token's record, and durable with it at the latest.
    options_.store.commit(std::move(notes), [&known, before = std::move(before)](Result<store::Number> done) {
        if (!done) known.advertised = before; // the token is refused for the same reason, and asked for again
    });
    TRY_VOID(show_addresses());
    return addresses;
}

Result<void> Doors::show_credentials() {
    TRY_VOID(show_addresses());
    TRY_VOID(tls_->replace_authorities(anchors()));
    return write_way_in();
}

Result<void> Doors::write_way_in() {
    const auto& authority = options_.membership.authority();
    if (!authority) return {};
    std::string url = "https://127.0.0.1:" + std::to_string(server_->port());
    auto old = env::read_whole(options_.world.files, options_.kubeconfig, 1 << 20);
    if (old && kubeconfig_works(*old, url, [this](const http::Chain& chain) { return options_.judge(chain).has_value(); }))
        return {};
    auto user = TRY(options_.membership.user_credentials("admin", {std::string(trust::administrators)}));
    // The whole chain, so that a site's stays good when the root's key changes: its own authority's stays.
    return env::write_whole(options_.world.files, options_.kubeconfig,
                            write_kubeconfig(options_.name, url, authority->chain_pem(), user));
}

} // namespace skerry::main
