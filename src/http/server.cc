#include "http/server.h"

#include "base/log.h"
#include "http/connection.h"

#include <boost/asio/ip/v6_only.hpp>

#include <poll.h>

namespace skerry::http {

namespace {

Result<asio::ip::tcp::endpoint> parse_address(const std::string& address) {
    auto wrong = [&] {
        return fail(Code::invalid, "listen address \"" + address + "\" is not ADDRESS:PORT (try 0.0.0.0:7443 or [::]:7443)");
    };
    auto colon = address.rfind(':');
    if (colon == std::string::npos || colon + 1 == address.size() || address.size() - colon > 6) return wrong();
    auto host = address.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    unsigned port = 0;
    for (char digit : address.substr(colon + 1)) {
        if (digit < '0' || digit > '9') return wrong();
        port = port * 10 + static_cast<unsigned>(digit - '0');
    }
    error_code code;
    auto ip = asio::ip::make_address(host, code);
    if (code || port > 65535) return wrong();
    return asio::ip::tcp::endpoint(ip, static_cast<std::uint16_t>(port));
}

using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type>;

constexpr std::chrono::milliseconds failure_rest(100), full_rest(10);

/// One listening socket.
struct Door : std::enable_shared_from_this<Door> {
    Door(std::shared_ptr<ServerCore> core, asio::io_context& context)
        : core(std::move(core)), acceptor(context.get_executor()), pause(context) {}

    Result<void> open(const std::string& address) {
        auto endpoint = TRY(parse_address(address));
        error_code code;
        auto failed = [&] {
            auto why = code == asio::error::address_in_use ? "the address is in use by another program" : code.message();
            return fail(code == asio::error::address_in_use ? Code::exists : Code::unavailable,
                        "listen on " + address + ": " + why);
        };
        if (acceptor.open(endpoint.protocol(), code)) return failed();
        acceptor.set_option(asio::socket_base::reuse_address(true), code);
        if (endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), code);
        if (acceptor.bind(endpoint, code) || acceptor.listen(4096, code)) return failed();
        acceptor.non_blocking(true, code);
        local = acceptor.local_endpoint(code);
        return {};
    }

    /// Room is made when somebody is there to have it.
    void accept() {
        acceptor.async_wait(Acceptor::wait_read, [self = shared_from_this()](error_code code) {
            if (!self->acceptor.is_open()) return;
            if (!code && !self->make_room()) return self->rest(full_rest);
            Socket socket(self->core->context.get_executor());
            if (!code) self->acceptor.accept(socket, code);
            if (code && code != asio::error::would_block) {
                // Out of descriptors, most likely: trying at once would only burn the processor.
                log(Level::warning, "http", "accept: {}", code.message());
                return self->rest(failure_rest);
            }
            if (!code) self->let_in(std::move(socket));
            self->accept();
        });
    }

    void let_in(Socket socket) {
        if (core->stopping || *core->places >= core->options.max_connections) return;
        if (core->options.tls && gave_up(socket)) return;
        auto connection = std::make_shared<Connection>(core, std::move(socket));
        core->connections.emplace(connection.get(), connection);
        connection->begin();
    }

    /// Its client has hung up before we came to it, as clients do that waited too long: to begin its handshake would be work for
    /// nobody, while others wait.
    static bool gave_up(Socket& socket) {
        pollfd look{.fd = socket.native_handle(), .events = POLLRDHUP, .revents = 0};
        return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
    }

    /// True: one more may come in. The oldest stranger that is not being served gives way to it, if it had time enough.
    bool make_room() {
        if (core->strangers.count() < core->options.max_strangers) return true;
        for (Connection* each : core->strangers)
            if (each->waits_for_client()) {
                if (each->age() < core->options.stranger_grace) return false;
                each->cut(Connection::Tell::no);
                return true;
            }
        return false;
    }

    void rest(std::chrono::milliseconds pause_for) {
        pause.expires_after(pause_for);
        pause.async_wait([self = shared_from_this()](error_code) {
            if (self->acceptor.is_open()) self->accept();
        });
    }

    void close() {
        error_code ignored;
        acceptor.close(ignored);
        pause.cancel();
    }

    std::shared_ptr<ServerCore> core;
    Acceptor acceptor;
    asio::ip::tcp::endpoint local;
    asio::steady_timer pause;
};

class OpenServer final : public Server {
public:
    OpenServer(asio::io_context& context, ServerOptions options)
        : core_(std::make_shared<ServerCore>(context)), grace_(std::make_shared<asio::steady_timer>(context)) {
        core_->options = std::move(options);
    }

    ~OpenServer() override {
        for (auto& door : doors_) door->close();
        grace_->cancel();
        core_->on_empty = nullptr;
        core_->on_request = nullptr;
        core_->on_head = nullptr;
        core_->upgrades.clear();
        cut_all(Connection::Tell::no);
    }

    Result<void> listen() {
        if (core_->options.listen.empty()) return fail(Code::invalid, "listen: no address given (try 0.0.0.0:7443)");
        for (const auto& address : core_->options.listen) {
            auto door = std::make_shared<Door>(core_, core_->context);
            TRY_VOID(door->open(address));
            doors_.push_back(door);
        }
        for (auto& door : doors_) door->accept();
        return {};
    }

    void on_request(std::function<void(Request, std::shared_ptr<Responder>)> call) override {
        core_->on_request = std::move(call);
    }
    void on_head(std::function<Reception(const Request&)> call) override { core_->on_head = std::move(call); }
    void on_upgrade(std::string path, std::function<void(Request, std::shared_ptr<Upgrade>)> call) override {
        core_->upgrades[std::move(path)] = std::move(call);
    }

    std::vector<std::string> addresses() const override {
        std::vector<std::string> all;
        for (const auto& door : doors_) all.push_back(text(door->local));
        return all;
    }
    std::uint16_t port() const override { return doors_.front()->local.port(); }
    std::size_t connections() const override { return *core_->places; }

    void shutdown(Duration grace, std::function<void()> done) override {
        for (auto& door : doors_) door->close();
        core_->stopping = true;
        core_->on_empty = [this, done = std::move(done)] {
            grace_->cancel();
            asio::post(core_->context, done);
        };
        auto all = core_->connections;
        for (auto& [key, connection] : all) connection->wind_down();
        if (core_->connections.empty() && core_->on_empty) return std::exchange(core_->on_empty, nullptr)();
        grace_->expires_after(std::chrono::duration_cast<asio::steady_timer::duration>(grace));
        grace_->async_wait([weak = std::weak_ptr(core_)](error_code code) {
            auto core = weak.lock();
            if (code || !core) return;
            auto rest = core->connections;
            for (auto& [key, connection] : rest) connection->cut(Connection::Tell::yes);
        });
    }

private:
    void cut_all(Connection::Tell tell) {
        auto all = core_->connections;
        for (auto& [key, connection] : all) connection->cut(tell);
    }

    std::shared_ptr<ServerCore> core_;
    std::vector<std::shared_ptr<Door>> doors_;
    std::shared_ptr<asio::steady_timer> grace_;
};

} // namespace

Result<std::unique_ptr<Server>> Server::open(asio::io_context& context, ServerOptions options) {
    ignore_broken_pipes();
    auto server = std::make_unique<OpenServer>(context, std::move(options));
    TRY_VOID(server->listen());
    return server;
}

} // namespace skerry::http
