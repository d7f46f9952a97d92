#include "main/daemon.h"

#include "api/api.h"
#include "api/blobs.h"
#include "api/status.h"
#include "base/log.h"
#include "base/number.h"
#include "cell/cell.h"
#include "cell/links/seats.h"
#include "cell/slices/closure.h"
#include "cell/wall_clock.h"
#include "fleet/fleet.h"
#include "http/client.h"
#include "http/server.h"
#include "link/acceptor.h"
#include "link/dialer.h"
#include "main/desks/access_desk.h"
#include "main/desks/callers.h"
#include "main/desks/courier_desk.h"
#include "main/desks/join_desk.h"
#include "main/desks/trust_desk.h"
#include "main/doors.h"
#include "main/images/image_bytes.h"
#include "main/log_route.h"
#include "main/machine/ballast.h"
#include "main/machine/claim.h"
#include "main/machine/machine.h"
#include "main/machine/memory.h"
#include "main/membership/becoming.h"
#include "main/membership/membership.h"
#include "main/membership/register.h"
#include "main/membership/standing.h"
#include "main/own_node.h"
#include "main/prober.h"
#include "main/session_dialer.h"
#include "main/tunnel.h"
#include "main/version.h"
#include "main/world.h"
#include "site/neighbours.h"
#include "site/site.h"
#include "store/sqlite/sqlite_backend.h"
#include "store/store.h"
#include "trust/certificate.h"
#include "trust/keys/key.h"
#include "trust/succession.h"
#include "trust/verify.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace skerry::main {

namespace {

using Role = DaemonOptions::Role;

std::string default_listen(Role role) {
    return role == Role::site ? "0.0.0.0:7444" : role == Role::node ? "127.0.0.1:7445" : "0.0.0.0:7443";
}

/// One running cell, put together. Members are in the order in which they need each other.
class Daemon {
public:
    explicit Daemon(const DaemonOptions& options)
        : options_(options), world_(Folders::at(options.claim.state, {}).state), env_(world_.env(session_)) {
        log_clocks([&clock = world_.clock] { return log_stamp(clock.wall(), clock.now()); });
    }
    ~Daemon() {
        if (tunnel_) tunnel_->measure(nullptr);
        log_clocks(nullptr);
    }

    Result<void> begin();
    void run();
    /// Why it ended, where that was nobody's wish.
    const std::optional<Error>& failure() const { return failure_; }
    /// Nothing runs beside this thread any more, so that the members may go. False: a job does not end.
    bool rest() { return world_.workers.stop(patience); }

private:
    static constexpr Duration patience = 2s;

    Result<void> open_store();
    Result<void> open_doors();
    Result<void> build_cell();
    Result<void> serve();
    void start_standing();
    void announce();
    void keep_ballast();
    Result<env::Peer> child_of(const http::PeerIdentity&) const;
    void learn_key(const trust::Identity&, const http::Chain&) const;
    void close_tunnels();

    bool is_core() const { return known_.identity.role == trust::Role::core; }
    bool is_site() const { return known_.identity.role == trust::Role::site && !known_.region; }
    bool is_region() const { return known_.region; }
    bool has_sites() const { return is_core() || is_region(); }
    bool has_site() const { return options_.role == Role::up || is_site(); }
    bool has_node() const {
        return options_.role == Role::up || (is_site() && options_.with_node) || known_.identity.role == trust::Role::node;
    }
    std::string site_name() const { return known_.identity.site; }
    /// Another site of the fleet: to a site it is a neighbour, never a child, and is told nothing but that we live.
    bool is_neighbour(const env::Peer& peer) const { return neighbours_ && peer.role == env::Peer::Role::site; }
    std::string node_name() const {
        return known_.identity.role == trust::Role::node ? known_.identity.name : has_node() ? site_name() : "";
    }

    DaemonOptions options_;
    World world_;
    SessionDialer session_;
    env::Env env_;
    std::unique_ptr<env::Loop::Token> signals_;
    std::optional<Claim> claim_;
    std::unique_ptr<Ballast> ballast_;
    std::unique_ptr<env::Timer> ballast_timer_;
    std::optional<Error> failure_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<Membership> membership_;
    std::unique_ptr<Register> members_;
    Membership::Known known_;
    std::unique_ptr<Callers> callers_;
    std::unique_ptr<Doors> doors_;
    std::unique_ptr<env::Dialer> dialer_;
    std::unique_ptr<Tunnel> tunnel_;
    std::unique_ptr<depot::Depot> depot_;
    std::unique_ptr<ImageBytes> images_;
    std::unique_ptr<RealProber> prober_;
    std::unique_ptr<OwnNode> own_node_;
    std::unique_ptr<cell::Cell> cell_;
    std::unique_ptr<env::Dialer> neighbour_dialer_;
    std::unique_ptr<site::Neighbours> neighbours_;
    std::unique_ptr<LogRoute> logs_;
    std::unique_ptr<AccessDesk> access_desk_;
    std::unique_ptr<JoinDesk> desk_;
    std::unique_ptr<TrustDesk> trust_desk_;
    std::unique_ptr<Standing> standing_;
    std::unique_ptr<CourierDesk> courier_;
    std::unique_ptr<api::Blobs> blobs_;
    std::unique_ptr<api::Api> api_;
    std::unique_ptr<store::Watch> leaving_;
};

Result<void> Daemon::open_store() {
    bool runs_containers =
        options_.role == Role::up || options_.role == Role::node || (options_.role == Role::site && options_.with_node);
    claim_ = TRY(Claim::take(options_.claim, runs_containers ? Claim::Parts::folders_and_prefix : Claim::Parts::folders));
    ballast_ = std::make_unique<Ballast>(world_.files, claim_->folders().ballast());
    if (auto settled = ballast_->settle(); !settled) log(Level::warning, "main", "{}", settled.error().message);
    auto backend = std::make_unique<store::SqliteBackend>(world_.files, claim_->folders().store());
    // A disk that fails ends the process, not what runs; the next start reads what is there.
    auto failed = [this](const Error& error) {
        failure_ = error;
        world_.stopping = true;
        world_.loop.stop();
    };
    store_ = TRY(store::Store::open(env_, std::move(backend), {.scrub_step = 60s, .failed = failed}));
    cell::restore_mark(world_.clock, *store_);
    members_ = std::make_unique<Register>(*store_);
    if (auto seated = members_->seat_all(); !seated) log(Level::warning, "main", "seats of members: {}", seated.error().message);
    membership_ = std::make_unique<Membership>(env_, world_.files, *store_, claim_->folders().keys());
    return {};
}

Result<void> Daemon::open_doors() {
    callers_ = std::make_unique<Callers>(world_.clock, *store_, *membership_, *members_, known_.parents.empty());
    doors_ = TRY(Doors::open({.world = world_,
                              .store = *store_,
                              .membership = *membership_,
                              .known = known_,
                              .listen = options_.listen,
                              .advertise = options_.advertise,
                              .prefix = claim_->prefix(),
                              .kubeconfig = claim_->folders().kubeconfig(),
                              .name = options_.role == Role::up ? "skerry" : "skerry-" + known_.identity.name,
                              .judge = [this](const http::Chain& chain) { return callers_->judge(chain); },
                              .recall = [this](std::string_view note) { return callers_->recall(note); }}));
    return {};
}

Result<void> Daemon::build_cell() {
    tunnel_ = std::make_unique<Tunnel>(world_.timers, world_.chance);
    auto credentials = [this] { return membership_->link_credentials().value_or(http::Credentials{}); };
    auto verify = [this](const http::Chain& chain) -> Result<env::Peer> {
        return trust::peer_of(TRY(trust::verify_parent(chain, membership_->pinned(), world_.clock.trust().mark)));
    };
    dialer_ = link::make_dialer(world_.loop.context(), {.credentials = credentials, .verify = verify});
    session_.bind(
        *dialer_,
        [this] {
            tunnel_->parent_returned();
            if (standing_) standing_->link_began();
        },
        [this](const Error& error) {
            if (standing_) standing_->link_failed(error);
        });

    depot_ = TRY(depot::Depot::open(world_.files, claim_->folders().depot(), {.boot_id = world_.clock.boot_id()}));
    images_ = std::make_unique<ImageBytes>(env_, *store_, *depot_, *tunnel_, oci::host_platform(machine_architecture()));

    bool site_of_own = has_site();
    std::unique_ptr<cell::Slicer> down, up;
    if (is_core()) down = cell::slices_for_sites();
    if (is_core() && site_of_own) down = cell::slices_for_both(std::move(down), cell::slices_for_nodes());
    if (is_site()) down = cell::slices_for_nodes(), up = cell::slice_of_site(known_.identity.name, store_->cell());
    if (is_region()) down = cell::slices_for_sites(), up = cell::slice_of_region(known_.identity.name);
    if (known_.identity.role == trust::Role::node) up = cell::slice_of_node(known_.identity.name);
    env::Peer self = TRY(trust::peer_of(known_.identity));
    cell_ = cell::Cell::make(env_, *store_,
                             {.self = self,
                              .version = version,
                              .parents = known_.parents,
                              .restored = options_.restored,
                              .with_default_project = is_core()},
                             std::move(down), std::move(up));

    std::optional<fleet::SiteWish> own_site;
    if (options_.role == Role::up)
        own_site = {
            .name = site_name(), .labels = options_.labels, .values = {}, .parents = {}, .jurisdiction = {}, .profile = {}};
    if (own_site)
        if (auto other = fleet::difference(*store_, *own_site); !other.empty())
            log(Level::warning, "main",
                "--label: site {} exists, and {}; edit the Site itself (skerry get site {} -o yaml, then "
                "skerry apply)",
                site_name(), other, site_name());

    tunnel_->measure(&cell_->meters());
    cell_->meters().on_turn([this](const std::string&) { images_->look(); });
    images_->on_waiting([this] {
        cell_->wake("node"); // whose instances say so
        return cell_->meters().waiting(std::string(cell::parent_tag));
    });

    if (has_sites())
        fleet::add_loops(*cell_, {.own_site = site_of_own ? site_name() : "",
                                  .caution = {.share = options_.freeze_share, .per_minute = options_.replace_rate},
                                  .region = is_region() ? known_.identity.name : "",
                                  .version = version,
                                  .api = doors_->reached_at().front(),
                                  .makes_site = own_site});
    if (is_site()) {
        fleet::add_loops(*cell_, {.own_site = site_name(), .caution = {}, .only_own_site = true});
        // To neighbours a site shows what it shows its parent, and knows them by the authority of the fleet.
        auto site_only = [this](const http::Chain& chain) -> Result<env::Peer> {
            return trust::peer_of(TRY(trust::verify_peer(chain, membership_->anchors(),
                                                         {.use = trust::Use::server, .at = {}, .mark = {}, .revoked = {}})));
        };
        neighbour_dialer_ = link::make_dialer(world_.loop.context(), {.credentials = credentials, .verify = site_only});
        neighbours_ =
            std::make_unique<site::Neighbours>(env_, *store_, site_name(), *neighbour_dialer_, [this] { cell_->wake("site"); });
    }
    if (site_of_own)
        site::add_loops(*cell_, {.name = site_name(),
                                 .own_node = has_node() ? node_name() : "",
                                 .version = version,
                                 .api = doors_->reached_at().front(),
                                 .hears = [this] { return neighbours_ ? neighbours_->heard() : std::vector<std::string>(); }});
    drivers::Logs* logs = nullptr;
    if (has_node()) {
        prober_ = std::make_unique<RealProber>(world_.loop.context(), world_.timers);
        own_node_ = TRY(OwnNode::make(
            {.world = world_, .folders = claim_->folders(), .prefix = claim_->prefix(), .name = node_name(), .depot = *depot_}));
        node::Options node = own_node_->options();
        node.images = images_.get();
        node.prober = prober_.get();
        node.version = version;
        node::add_loops(*cell_, std::move(node));
        logs = own_node_->logs();
        images_->on_unpacked(
            {.keep = [&driver =
                          own_node_->containers()](const std::vector<std::string>& kept) { return driver.keep_images(kept); },
             .then = [&driver = own_node_->containers()] { return driver.remove_dropped_images(); },
             .prepare = [&driver = own_node_->containers()](const std::string& image) { return driver.prepare_image(image); }});
    }
    images_->on_report([this](std::optional<store::Key> image, cell::Tone tone, std::string_view reason, std::string message) {
        auto about = image.value_or(has_node() ? store::Key{model::Kind::node, "", node_name()}
                                               : store::Key{model::Kind::site, "", site_name()});
        if (auto object = store_->get(about)) cell_->events().record(*object, tone, reason, message);
    });
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
    auto identify = [this](const http::Request& request) { return callers_->identify(request); };
    api_ =
        std::make_unique<api::Api>(api::Options{.cell = *cell_, .version = version, .identify = identify, .logs = logs_.get()});
    blobs_ = std::make_unique<api::Blobs>(
        api::Blobs::Options{.env = env_, .depot = *depot_, .identify = identify, .arrived = [this](const depot::Digest& digest) {
                                images_->arrived(digest);
                            }});
    access_desk_ = std::make_unique<AccessDesk>(AccessDesk::Options{.store = *store_, .env = env_, .identify = identify});
    if (membership_->authority())
        desk_ = std::make_unique<JoinDesk>(JoinDesk::Options{
            .cell = *cell_,
            .store = *store_,
            .membership = *membership_,
            .members = *members_,
            .life = options_.certificate_life,
            .joined = [this](const trust::Identity& who) { trust_desk_->joined(who); },
            .site = has_site() ? site_name() : "",
            .takes_sites = has_sites(),
            .takes_nodes = has_site(),
            .addresses = [this] { return doors_->reached_at(); },
            .advertise = [this](const std::vector<std::string>& addresses) { return doors_->advertise(addresses); },
            .identify = identify});
    if (membership_->authority())
        trust_desk_ = std::make_unique<TrustDesk>(
            TrustDesk::Options{.cell = *cell_,
                               .store = *store_,
                               .membership = *membership_,
                               .members = *members_,
                               .clock = world_.clock,
                               .site = has_site() ? site_name() : "",
                               .life = options_.certificate_life,
                               .identify = identify,
                               .authority_changed = [this] { return doors_->show_credentials(); },
                               .dismiss =
                                   [this](env::Peer::Role role, const std::string& name, const std::string& why) {
                                       cell_->dismiss(role, name, why);
                                       tunnel_->dismiss(role, name);
                                   }});
    courier_ = std::make_unique<CourierDesk>(CourierDesk::Options{
        .cell = *cell_,
        .store = *store_,
        .depot = *depot_,
        .membership = *membership_,
        .members = *members_,
        .clock = world_.clock,
        .self = known_.identity,
        .version = version,
        .host = oci::host_platform(machine_architecture()),
        .identify = identify,
        .arrived = [this](const depot::Digest& digest) { images_->arrived(digest); },
        .followed =
            [this] {
                if (auto shown = doors_->show_credentials(); !shown)
                    log(Level::error, "main", "the parent's newer key is not shown: {}", shown.error().message);
            }});
    doors_->server().on_head([this](const http::Request& request) {
        bool known = callers_->identify(request).has_value();
        if (api::Blobs::is_upload(request) || CourierDesk::is_upload(request))
            return http::Reception{.limit = std::uint64_t{64} << 30, .streamed = true, .known = known};
        if (known) return http::Reception{.known = true};
        // Of somebody unknown only a join or a renewal is taken, which are small; more is answered without its body.
        auto length = parse_number<std::uint64_t>(request.headers.get("Content-Length"));
        if (length && *length > (64 << 10)) return http::Reception{.limit = ~std::uint64_t{0}, .streamed = true};
        return http::Reception{.limit = 64 << 10};
    });
    doors_->server().on_request([this](http::Request request, std::shared_ptr<http::Responder> responder) {
        if (api_->answer(request, responder) || blobs_->answer(request, responder) || access_desk_->answer(request, responder) ||
            courier_->answer(request, responder) || (desk_ && desk_->answer(request, responder)) ||
            (trust_desk_ && trust_desk_->answer(request, responder)))
            return;
        responder->respond(api::refusal({Code::not_found, "there is nothing under " + request.path.substr(0, 200)}));
    });
    link::accept_links(doors_->server(),
                       {.peer = [this](const http::PeerIdentity& peer) -> Result<env::Peer> { return child_of(peer); },
                        .arrived =
                            [this](std::unique_ptr<env::Wire> wire) {
                                if (is_neighbour(wire->peer())) {
                                    // Tunnels and bytes are for parents and children.
                                    if (wire->channel() == env::Channel::control) neighbours_->accept(std::move(wire));
                                } else if (wire->channel() == env::Channel::bulk) {
                                    tunnel_->accept(std::move(wire));
                                } else {
                                    cell_->accept(std::move(wire));
                                }
                            }});
    return {};
}

Result<env::Peer> Daemon::child_of(const http::PeerIdentity& peer) const {
    auto* shown = std::any_cast<trust::Shown>(&peer.identity);
    if (!shown)
        return fail(Code::unauthenticated, "links need the certificate that a cell got when it joined; none came with this one");
    TRY_VOID(callers_->check_end(*shown));
    auto child = TRY(trust::peer_of(shown->identity));
    if (is_neighbour(child)) return child;
    auto below = has_sites() && has_site() ? trust::Below::both
                 : has_sites()             ? trust::Below::sites
                 : has_site()              ? trust::Below::nodes
                                           : trust::Below::none;
    TRY_VOID(trust::may_link(shown->identity, known_.identity, below));
    // A region knows the root too, whose own sites are none of the region's.
    if (is_region() && !members_->member(shown->identity))
        return fail(Code::forbidden, shown->identity.title() + " has not joined here; dial the parent that was joined");
    TRY_VOID(cell::may_speak(*store_, child));
    if (trust_desk_) TRY_VOID(trust_desk_->may_link(shown->identity));
    learn_key(shown->identity, peer.chain);
    return child;
}

/// Records of members of before do not have their keys whole, which couriers are sealed to.
void Daemon::learn_key(const trust::Identity& identity, const http::Chain& chain) const {
    auto member = members_->member(identity);
    if (!member || !member->public_key.empty() || chain.empty()) return;
    auto key = trust::certified_key(chain.front());
    if (!key) return;
    member->public_key = std::move(*key);
    members_->put({}, identity, *member, nullptr);
}

/// Of Sites and Nodes that are deleted; the cell ends their links (rule H6).
void Daemon::close_tunnels() {
    leaving_ = store_->watch([this](const store::Change& change) {
        bool is_node = change.key.kind == model::Kind::node;
        if ((!is_node && change.key.kind != model::Kind::site) || !change.before || change.after) return;
        tunnel_->dismiss(is_node ? env::Peer::Role::node : env::Peer::Role::site, change.key.name);
    });
}

void Daemon::start_standing() {
    if (known_.parents.empty()) return;
    standing_ = std::make_unique<Standing>(Standing::Options{
        .context = world_.loop.context(),
        .env = env_,
        .clock = world_.clock,
        .store = *store_,
        .membership = *membership_,
        .parents = known_.parents,
        .changed =
            [this] {
                if (auto shown = doors_->show_credentials(); !shown)
                    log(Level::error, "main", "the renewed certificate is not shown: {}", shown.error().message);
            },
        .clock_confirmed =
            [this] {
                for (const char* loop : {"site", "node", "rollouts"}) cell_->wake(loop);
            },
        .revoked =
            [this](const std::vector<trust::NodeRevocation>& list, std::function<void(bool news)> done) {
                if (trust_desk_) trust_desk_->revoke_nodes(list, std::move(done));
            }});
    standing_->start();
}

void Daemon::keep_ballast() {
    ballast_timer_ = env_.timers.after(10s, [this] {
        world_.workers.run(
            "ballast",
            [ballast = ballast_.get()] {
                if (auto settled = ballast->settle(); !settled) log(Level::debug, "main", "{}", settled.error().message);
            },
            [this] { keep_ballast(); });
    });
}

void Daemon::announce() {
    std::printf("%s is up (version %s, state in %s)\n", known_.title().c_str(), version, claim_->folders().state.c_str());
    for (auto& address : doors_->server().addresses()) std::printf("  API        https://%s\n", address.c_str());
    if (membership_->authority()) std::printf("  kubeconfig %s\n", claim_->folders().kubeconfig().c_str());
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
    known_ = TRY(Becoming(options_, claim_->folders().state, world_, env_, *store_, *membership_).become());
    TRY_VOID(open_doors());
    TRY_VOID(build_cell());
    TRY_VOID(serve());
    if (auto written = doors_->write_way_in(); !written) {
        // A full disk is no reason not to run.
        if (written.error().code != Code::exhausted) return written;
        log(Level::warning, "main", "no new kubeconfig: {}", written.error().message);
    }
    cell_->start();
    if (neighbours_) neighbours_->start();
    close_tunnels();
    if (!known_.parents.empty()) tunnel_->reach(*dialer_, known_.parents);
    start_standing();
    keep_ballast();
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
    cell_->meters().settle();
    // What is soft goes to disk, so that the next start shows what this one knew.
    if (auto flushed = store_->flush(); !flushed) log(Level::warning, "main", "{}", flushed.error().message);
}

} // namespace

int run_daemon(const DaemonOptions& options) {
    // A closed standard stream must not become a database file's descriptor.
    for (int fd = 0; fd < 3; ++fd)
        if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) return 1;
    std::signal(SIGPIPE, SIG_IGN);
    // What an instance's user must be able to read says so itself, as what nobody else may read does.
    ::umask(022);
    keep_memory_small();
    Daemon daemon(options);
    int status = 0;
    if (auto begun = daemon.begin(); begun) {
        daemon.run();
        if (auto& failure = daemon.failure()) {
            std::fprintf(stderr, "skerry: %s\nskerry: what it runs, runs on; see to the disk, then start skerry again\n",
                         failure->message.c_str());
            status = 1;
        }
    } else if (begun.error().code == Code::cancelled) {
        status = 130;
    } else {
        std::fprintf(stderr, "skerry: %s\n", begun.error().message.c_str());
        status = 1;
    }
    if (daemon.rest()) return status;
    // The thread that goes on uses all of it; the kernel takes the thread, the memory and the state's lock in one.
    std::printf("a step on this machine is still under way; the next start looks where it got to\n");
    std::fflush(nullptr);
    std::_Exit(status);
}

} // namespace skerry::main
