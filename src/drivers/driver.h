#pragma once

#include "base/result.h"
#include "base/time.h"
#include "base/units.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What a node drives: runtimes (container, vm, metal), networks and volumes. This file is the runtimes' interface.
namespace skerry::drivers {

/// The name of an instance on this machine, unique for as long as it exists: its uid in hexadecimal.
using InstanceName = std::string;

struct Mount {
    std::string source; ///< path on the machine
    std::string target; ///< path in the instance
    bool read_only = false;
};

/// Where an instance's network ends: what the network driver prepared, opaque to everyone but the runtime that plugs into it.
struct Attachment {
    std::string netns;   ///< path of a network namespace (containers)
    std::string tap;     ///< name of a tap device (virtual machines)
    std::string address; ///< IPv4 with prefix length, "10.88.0.5/24"
    std::string gateway;
    std::vector<std::string> nameservers;
};

/// Everything a runtime needs to start one instance, with every reference resolved. A value: no driver keeps pointers into it.
struct InstanceSpec {
    InstanceName name;
    std::string title;                ///< for people: `retail/till.pos.store-17.x2k4p`
    std::string image;                ///< digest of the image's manifest, "sha256:…", present on this machine
    std::vector<std::string> command; ///< replaces the image's entry point and arguments where not empty
    std::vector<std::string> args;    ///< replaces the image's arguments where not empty
    std::map<std::string, std::string> environment;
    std::string working_dir; ///< empty: the image's
    std::string user;        ///< empty: the image's
    std::string hostname;
    MilliCpu cpu; ///< 0: no limit
    Bytes memory; ///< 0: no limit
    std::int64_t pids = 4096;
    std::vector<Mount> mounts;
    std::optional<Attachment> network;        ///< none: the machine's own network
    std::map<std::string, std::string> hosts; ///< further lines for /etc/hosts: name → address
    Duration stop_grace = 10s;
};

/// What a driver must remember to find an instance again; written by the node's store before anything depends on it. Opaque
/// bytes.
using Handle = std::string;

enum class Phase : std::uint8_t { created, running, suspended, exited, lost };
std::string_view name(Phase);

/// What a look at an instance finds.
struct Look {
    Phase phase = Phase::lost;
    std::int64_t pid = 0;
    std::optional<int> exit_code;
    bool out_of_memory = false;
    WallTime started;
    WallTime ended;
    /// Set when something needs a human's eye though the instance may run on ("its monitor died; output is no longer recorded").
    std::string remark;
};

struct Found {
    InstanceName name;
    Handle handle;
    Look look;
};

struct ExecOutcome {
    int exit_code = 0;
    std::string output; ///< first 4 KiB of standard output and error together
};

/// What a driver can do. The node does not start an instance whose component needs more, and says so in its status.
struct Abilities {
    bool suspend = false;
    bool exec = false;
    bool logs = false;
};

/// Runs instances of one kind on this machine.
///
/// An instance passes through `start`, any number of `look`s, `ask_to_stop`, `stop` and `remove`. Each call may be repeated: after a
/// crash the node cannot know whether the last one took effect. Calls for one instance never overlap; calls for different ones
/// may, from different threads. All calls block and are made on workers.
class Driver {
public:
    virtual ~Driver() = default;

    virtual std::string_view name() const = 0;
    virtual Abilities abilities() const = 0;

    /// Whether this machine can run this kind at all; the error says what is missing and how to get it. Called before
    /// `adopt`, and again until it succeeds.
    virtual Result<void> probe() = 0;

    /// Takes back what an earlier run left behind; returns everything of this kind that Skerry has on the machine, remembered or
    /// not, and restarts nothing. Remembered handles of which nothing is left (after a reboot) come back as `lost`. Called first.
    virtual Result<std::vector<Found>> adopt(std::span<const Handle> remembered) = 0;

    /// Brings the instance up, or reports the one already up under that name. On error nothing of it is left running.
    virtual Result<Handle> start(const InstanceSpec&) = 0;
    virtual Result<Look> look(const Handle&) = 0;

    /// Keeps memory, gives up the processor (cgroup freezer, QMP stop).
    virtual Result<void> suspend(const Handle&) = 0;
    virtual Result<void> resume(const Handle&) = 0;

    /// Asks politely (the image's stop signal, the VM's power button) and returns at once; what comes of it, a `look` sees. One
    /// that does not run is fine. Whoever gives it time calls `stop` without grace at the end of that.
    virtual Result<void> ask_to_stop(const Handle&) = 0;
    /// Asks politely where there is a `grace`, and kills after it. Returns when nothing of it runs.
    virtual Result<void> stop(const Handle&, Duration grace) = 0;
    /// Frees everything but logs and volumes. An instance that still runs is killed first.
    virtual Result<void> remove(const Handle&) = 0;

    /// Runs a command inside, up to `deadline`.
    virtual Result<ExecOutcome> exec(const Handle&, std::span<const std::string> command, Duration deadline) = 0;

    /// Calls `changed` from any thread when an instance may have changed phase, so that the node need not poll often. Set before
    /// `adopt`.
    virtual void watch(std::function<void(InstanceName)> changed) = 0;
};

} // namespace skerry::drivers
