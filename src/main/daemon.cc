#include "main/daemon.h"

#include "api/api.h"
#include "api/blobs.h"
#include "api/status.h"
#include "base/log.h"
#include "cell/cell.h"
#include "fleet/fleet.h"
#include "http/client.h"
#include "http/server.h"
#include "link/acceptor.h"
#include "link/dialer.h"
#include "main/ballast.h"
#include "main/claim.h"
#include "main/image_bytes.h"
#include "main/join_desk.h"
#include "main/kubeconfig.h"
#include "main/log_route.h"
#include "main/machine.h"
#include "main/membership.h"
#include "main/memory.h"
#include "main/own_node.h"
#include "main/prober.h"
#include "main/session_dialer.h"
#include "main/tunnel.h"
#include "main/version.h"
#include "main/world.h"
#include "os/files.h"
#include "os/process.h"
#include "site/site.h"
#include "store/sqlite/sqlite_backend.h"
#include "store/store.h"
#include "trust/access_token.h"
#include "trust/certificate.h"
#include "trust/rights.h"
#include "trust/verify.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace skerry::main {

namespace {

using Role = DaemonOptions::Role;

std::string default_listen(Role role) {
    return role == Role::site ? "0.0.0.0:7444" : role == Role::node ? "127.0.0.1:7445" : "0.0.0.0:7443";
}

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

bool has_port(const std::string& address) {
    std::size_t colon = address.rfind(':');
    return colon != std::string::npos && address.find(']', colon) == std::string::npos && address.find(':') == colon;
}

/// One running cell, put together. Members are in the order in which they need each other.
class Daemon {
public:
    Daemon(const DaemonOptions& options, std::uint64_t open_files)
        : options_(options), open_files_(open_files), world_(options.folders.state), env_(world_.env(session_)),
          ballast_(world_.files, options.folders.ballast()) {}

    Result<void> begin();
    void run();
    /// Why it ended, where that was nobody's wish.
    const std::optional<Error>& failure() const { return failure_; }

private:
    Result<void> open_store();
    Result<void> become();
    Result<void> join(const trust::JoinToken&);
    Result<trust::JoinAnswer> ask_parent(const trust::JoinToken&, const trust::JoinRequest&);
    Result<void> open_doors();
    Result<void> build_cell();
    Result<void> serve();
    Result<void> write_way_in();
    Result<trust::Identity> identify(const http::Request&) const;
    Result<http::Verdict> judge(const http::Chain&) const;
    std::vector<std::string> reached_at() const;
    void commit_and_wait(store::Transaction);
    void announce();
    Result<env::Peer> child_of(const http::PeerIdentity&) const;
    std::string with_port(const std::string& host) const;
    /// Addresses that a token names are from then on this server's, also after a restart. Returns them with ports.
    Result<std::vector<std::string>> advertise(std::vector<std::string>);

    bool is_core() const { return known_.identity.role == trust::Role::core; }
    bool is_site() const { return known_.identity.role == trust::Role::site; }
    bool has_site() const { return options_.role == Role::up || is_site(); }
    bool has_node() const {
        return options_.role == Role::up || (is_site() && options_.with_node) || known_.identity.role == trust::Role::node;
    }
    std::string site_name() const { return known_.identity.site; }
    std::string node_name() const {
        return known_.identity.role == trust::Role::node ? known_.identity.name : has_node() ? site_name() : "";
    }

    DaemonOptions options_;
    std::uint64_t open_files_;
    World world_;
    SessionDialer session_;
    env::Env env_;
    std::unique_ptr<env::Loop::Token> signals_;
    std::optional<Claim> claim_;
    Ballast ballast_;
    std::optional<Error> failure_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<Membership> membership_;
    Membership::Known known_;
    std::shared_ptr<http::ServerTls> tls_;
    std::unique_ptr<http::Server> server_;
    std::unique_ptr<env::Dialer> dialer_;
    std::unique_ptr<Tunnel> tunnel_;
    std::unique_ptr<depot::Depot> depot_;
    std::unique_ptr<ImageBytes> images_;
    std::unique_ptr<RealProber> prober_;
    std::unique_ptr<OwnNode> own_node_;
    std::unique_ptr<cell::Cell> cell_;
    std::unique_ptr<LogRoute> logs_;
    std::unique_ptr<JoinDesk> desk_;
    std::unique_ptr<api::Blobs> blobs_;
    std::unique_ptr<api::Api> api_;
};

Result<void> Daemon::open_store() {
    TRY_VOID(os::mkdirs(options_.folders.state, 0700));
    TRY_VOID(os::mkdirs(options_.folders.run, 0700));
    bool runs_containers =
        options_.role == Role::up || options_.role == Role::node || (options_.role == Role::site && options_.with_node);
    claim_ = TRY(Claim::take(options_.folders, options_.prefix,
                             runs_containers ? Claim::Parts::folders_and_prefix : Claim::Parts::folders));
    if (auto settled = ballast_.settle(); !settled) log(Level::warning, "main", "{}", settled.error().message);
    auto backend = std::make_unique<store::SqliteBackend>(world_.files, options_.folders.store());
    auto failed = [this](const Error& error) {
        failure_ = error;
        // For the next start, which has to write a little before it can do anything.
        ballast_.release();
        world_.stopping = true;
        world_.loop.stop();
    };
    store_ = TRY(store::Store::open(env_, std::move(backend), {.failed = failed}));
    membership_ = std::make_unique<Membership>(env_, world_.files, *store_, options_.folders.keys());
    return {};
}

void Daemon::commit_and_wait(store::Transaction transaction) {
    bool done = false;
    store_->commit(std::move(transaction), [&](Result<store::Number>) {
        done = true;
        world_.wake();
    });
    world_.run_until(done);
}

std::vector<std::string> Daemon::reached_at() const {
    std::vector<std::string> addresses;
    std::vector<std::string> hosts = options_.advertise;
    if (hosts.empty()) hosts = machine_addresses();
    for (auto& host : known_.advertised) hosts.push_back(host);
    for (auto& host : hosts) {
        std::string address = with_port(host);
        if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(std::move(address));
    }
    if (addresses.empty()) addresses.push_back(with_port("127.0.0.1"));
    return addresses;
}

Result<void> Daemon::become() {
    auto known = TRY(membership_->load());
    bool wants_core = options_.role == Role::up || options_.role == Role::core;
    if (known) {
        trust::Role role = known->identity.role;
        bool fits = wants_core                    ? role == trust::Role::core
                    : options_.role == Role::site ? role == trust::Role::site
                                                  : role == trust::Role::node;
        if (!fits)
            return fail(Code::conflict, options_.folders.state + " belongs to " + known->identity.title() +
                                            "; start it as that, or give this one another --state");
        known_ = *known;
        if (options_.role == Role::up && !options_.name.empty() && known_.identity.name != options_.name)
            return fail(Code::conflict, options_.folders.state + " belongs to site " + known_.identity.name + ", not " +
                                            options_.name + "; start it with --name " + known_.identity.name +
                                            ", or give this one another --state");
        if (!options_.join) return {};
        auto token = TRY(trust::parse_join_token(*options_.join));
        if (token.name != known_.identity.name)
            return fail(Code::conflict, options_.folders.state + " has already joined as " + known_.identity.title() +
                                            "; this token is for " + token.name);
        return {};
    }
    if (wants_core) {
        if (options_.name.empty()) options_.name = options_.role == Role::up ? machine_label() : "core";
        known_ = TRY(membership_->ensure_core(options_.name, {}));
        store::Transaction notes;
        Membership::write_notes(notes, known_);
        commit_and_wait(std::move(notes));
        return {};
    }
    if (!options_.join)
        return fail(Code::invalid,
                    "--join: this machine has joined nothing yet; get a token from its parent (skerry token create " +
                        std::string(options_.role == Role::site ? "--site NAME" : "--node NAME") +
                        ") and give it with --join TOKEN");
    auto token = TRY(trust::parse_join_token(*options_.join) | during("--join"));
    bool for_site = token.kind == trust::JoinKind::site;
    if (for_site != (options_.role == Role::site))
        return fail(Code::invalid, std::string("--join: this token is for a ") +
                                       (for_site ? "site; run skerry site --join TOKEN" : "node; run skerry node --join TOKEN"));
    return join(token);
}

Result<trust::JoinAnswer> Daemon::ask_parent(const trust::JoinToken& token, const trust::JoinRequest& request) {
    Duration back_off = 500ms;
    for (std::size_t attempt = 0;; ++attempt) {
        const std::string& address = token.addresses[attempt % token.addresses.size()];
        auto client = TRY(http::Client::create(world_.loop.context(),
                                               {.base = "https://" + address, .tls = {.pin = token.authority_fingerprint}}));
        http::Request post{.method = "POST",
                           .path = "/join/v1",
                           .query = {},
                           .headers = {{"Content-Type", "application/json"}},
                           .body = write_json(request.json())};
        Result<http::Response> answer = fail(Code::cancelled, "interrupted");
        bool done = false;
        auto call = client->send(std::move(post), [&](Result<http::Response> response) {
            answer = std::move(response);
            done = true;
            world_.wake();
        });
        world_.run_until(done);
        if (world_.stopping) return fail(Code::cancelled, "interrupted");
        if (answer && answer->status < 500) {
            auto body = parse_json(answer->body);
            if (answer->status != 200)
                return fail(Code::forbidden,
                            address + " refuses: " +
                                (body ? std::string(body->text("message")) : "status " + std::to_string(answer->status)));
            return trust::JoinAnswer::from_json(TRY(std::move(body)));
        }
        std::string why = answer ? "status " + std::to_string(answer->status) : answer.error().message;
        std::fprintf(stderr, "skerry: %s; trying again in %s\n", why.c_str(), text(back_off).c_str());
        bool waited = false;
        auto timer = env_.timers.after(back_off, [&] {
            waited = true;
            world_.wake();
        });
        world_.run_until(waited);
        if (world_.stopping) return fail(Code::cancelled, "interrupted");
        back_off = std::min<Duration>(back_off * 2, 15s);
    }
}

Result<void> Daemon::join(const trust::JoinToken& token) {
    auto request = TRY(membership_->prepare_join(token));
    auto answer = TRY(ask_parent(token, request) | during("joining as " + token.name));
    store::Transaction notes;
    TRY_VOID(membership_->complete_join(token, request, answer, notes));
    commit_and_wait(std::move(notes));
    known_ = *TRY(membership_->load());
    std::printf("joined as %s\n", known_.identity.title().c_str());
    return {};
}

Result<http::Verdict> Daemon::judge(const http::Chain& chain) const {
    trust::Judgement judgement{.use = trust::Use::client, .at = {}, .mark = {}, .revoked = {}};
    auto identity = TRY(trust::verify_peer(chain, membership_->anchors(), judgement));
    // Machines whose clocks are wrong must get through (rule T1); people's certificates end when they end.
    if (identity.role == trust::Role::user) {
        judgement.at = world_.clock.wall();
        identity = TRY(trust::verify_peer(chain, membership_->anchors(), judgement));
    }
    return http::Verdict::of(std::move(identity));
}

Result<trust::Identity> Daemon::identify(const http::Request& request) const {
    if (request.peer)
        if (auto* identity = std::any_cast<trust::Identity>(&request.peer->identity)) return *identity;
    std::string_view header = request.headers.get("Authorization");
    if (header.starts_with("Bearer ")) {
        auto token = TRY(trust::AccessToken::parse(header.substr(7)));
        auto note = store_->note("access", token.id.text());
        if (!note) return fail(Code::unauthenticated, "this access token is not known here");
        return trust::check(TRY(trust::AccessRecord::from_json(TRY(parse_json(*note)))), token, world_.clock.wall());
    }
    return fail(Code::unauthenticated, "no client certificate and no bearer token came with the request; use the kubeconfig that "
                                       "`skerry up` or `skerry core` wrote");
}

Result<void> Daemon::open_doors() {
    auto credentials = TRY(membership_->server_credentials(reached_at()));
    std::string authorities;
    for (auto& anchor : membership_->anchors()) authorities += anchor;
    http::ServerTlsOptions tls{.credentials = credentials, .ca_pem = authorities};
    tls.verify = [this](const http::Chain& chain) -> Result<http::Verdict> { return judge(chain); };
    tls_ = TRY(http::ServerTls::create(std::move(tls)));
    http::ServerOptions serving{.listen = options_.listen, .tls = tls_};
    // Half of the descriptors stay for containers, files and links upwards.
    serving.max_connections = std::clamp<std::size_t>(open_files_ / 2, 64, serving.max_connections);
    serving.max_strangers = serving.max_connections / 8;
    server_ = TRY(http::Server::open(world_.loop.context(), std::move(serving)));
    // Port 0 is known only now.
    TRY_VOID(tls_->replace(TRY(membership_->server_credentials(reached_at()))));
    return {};
}

Result<void> Daemon::build_cell() {
    tunnel_ = std::make_unique<Tunnel>(world_.timers, world_.chance);
    auto credentials = [this] { return membership_->link_credentials().value_or(http::Credentials{}); };
    auto verify = [this](const http::Chain& chain) -> Result<env::Peer> {
        return trust::peer_of(TRY(trust::verify_parent(chain, membership_->pinned())));
    };
    dialer_ = link::make_dialer(world_.loop.context(), {.credentials = credentials, .verify = verify});
    session_.bind(*dialer_, [this] { tunnel_->parent_returned(); });

    depot_ = TRY(depot::Depot::open(world_.files, options_.folders.depot(), {.boot_id = world_.clock.boot_id()}));
    images_ = std::make_unique<ImageBytes>(env_, *store_, *depot_, *tunnel_, oci::host_platform(machine_architecture()));

    bool site_of_own = has_site();
    std::unique_ptr<cell::Slicer> down, up;
    if (is_core()) down = cell::slices_for_sites();
    if (is_core() && site_of_own) down = cell::slices_for_both(std::move(down), cell::slices_for_nodes());
    if (is_site()) down = cell::slices_for_nodes(), up = cell::slice_of_site(known_.identity.name);
    if (known_.identity.role == trust::Role::node) up = cell::slice_of_node(known_.identity.name);
    env::Peer self = TRY(trust::peer_of(known_.identity));
    cell_ = cell::Cell::make(env_, *store_,
                             {.self = self, .version = version, .parents = known_.parents, .with_default_project = is_core()},
                             std::move(down), std::move(up));

    if (is_core()) fleet::add_loops(*cell_, {.own_site = site_of_own ? site_name() : ""});
    if (site_of_own)
        site::add_loops(
            *cell_,
            {.name = site_name(), .own_node = has_node() ? node_name() : "", .version = version, .api = reached_at().front()});
    drivers::Logs* logs = nullptr;
    if (has_node()) {
        prober_ = std::make_unique<RealProber>(world_.loop.context(), world_.timers);
        own_node_ = TRY(OwnNode::make(
            {.world = world_, .folders = options_.folders, .prefix = claim_->prefix(), .name = node_name(), .depot = *depot_}));
        node::Options node = own_node_->options();
        node.images = images_.get();
        node.prober = prober_.get();
        node.version = version;
        node::add_loops(*cell_, std::move(node));
        logs = own_node_->logs();
    }
    logs_ = std::make_unique<LogRoute>(LogRoute::Options{.env = env_,
                                                         .tunnel = *tunnel_,
                                                         .site = known_.identity.role == trust::Role::node ? known_.identity.site
                                                                 : site_of_own                             ? site_name()
                                                                                                           : "",
                                                         .node = has_node() ? node_name() : "",
                                                         .logs = logs});
    return {};
}

Result<void> Daemon::serve() {
    auto identify = [this](const http::Request& request) { return this->identify(request); };
    api_ =
        std::make_unique<api::Api>(api::Options{.cell = *cell_, .version = version, .identify = identify, .logs = logs_.get()});
    blobs_ = std::make_unique<api::Blobs>(
        api::Blobs::Options{.env = env_, .depot = *depot_, .identify = identify, .arrived = [this](const depot::Digest& digest) {
                                images_->spare(digest);
                            }});
    if (membership_->authority())
        desk_ = std::make_unique<JoinDesk>(
            JoinDesk::Options{.cell = *cell_,
                              .store = *store_,
                              .membership = *membership_,
                              .site = has_site() ? site_name() : "",
                              .takes_sites = is_core(),
                              .takes_nodes = has_site(),
                              .addresses = [this] { return reached_at(); },
                              .advertise = [this](const std::vector<std::string>& addresses) { return advertise(addresses); },
                              .identify = identify});
    server_->on_head([](const http::Request& request) {
        if (api::Blobs::is_upload(request)) return http::Reception{.limit = std::uint64_t{64} << 30, .streamed = true};
        return http::Reception{};
    });
    server_->on_request([this](http::Request request, std::shared_ptr<http::Responder> responder) {
        if (api_->answer(request, responder) || blobs_->answer(request, responder) ||
            (desk_ && desk_->answer(request, responder)))
            return;
        responder->respond(api::refusal({Code::not_found, "there is nothing under " + request.path.substr(0, 200)}));
    });
    link::accept_links(*server_, {.peer = [this](const http::PeerIdentity& peer) -> Result<env::Peer> { return child_of(peer); },
                                  .arrived =
                                      [this](std::unique_ptr<env::Wire> wire) {
                                          if (wire->channel() == env::Channel::bulk)
                                              tunnel_->accept(std::move(wire));
                                          else
                                              cell_->accept(std::move(wire));
                                      }});
    return {};
}

Result<env::Peer> Daemon::child_of(const http::PeerIdentity& peer) const {
    auto* identity = std::any_cast<trust::Identity>(&peer.identity);
    if (!identity)
        return fail(Code::unauthenticated, "links need the certificate that a cell got when it joined; none came with this one");
    TRY_VOID(trust::may_link(*identity, known_.identity, has_site()));
    return trust::peer_of(*identity);
}

std::string Daemon::with_port(const std::string& host) const {
    return has_port(host) ? host : host + ":" + (server_ ? std::to_string(server_->port()) : port_of(options_.listen.front()));
}

Result<std::vector<std::string>> Daemon::advertise(std::vector<std::string> addresses) {
    constexpr std::size_t most = 64;
    for (auto& address : addresses) address = with_port(address);
    auto all = known_.advertised;
    for (auto& address : addresses)
        if (std::find(all.begin(), all.end(), address) == all.end()) all.push_back(address);
    if (all == known_.advertised) return addresses;
    if (all.size() > most)
        return fail(Code::exhausted, "advertise: this server answers for " + std::to_string(known_.advertised.size()) +
                                         " further addresses already (at most " + std::to_string(most) +
                                         "); give fewer, or a name for all");
    known_.advertised = std::move(all);
    store::Transaction notes;
    Membership::write_notes(notes, known_);
    // On its way to the disk before the token's record, and durable with it at the latest.
    store_->commit(std::move(notes), nullptr);
    TRY_VOID(tls_->replace(TRY(membership_->server_credentials(reached_at()))));
    return addresses;
}

/// An administrator's kubeconfig, written once and kept as long as it names this server.
Result<void> Daemon::write_way_in() {
    if (!membership_->authority()) return {};
    std::string server = "https://127.0.0.1:" + std::to_string(server_->port());
    auto old = env::read_whole(world_.files, options_.folders.kubeconfig(), 1 << 20);
    if (old && old->find(server + "\n") != std::string::npos) return {};
    auto chain = TRY(trust::split_chain(membership_->authority()->chain_pem()));
    auto user = TRY(membership_->user_credentials("admin", {std::string(trust::administrators)}));
    std::string name =
        is_core() ? (options_.role == Role::up ? "skerry" : "skerry-" + known_.identity.name) : "skerry-" + known_.identity.name;
    // The anchor that clients pin is the top of what the server shows.
    return env::write_whole(world_.files, options_.folders.kubeconfig(), write_kubeconfig(name, server, chain.back(), user));
}

void Daemon::announce() {
    std::printf("%s is up (version %s, state in %s)\n", known_.identity.title().c_str(), version, options_.folders.state.c_str());
    for (auto& address : server_->addresses()) std::printf("  API        https://%s\n", address.c_str());
    if (membership_->authority()) std::printf("  kubeconfig %s\n", options_.folders.kubeconfig().c_str());
    for (auto& parent : known_.parents) std::printf("  parent     %s\n", parent.c_str());
    if (options_.role == Role::up) std::printf("Try: skerry get nodes     Ctrl-C ends skerry; what it runs, runs on.\n");
    std::fflush(stdout);
}

Result<void> Daemon::begin() {
    if (options_.listen.empty()) options_.listen = {default_listen(options_.role)};
    // The first one ends the loop; by then the second one's default action is back, for whoever is impatient.
    signals_ = world_.loop.on_signal({SIGINT, SIGTERM}, [this](int) {
        world_.stopping = true;
        world_.loop.stop();
    });
    TRY_VOID(open_store());
    TRY_VOID(become());
    TRY_VOID(open_doors());
    TRY_VOID(build_cell());
    TRY_VOID(serve());
    TRY_VOID(write_way_in());
    if (options_.role == Role::up)
        fleet::ensure_site(
            *cell_,
            {.name = site_name(), .labels = options_.labels, .values = {}, .parents = {}, .jurisdiction = {}, .profile = {}},
            [](Result<store::Key>) {});
    cell_->start();
    if (!known_.parents.empty()) tunnel_->reach(*dialer_, known_.parents);
    announce();
    return {};
}

void Daemon::run() {
    auto rest = env_.timers.after(10s, give_back_memory);
    while (!world_.stopping) world_.loop.run();
    signals_.reset();
    if (failure_) return;
    if (has_node()) {
        std::printf("skerry ends; its containers run on, and the next start takes them back (skerry reset removes them)\n");
        std::fflush(stdout);
    }
    // What is soft goes to disk, so that the next start shows what this one knew.
    if (auto flushed = store_->flush(); !flushed) log(Level::warning, "main", "{}", flushed.error().message);
}

} // namespace

int run_daemon(const DaemonOptions& options) {
    // A closed standard stream must not become a database file's descriptor.
    for (int fd = 0; fd < 3; ++fd)
        if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return 1;
    std::signal(SIGPIPE, SIG_IGN);
    keep_memory_small();
    auto open_files = os::raise_open_files();
    if (!open_files) log(Level::warning, "main", "{}", open_files.error().message);
    Daemon daemon(options, open_files.value_or(1024));
    if (auto begun = daemon.begin(); !begun) {
        if (begun.error().code == Code::cancelled) return 130;
        std::fprintf(stderr, "skerry: %s\n", begun.error().message.c_str());
        return 1;
    }
    daemon.run();
    if (!daemon.failure()) return 0;
    std::fprintf(stderr, "skerry: %s\nskerry: what it runs, runs on; make room or repair the disk, then start skerry again\n",
                 daemon.failure()->message.c_str());
    return 1;
}

} // namespace skerry::main
