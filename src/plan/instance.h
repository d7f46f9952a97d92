#pragma once

#include "base/time.h"
#include "model/node_port.h"

#include <cstdint>
#include <optional>
#include <string>

/// One instance on its node: what is wanted, what is there, and the next step. The node takes it, looks again, asks again.
///
///              image        network + start                          exit, failed health
///     nothing ──────► ready ──────────────► running ────────────────────────────┐
///        ▲              ▲                      │ hash differs, unwanted,        ▼
///        │              │ back-off over        ▼ state stopped               exited
///        └──────────────┴───────────────── removed ◄──── stopped ◄──────────────┘
namespace skerry::plan {

/// 1 s, 2 s, 4 s … 60 s; starts afresh after ten minutes of running.
class BackOff {
public:
    static constexpr Duration first = 1s;
    static constexpr Duration most = 60s;
    static constexpr Duration forgiven = 600s;

    /// A run that began at `started` (none: it never ran) ended now; the next may begin at `until`.
    void failed(Instant now, std::optional<Instant> started);
    void reset() { count_ = 0, until_ = {}; }
    Instant until() const { return until_; }
    std::uint32_t count() const { return count_; }

private:
    std::uint32_t count_ = 0;
    Instant until_{};
};

struct WantedInstance {
    bool running = true; ///< state of spec; false: kept as an object, nothing runs
    std::string hash;    ///< of the component in the wanted revision (rule A6)
    /// Something it needs is not there (its Revision, a pin, a driver): the reason and the remedy.
    std::string obstacle;
    /// Policy atMostOnce: asked to stop from this moment on, so that it is gone when the lease ends (rule F1) …
    Instant stop_by = Instant::never();
    bool leashed = true; ///< … and not started before the leash has it (rule F3)
};

enum class Presence : std::uint8_t {
    nothing, ///< no trace on the machine
    created, ///< a trace that does not run and never did
    running,
    exited,
    lost, ///< was started once; nothing of it is left
};

struct FoundInstance {
    Presence presence = Presence::nothing;
    std::string hash;       ///< of the component that was started
    bool connected = false; ///< has a connection that must be taken down when it goes
    bool image_ready = false;
    bool image_asked = false;
    bool unhealthy = false;                    ///< failed its check as often as it may
    std::optional<model::NodePort> port_taken; ///< by another instance of this node, which is still there
};

enum class InstanceStep : std::uint8_t {
    nothing,    ///< all is as it should be
    fetch,      ///< ask for the image
    wait_image, ///< it is on its way
    wait_port,  ///< another instance holds a port it publishes
    wait_back_off,
    wait_obstacle,
    wait_lease, ///< policy atMostOnce, and no lease to start under
    start,      ///< connect, then start
    restart,    ///< stop, because it is unhealthy; counts as a restart
    update,     ///< stop, because what runs is out of date
    stop,       ///< stop, because it is not to run
    fence,      ///< stop, because its lease ends
    clean,      ///< remove what does not run, then disconnect
    forget,     ///< nothing is left and nobody wants it: drop all memory of it
};

/// `wanted` is none when no such instance is wanted here any more. An image is asked for before what runs is stopped for an
/// update, and while there is no lease.
InstanceStep next_step(const std::optional<WantedInstance>& wanted, const FoundInstance& found, const BackOff& back_off,
                       Instant now);

} // namespace skerry::plan
