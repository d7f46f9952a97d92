#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// The seam between what decides and the world. `env/real` is the world; `sim` is a world in virtual time. Everything here is
/// called on the one deciding thread of a cell, and every callback arrives on it, unless a line says otherwise.
namespace skerry::env {

/// How far a wall clock is to be believed (rule T1).
struct ClockTrust {
    enum class Level : std::uint8_t {
        wrong,     ///< before what is known to have passed, and nobody has told the time since
        own,       ///< the machine's own, held against nobody's
        confirmed, ///< the parent signed the time in this run
    } level = Level::own;
    /// What the machine's own clock was off by when the time was last confirmed; zero where the two agreed.
    Duration correction{};
    /// Known to have passed.
    WallTime mark;
};

class Clock {
public:
    virtual ~Clock() = default;
    /// Boot-time clock: leases, beats, back-off, and everything else that decides.
    virtual Instant now() const = 0;
    /// Wall clock: time stamps for people, validity of certificates. May be wrong by decades, and jump.
    virtual WallTime wall() const = 0;
    virtual ClockTrust trust() const { return {}; }
    /// Changes with every boot of the machine (/proc/sys/kernel/random/boot_id).
    virtual std::string boot_id() const = 0;
};

/// Cancels its timer when destroyed.
class Timer {
public:
    virtual ~Timer() = default;
};

class Timers {
public:
    virtual ~Timers() = default;
    [[nodiscard]] virtual std::unique_ptr<Timer> after(Duration, std::function<void()>) = 0;
    /// Runs soon, after the current decision, in the order of posting.
    virtual void post(std::function<void()>) = 0;
};

/// Threads for what blocks. `job` runs elsewhere and touches nothing of the cell; `then` runs on the deciding thread.
class Workers {
public:
    virtual ~Workers() = default;
    /// Jobs with the same non-empty lane run one after another, in order of submission; others run side by side.
    virtual void run(std::string lane, std::function<void()> job, std::function<void()> then) = 0;
};

/// Randomness; in the simulator drawn from the seed.
class Chance {
public:
    virtual ~Chance() = default;
    virtual std::uint64_t bits() = 0;

    Id id() { return Id{bits(), bits()}; }
    /// Uniform in [0, 1).
    double fraction() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
    Duration up_to(Duration limit) {
        return Duration(static_cast<Duration::rep>(fraction() * static_cast<double>(limit.count())));
    }
};

/// What a wire carries: `control` has the lanes of the slice protocol, `bulk` tunnels and bytes of images (rule L6).
enum class Channel : std::uint8_t { control, bulk };

/// Who is at the other end, as its certificate says.
struct Peer {
    enum class Role : std::uint8_t { core, site, node } role = Role::site;
    std::string name;
    CellId cell;
};

/// An ordered, authenticated connection that carries whole messages.
class Wire {
public:
    class Listener {
    public:
        virtual ~Listener() = default;
        virtual void arrived(std::string message) = 0;
        /// The wire is down; no call follows. `why` reads as a sentence.
        virtual void closed(std::string why) = 0;
        /// What was sent has left for the network: `unsent()` fell below the high mark.
        virtual void drained() {}
    };

    /// Closes silently; the listener is not told.
    virtual ~Wire() = default;
    virtual const Peer& peer() const = 0;
    virtual Channel channel() const = 0;
    /// Must be called before the wire delivers anything; messages wait for it.
    virtual void listen(Listener&) = 0;
    virtual void send(std::string message) = 0;
    /// Bytes accepted by send() that have not yet left this process. Senders hold back above `high_mark`.
    virtual std::size_t unsent() const = 0;
    static constexpr std::size_t high_mark = 256 << 10;
    /// Payload plus framing and encryption, both directions, since the wire opened.
    struct Traffic {
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
    };
    virtual Traffic traffic() const = 0;
    /// What is known of the way, from what was sent and acknowledged on this wire.
    struct Path {
        Duration round_trip{};                  ///< smoothed; zero: not known
        std::uint64_t sent = 0, sent_again = 0; ///< segments with bytes
    };
    virtual Path path() const { return {}; }
};

/// Opens wires to parents.
class Dialer {
public:
    virtual ~Dialer() = default;
    /// `address` is host:port. Gives up by itself after a deadline of its own. Dropping the returned token cancels.
    [[nodiscard]] virtual std::unique_ptr<Timer> dial(const std::string& address, Channel,
                                                      std::function<void(Result<std::unique_ptr<Wire>>)>) = 0;
};

/// All of the above, as one cell sees them.
struct Env {
    Clock& clock;
    Timers& timers;
    Workers& workers;
    Chance& chance;
    Dialer& dialer;
};

} // namespace skerry::env
