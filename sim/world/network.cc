#include "sim/world/network.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace skerry::sim {

/// Side 0 is the child's, side 1 the parent's; direction 0 goes up.
struct Network::Connection {
    struct Message {
        std::string bytes;
        bool last = false; ///< the sender closed behind it
        Duration arrives{};
    };
    struct Half {
        env::Wire::Listener* listener = nullptr;
        bool gone = false; ///< closed here, or the process died
        std::deque<std::string> early;
        std::optional<std::string> closing; ///< why, as a stopped process will learn
        env::Wire::Traffic traffic;
        // What this side sends.
        std::deque<Message> flying, stuck;
        std::deque<std::pair<Duration, std::size_t>> leaving; ///< departure and size
        std::size_t leaving_bytes = 0, stuck_bytes = 0;
        Duration last_arrival{};
        std::optional<Duration> unacknowledged;
        std::uint64_t stall = 0;
        bool above = false;
    };
    Cell child = 0;
    bool forgotten = false; ///< on the way
    Half half[2];
};

class Network::End final : public env::Wire {
public:
    End(Network& network, std::shared_ptr<Connection> connection, int side, env::Peer peer, env::Channel channel)
        : network_(network), connection_(std::move(connection)), side_(side), peer_(std::move(peer)), channel_(channel) {}
    ~End() override {
        auto& half = connection_->half[side_];
        half.listener = nullptr;
        if (half.gone) return;
        network_.send(connection_, side_, {}, true);
        half.gone = true;
    }
    const env::Peer& peer() const override { return peer_; }
    env::Channel channel() const override { return channel_; }
    void listen(Listener& listener) override {
        auto connection = connection_;
        auto& half = connection->half[side_];
        half.listener = &listener;
        while (!half.early.empty() && half.listener) {
            auto message = std::move(half.early.front());
            half.early.pop_front();
            half.listener->arrived(std::move(message));
        }
    }
    void send(std::string message) override { network_.send(connection_, side_, std::move(message), false); }
    std::size_t unsent() const override {
        if (network_.hides_backlog) return 0;
        auto& half = connection_->half[side_];
        while (!half.leaving.empty() && half.leaving.front().first <= network_.agenda_.now()) {
            half.leaving_bytes -= half.leaving.front().second;
            half.leaving.pop_front();
        }
        return half.leaving_bytes + half.stuck_bytes;
    }
    Traffic traffic() const override { return connection_->half[side_].traffic; }

private:
    Network& network_;
    std::shared_ptr<Connection> connection_;
    int side_;
    env::Peer peer_;
    env::Channel channel_;
};

Network::~Network() = default;

void Network::add(Cell cell, Host host) {
    if (hosts_.size() <= cell) hosts_.resize(cell + 1), paths_.resize(cell + 1);
    hosts_[cell] = std::move(host);
}

void Network::join(Cell child, Cell parent, PathOptions options) {
    paths_.at(child).parent = parent;
    paths_.at(child).options = options;
}

bool Network::carries(Cell child) const {
    const Path& path = paths_.at(child);
    return !path.cut[0] && !path.cut[1] && hosts_[child].powered() && hosts_[path.parent].powered();
}

bool Network::blocked(const Connection& connection, int side) const {
    const Path& path = paths_[connection.child];
    Cell to = side == 0 ? path.parent : connection.child;
    return path.cut[side] || connection.forgotten || !hosts_[to].powered();
}

std::vector<std::shared_ptr<Network::Connection>> Network::connections(Path& path) {
    std::vector<std::shared_ptr<Connection>> list;
    std::erase_if(path.connections, [&](const auto& weak) {
        auto connection = weak.lock();
        if (connection) list.push_back(std::move(connection));
        return weak.expired();
    });
    return list;
}

void Network::send(const std::shared_ptr<Connection>& connection, int side, std::string message, bool last) {
    auto& half = connection->half[side];
    if (half.gone) return;
    Path& path = paths_[connection->child];
    std::size_t size = message.size() + 29; // frame header and TLS record
    half.traffic.sent += size;
    if (watched && !last) watched(connection->child, side, true, message);
    bytes_ += size;
    if (loses_above > 0 && side == 0 && connection->child == loses_of && message.size() > loses_above) return;
    const PathOptions& options = path.options;
    std::size_t copies = options.duplicate > 0 && chance_.fraction() < options.duplicate ? 2 : 1;
    Duration departs = std::max(agenda_.now(), path.free_at[side]);
    if (options.bytes_per_second > 0)
        departs += Duration(static_cast<std::int64_t>(size * copies) * 1'000'000'000 / options.bytes_per_second);
    if (options.trace) departs = options.trace->leaves(departs + options.trace_from, side, size * copies) - options.trace_from;
    if (departs > agenda_.now()) {
        path.free_at[side] = departs;
        half.leaving.emplace_back(departs, size);
        half.leaving_bytes += size;
        deepest_ = std::max(deepest_, half.leaving_bytes + half.stuck_bytes);
        if (!half.above && half.leaving_bytes > env::Wire::high_mark) {
            half.above = true;
            agenda_.at(departs, What::wire, side == 0 ? connection->child : path.parent, Agenda::Bound::life, [connection, side] {
                auto& now = connection->half[side];
                now.above = false;
                if (now.listener && !now.gone) now.listener->drained();
            });
        }
    }
    Duration arrives = departs + options.delay + chance_.up_to(options.jitter);
    double loss = options.loss;
    if (options.trace) {
        arrives += options.trace->delay(departs + options.trace_from);
        loss = std::max(loss, options.trace->loss(departs + options.trace_from));
    }
    for (int tries = 0; tries < 8 && loss > 0 && chance_.fraction() < loss; ++tries) arrives += 200ms * (1 << tries);
    if (options.reorder > 0 && chance_.fraction() < options.reorder) arrives += options.delay + chance_.up_to(options.delay);
    arrives = std::max(arrives, half.last_arrival + 1ns);
    half.last_arrival = arrives;
    half.flying.push_back({std::move(message), last, arrives});
    if (arrives - agenda_.now() > options.patience) stall(connection, side, false);
    Cell to = side == 0 ? path.parent : connection->child;
    agenda_.at(
        arrives, What::message, to, Agenda::Bound::free, [this, connection, side] { arrive(connection, side); }, size);
}

void Network::arrive(const std::shared_ptr<Connection>& connection, int side) {
    auto& half = connection->half[side];
    auto message = std::move(half.flying.front());
    half.flying.pop_front();
    Path& path = paths_[connection->child];
    if (!half.stuck.empty() || blocked(*connection, side)) {
        half.stuck_bytes += message.bytes.size();
        deepest_ = std::max(deepest_, half.leaving_bytes + half.stuck_bytes);
        half.stuck.push_back(std::move(message));
        stall(connection, side, true);
        return;
    }
    if (blocked(*connection, 1 - side)) {
        stall(connection, side, true); // it arrives, its acknowledgement does not
    } else if (half.unacknowledged) {
        half.unacknowledged.reset(); // progress; what follows may still be too slow
        if (!half.flying.empty() && half.flying.front().arrives - agenda_.now() > path.options.patience)
            stall(connection, side, false);
    }
    deliver(connection, side, std::move(message.bytes), message.last);
}

void Network::deliver(const std::shared_ptr<Connection>& connection, int side, std::string message, bool last) {
    auto& to = connection->half[1 - side];
    if (last) return close(connection, 1 - side, "the other side closed the connection");
    if (to.gone) {
        // The host answers that there is no such connection.
        if (!blocked(*connection, 1 - side)) close(connection, side, "the connection was reset");
        return;
    }
    to.traffic.received += message.size() + 29;
    if (watched) watched(connection->child, 1 - side, false, message);
    Cell host = side == 0 ? paths_[connection->child].parent : connection->child;
    if (to.listener && hosts_[host].attends())
        to.listener->arrived(std::move(message));
    else
        to.early.push_back(std::move(message));
}

void Network::stall(const std::shared_ptr<Connection>& connection, int side, bool met) {
    auto& half = connection->half[side];
    if (met && !connection->forgotten) paths_[connection->child].met = true;
    if (half.unacknowledged) return;
    half.unacknowledged = agenda_.now();
    std::uint64_t stall = ++half.stall;
    const Path& path = paths_[connection->child];
    Cell from = side == 0 ? connection->child : path.parent;
    agenda_.at(agenda_.now() + path.options.patience, What::wire, from, Agenda::Bound::free, [this, connection, side, stall] {
        auto& sender = connection->half[side];
        if (!sender.unacknowledged || sender.stall != stall) return;
        Path& path = paths_[connection->child];
        if (path.cut[0] || path.cut[1]) path.broke = true;
        close(connection, side, "nothing was acknowledged for " + text(path.options.patience));
    });
}

void Network::close(const std::shared_ptr<Connection>& connection, int side, const std::string& why) {
    auto& half = connection->half[side];
    half.stuck.clear();
    half.stuck_bytes = 0;
    half.unacknowledged.reset();
    if (half.gone) return;
    half.gone = true;
    Cell host = side == 0 ? connection->child : paths_[connection->child].parent;
    if (half.listener && !hosts_[host].attends())
        half.closing = why;
    else if (auto* listener = std::exchange(half.listener, nullptr))
        listener->closed(why);
    else
        half.early.clear();
}

void Network::flush(const std::shared_ptr<Connection>& connection, int side) {
    auto& half = connection->half[side];
    if (half.stuck.empty() || blocked(*connection, side)) return;
    acknowledged(connection, side);
    auto list = std::exchange(half.stuck, {});
    half.stuck_bytes = 0;
    for (auto& message : list) deliver(connection, side, std::move(message.bytes), message.last);
    Cell from = side == 0 ? connection->child : paths_[connection->child].parent;
    if (half.listener && !half.gone && hosts_[from].attends()) half.listener->drained();
}

void Network::acknowledged(const std::shared_ptr<Connection>& connection, int side) {
    if (!blocked(*connection, 1 - side)) connection->half[side].unacknowledged.reset();
}

void Network::flush_later(Path& path) {
    for (auto& connection : connections(path)) {
        for (int side : {0, 1}) {
            auto& half = connection->half[side];
            if (!half.unacknowledged || blocked(*connection, side)) continue;
            if (half.stuck.empty()) {
                acknowledged(connection, side);
                continue;
            }
            // Retransmissions back off to the length of the silence.
            Duration wait = chance_.up_to(std::min<Duration>(agenda_.now() - *half.unacknowledged + 1s, 15s));
            Cell to = side == 0 ? path.parent : connection->child;
            agenda_.at(agenda_.now() + wait, What::wire, to, Agenda::Bound::free,
                       [this, connection, side] { flush(connection, side); });
        }
    }
}

void Network::cut(Cell child, Way way) {
    Path& path = paths_.at(child);
    if (!path.cut[0] && !path.cut[1]) path.met = path.broke = false;
    path.cut[static_cast<int>(way)] = true;
}

void Network::heal(Cell child, Way way) {
    Path& path = paths_.at(child);
    if (!std::exchange(path.cut[static_cast<int>(way)], false)) return;
    if (!path.cut[0] && !path.cut[1]) {
        partitions_ += path.met;
        severed_ += path.broke;
    }
    flush_later(path);
}

void Network::clog(Cell child, Way way, Duration duration) {
    Duration& free_at = paths_.at(child).free_at[static_cast<int>(way)];
    free_at = std::max(free_at, agenda_.now()) + duration;
}

void Network::forget(Cell child) {
    for (auto& connection : connections(paths_.at(child))) connection->forgotten = true;
}

void Network::power_lost(Cell cell) {
    for (Cell child = 0; child < paths_.size(); ++child) {
        if (child != cell && paths_[child].parent != cell) continue;
        for (auto& connection : connections(paths_[child])) {
            auto& half = connection->half[child == cell ? 0 : 1];
            half.gone = true;
            half.listener = nullptr;
        }
    }
}

void Network::power_back(Cell cell) {
    for (Cell child = 0; child < paths_.size(); ++child)
        if (child == cell || paths_[child].parent == cell) flush_later(paths_[child]);
}

void Network::attends_again(Cell cell) {
    for (Cell child = 0; child < paths_.size(); ++child) {
        if (child != cell && paths_[child].parent != cell) continue;
        for (auto& connection : connections(paths_[child])) {
            auto& half = connection->half[child == cell ? 0 : 1];
            while (!half.early.empty() && half.listener) {
                auto message = std::move(half.early.front());
                half.early.pop_front();
                half.listener->arrived(std::move(message));
            }
            if (half.closing && half.listener)
                std::exchange(half.listener, nullptr)->closed(*half.closing);
            else if (half.listener)
                half.listener->drained();
        }
    }
}

std::unique_ptr<env::Timer> Network::dial(Cell child, env::Channel channel,
                                          std::function<void(Result<std::unique_ptr<env::Wire>>)> then) {
    struct Token final : env::Timer {
        std::shared_ptr<std::function<void(Result<std::unique_ptr<env::Wire>>)>> then;
        ~Token() override { *then = nullptr; }
    };
    auto token = std::make_unique<Token>();
    auto shared = token->then = std::make_shared<std::function<void(Result<std::unique_ptr<env::Wire>>)>>(std::move(then));
    auto answer = [shared](Result<std::unique_ptr<env::Wire>> result) {
        if (!*shared) return;
        auto call = std::exchange(*shared, nullptr);
        call(std::move(result));
    };
    Path& path = paths_.at(child);
    Duration began = agenda_.now();
    Duration handshake = 6 * path.options.delay + chance_.up_to(path.options.jitter) + 2ms;
    for (int side : {0, 1}) {
        // What waits there is before it, and a trace has to let its messages through.
        Duration free = std::max(began, path.free_at[side]);
        if (path.options.trace)
            free = path.options.trace->leaves(free + path.options.trace_from, side, 3'000) - path.options.trace_from;
        handshake += free - began;
    }
    agenda_.at(began + handshake, What::dial, child, Agenda::Bound::life, [this, child, channel, began, answer, shared] {
        if (!*shared) return;
        Path& path = paths_[child];
        if (!carries(child)) path.met = true;
        if (!carries(child) || agenda_.now() - began > path.options.dial_deadline || !hosts_[path.parent].attends())
            return agenda_.at(std::max(agenda_.now(), began + path.options.dial_deadline), What::dial, child, Agenda::Bound::life,
                              [answer] { answer(fail(Code::timeout, "no answer")); });
        env::Peer parent = hosts_[path.parent].peer();
        if (!parent.cell) return answer(fail(Code::unavailable, "connection refused"));
        auto connection = std::make_shared<Connection>();
        connection->child = child;
        path.connections.push_back(connection);
        // The child's end first: what the parent says at once waits in it.
        auto end = std::make_unique<End>(*this, connection, 0, parent, channel);
        hosts_[path.parent].accept(std::make_unique<End>(*this, connection, 1, hosts_[child].peer(), channel));
        answer(std::move(end));
    });
    return token;
}

} // namespace skerry::sim
