#pragma once

#include "drivers/driver.h"
#include "drivers/leash.h"
#include "drivers/network/network_driver.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace skerry::drivers::fake {

/// What calls on a fake machine may do besides their work. All drawn through `chance`, so a run repeats from its seed.
struct Behaviour {
    /// Uniform in [0, 1). Null: nothing of this happens.
    std::function<double()> chance;
    double fail = 0;   ///< of start, stop, remove, connect: an error without effect
    double half = 0;   ///< of the same: the effect, and an error all the same
    double stall = 0;  ///< takes `stalled` instead of `usual`
    double forget = 0; ///< of look: `unavailable`, once
    bool deaf = false; ///< who is asked to stop runs on until it is killed
    Duration usual = 20ms;
    Duration stalled = 90s;
    /// Told how long a call takes; the simulator's workers answer that much later. Null: no time passes.
    std::function<void(Duration)> spend;
};

/// A machine's processes, connections and listeners. Survives the cell that drives it (the cell crashed, its instances run on),
/// until `reboot`. Everything that happened to an instance is counted, so that checks can say "not restarted". Thread-safe.
class FakeMachine {
public:
    struct Process {
        InstanceSpec spec;
        Phase phase = Phase::running;
        std::int64_t pid = 0;
        std::optional<int> exit_code;
        bool out_of_memory = false;
    };
    /// Since the machine exists, also over reboots.
    struct Count {
        std::uint32_t starts = 0;
        std::uint32_t stops = 0;
        std::uint32_t removes = 0;
        std::string image; ///< of the last start
    };

    Behaviour behaviour;
    /// Wall clock for Look::started; null: zero.
    std::function<WallTime()> wall;

    /// Everything that ran is gone, connections too; counts stay.
    void reboot();
    /// The instance's process ends by itself; false if none runs.
    bool exit(const InstanceName&, int exit_code);
    bool kill_out_of_memory(const InstanceName&);
    /// Every start of this image fails with this error from now on; null takes it back.
    void break_image(const std::string& digest, std::optional<Error>);
    /// Someone else on the machine listens on this port.
    void occupy_port(std::uint16_t port, bool occupied = true);

    /// What the leash holds; gone with a reboot.
    std::optional<Leash::Hold> leashed() const;
    /// What the leash does by itself at this moment: ends what it holds, if its time has come. Those it ended.
    std::vector<InstanceName> tug(Instant now);
    /// Told after each change of what the leash holds; the simulator has its world call `tug` in time.
    std::function<void()> leash_changed;

    std::map<InstanceName, Process> processes() const;
    std::vector<InstanceName> running() const;
    Count count(const InstanceName&) const;
    std::map<InstanceName, Count> counts() const;
    std::map<InstanceName, network::Wish> connections() const;
    /// Of all instances together.
    std::uint64_t starts() const;

private:
    friend class FakeDriver;
    friend class FakeNetwork;
    friend class FakeLeash;
    enum class Luck : std::uint8_t { good, fail, half };
    Luck draw();
    bool end(const InstanceName&, int exit_code, bool out_of_memory);

    mutable std::mutex mutex_;
    std::map<InstanceName, Process> processes_;
    std::map<InstanceName, Count> counts_;
    std::map<InstanceName, network::Wish> connections_;
    std::map<InstanceName, std::uint8_t> addresses_;
    std::map<std::string, Error> broken_;
    std::set<std::uint16_t> occupied_;
    std::optional<Leash::Hold> leash_;
    std::int64_t next_pid_ = 1000;
    std::uint64_t starts_ = 0;
    const void* driver_ = nullptr; ///< whose watcher it is
    std::function<void(InstanceName)> watcher_;
};

/// A runtime without programs. Several may drive one machine one after another, as daemons come and go.
class FakeDriver final : public Driver {
public:
    explicit FakeDriver(FakeMachine& machine) : machine_(machine) {}
    ~FakeDriver() override;

    std::string_view name() const override { return "fake"; }
    Abilities abilities() const override { return able; }
    Abilities able{.suspend = true, .exec = true, .logs = false};
    Result<void> probe() override;
    Result<std::vector<Found>> adopt(std::span<const Handle> remembered) override;
    Result<Handle> start(const InstanceSpec&) override;
    Result<Look> look(const Handle&) override;
    Result<void> suspend(const Handle&) override;
    Result<void> resume(const Handle&) override;
    Result<void> ask_to_stop(const Handle&) override;
    Result<void> stop(const Handle&, Duration grace) override;
    Result<void> remove(const Handle&) override;
    Result<ExecOutcome> exec(const Handle&, std::span<const std::string> command, Duration deadline) override;
    void watch(std::function<void(InstanceName)> changed) override;

    /// What `exec` answers; null: exit code 0.
    std::function<Result<ExecOutcome>(const InstanceName&, std::span<const std::string>)> exec_answer;
    /// What `probe` answers.
    Result<void> probe_answer;

private:
    FakeMachine& machine_;
};

/// A leash that ends what it holds whenever the machine is tugged.
class FakeLeash final : public Leash {
public:
    explicit FakeLeash(FakeMachine& machine) : machine_(machine) {}

    Result<std::optional<Hold>> recall() override;
    Result<void> hold(const Hold&) override;
    Result<void> release() override;
    /// It ends by itself.
    void let_go();

private:
    Result<void> set(std::optional<Hold>);

    FakeMachine& machine_;
};

class FakeNetwork final : public network::NetworkDriver {
public:
    explicit FakeNetwork(FakeMachine& machine) : machine_(machine) {}

    Result<void> probe() override { return {}; }
    Result<std::vector<InstanceName>> adopt(std::span<const InstanceName> wanted) override;
    Result<Attachment> connect(const network::Wish&) override;
    Result<void> disconnect(const InstanceName&) override;
    Result<std::vector<std::string>> repair() override { return std::exchange(lost, {}); }
    Result<void> reset() override;

    std::vector<std::string> lost; ///< taken away by others; the next repair makes it anew

private:
    FakeMachine& machine_;
};

} // namespace skerry::drivers::fake
