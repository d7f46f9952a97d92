#pragma once

#include "env/seeded_chance.h"
#include "sim/agenda.h"
#include "sim/checks/trace.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace skerry::sim {

/// What a path between a child and its parent does to messages. Its options are what `Wire` promises not to be better than.
///
/// The path carries TCP, so a message that is lost, overtaken or duplicated shows only as what TCP makes of it: time. A lost one
/// is sent again after a timeout that doubles; one that was overtaken waits for what is missing; all behind it wait too (nobody
/// overtakes within a connection). A duplicate is dropped by the receiver and costs the bytes. What ordered delivery cannot hide
/// happens to whole connections: see `Network`.
struct PathOptions {
    Duration delay = 10ms;             ///< one way
    Duration jitter = 5ms;             ///< up to this more, in order all the same
    double loss = 0;                   ///< of a message: costs retransmissions
    double reorder = 0;                ///< of a message: a piece of it comes one or two delays late
    double duplicate = 0;              ///< of a message: sent twice
    std::int64_t bytes_per_second = 0; ///< 0: no limit
    /// As recorded on a real link: rate, and delay and loss where they were recorded, on top of the above. Null: none.
    std::shared_ptr<const Trace> trace;
    Duration trace_from{};   ///< at the beginning of the world the trace stands here; it starts over at its end
    Duration patience = 20s; ///< unacknowledged for this long: the sender's end closes (TCP_USER_TIMEOUT)
    Duration dial_deadline = 10s;
};

enum class Way : std::uint8_t { up, down };

/// Ordered connections between computers over paths that delay, lose, and are cut in one direction or both.
///
/// A cut swallows: nothing arrives, nobody is told. What was sent waits and is retransmitted after a heal, or its sender's end
/// closes after `patience`; the other end learns of that when it sends. A computer without power is a cut that never heals for
/// connections it had.
///
/// So connections come in twos: a child whose end closed dials again while its parent still holds the old one for good (half
/// open), and a queue on the way (a clog, a slow path) still delivers what the old one was given, after the new one is there.
class Network {
public:
    struct Host {
        std::function<bool()> powered;
        /// Who the process is that runs there now; cell zero: none runs.
        std::function<env::Peer()> peer;
        /// False while the process is stopped: its kernel takes what arrives, nobody reads it.
        std::function<bool()> attends;
        std::function<void(std::unique_ptr<env::Wire>)> accept;
    };

    Network(Agenda& agenda, std::uint64_t seed) : agenda_(agenda), chance_(seed) {}
    ~Network();

    void add(Cell, Host);
    void join(Cell child, Cell parent, PathOptions);
    PathOptions& options(Cell child) { return paths_.at(child).options; }

    void cut(Cell child, Way);
    void heal(Cell child, Way);
    /// A queue on the way stalls: what is sent from now on leaves it so much later, all connections of the path in one order.
    void clog(Cell child, Way, Duration);
    /// A translator of addresses on the way loses its state: the connections there are become deaf and dumb for ever, and nobody
    /// is told; new ones work.
    void forget(Cell child);
    bool is_cut(Cell child) const { return paths_.at(child).cut[0] || paths_.at(child).cut[1]; }
    /// Both directions, and both computers have power.
    bool carries(Cell child) const;
    Cell parent_of(Cell child) const { return paths_.at(child).parent; }
    void power_lost(Cell);
    void power_back(Cell);
    /// The process goes on, and finds what came meanwhile.
    void attends_again(Cell);

    [[nodiscard]] std::unique_ptr<env::Timer> dial(Cell child, env::Channel,
                                                   std::function<void(Result<std::unique_ptr<env::Wire>>)>);

    /// Most bytes that ever waited in one direction of one connection.
    std::size_t deepest() const { return deepest_; }
    std::uint64_t bytes() const { return bytes_; }
    /// Cuts that healed again, and that somebody met: something sent was not acknowledged, or a dial was not answered.
    std::uint64_t partitions() const { return partitions_; }
    /// Of those, the ones at which an end gave its connection up.
    std::uint64_t severed() const { return severed_; }

    /// Told of each message at the end that sends it and at the end that it arrives at: side 0 is the child's. Null: nobody asks.
    std::function<void(Cell child, int side, bool sent, const std::string& message)> watched;

    /// Planted bugs: ends that say nothing of what waits; a path that loses whole messages upwards above this size.
    bool hides_backlog = false;
    std::size_t loses_above = 0;
    Cell loses_of = 0;

private:
    struct Connection;
    class End;
    struct Path {
        Cell parent = 0;
        PathOptions options;
        bool cut[2] = {};
        bool met = false, broke = false; ///< by somebody since the cut began
        Duration free_at[2] = {};
        std::vector<std::weak_ptr<Connection>> connections;
    };

    void send(const std::shared_ptr<Connection>&, int side, std::string message, bool last);
    void arrive(const std::shared_ptr<Connection>&, int side);
    void deliver(const std::shared_ptr<Connection>&, int side, std::string message, bool last);
    /// Its sender's end closes when nothing is acknowledged for long enough; `met`: by a cut.
    void stall(const std::shared_ptr<Connection>&, int side, bool met);
    void acknowledged(const std::shared_ptr<Connection>&, int side);
    void flush(const std::shared_ptr<Connection>&, int side);
    void flush_later(Path&);
    void close(const std::shared_ptr<Connection>&, int side, const std::string& why);
    bool blocked(const Connection&, int side) const;
    std::vector<std::shared_ptr<Connection>> connections(Path&);

    Agenda& agenda_;
    env::SeededChance chance_;
    std::vector<Host> hosts_;
    std::vector<Path> paths_; ///< by child
    std::size_t deepest_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t partitions_ = 0, severed_ = 0;
};

} // namespace skerry::sim
