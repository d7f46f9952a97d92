#pragma once

#include "drivers/fake/fake.h"

#include <functional>
#include <set>
#include <string>

namespace skerry::sim {

/// What a driver did to what runs, told to the checks as it happens.
class RuntimeWitness {
public:
    virtual ~RuntimeWitness() = default;
    /// About to end a process that runs, at the node's wish.
    virtual void ending(const drivers::InstanceName&) = 0;
    /// Something may have started.
    virtual void touched() = 0;
};

/// Drivers of planted bugs.
struct RuntimeFaults {
    bool restarts_on_adopt = false;
    bool always_says_running = false;
    bool restarts_by_itself = false; ///< what has ended, at the next look
    std::function<bool()> says_lost; ///< one look lies when this is true
};

/// A fake machine's runtime under the eyes of the checks.
class WitnessedRuntime final : public drivers::Driver {
public:
    WitnessedRuntime(drivers::fake::FakeMachine& machine, const std::set<std::string>& images, RuntimeWitness& witness,
                     const RuntimeFaults& faults)
        : machine_(machine), images_(images), inner_(machine), witness_(witness), faults_(faults) {}

    std::string_view name() const override { return inner_.name(); }
    drivers::Abilities abilities() const override { return inner_.abilities(); }
    Result<void> probe() override { return inner_.probe(); }
    Result<std::vector<drivers::Found>> adopt(std::span<const drivers::Handle>) override;
    Result<drivers::Handle> start(const drivers::InstanceSpec&) override;
    Result<drivers::Look> look(const drivers::Handle&) override;
    Result<void> suspend(const drivers::Handle& handle) override { return inner_.suspend(handle); }
    Result<void> resume(const drivers::Handle& handle) override { return inner_.resume(handle); }
    Result<void> ask_to_stop(const drivers::Handle&) override;
    Result<void> stop(const drivers::Handle&, Duration grace) override;
    Result<void> remove(const drivers::Handle&) override;
    Result<drivers::ExecOutcome> exec(const drivers::Handle& handle, std::span<const std::string> command,
                                      Duration deadline) override {
        return inner_.exec(handle, command, deadline);
    }
    void watch(std::function<void(drivers::InstanceName)> changed) override { inner_.watch(std::move(changed)); }

private:
    bool runs(const drivers::InstanceName&) const;

    drivers::fake::FakeMachine& machine_;
    const std::set<std::string>& images_; ///< whose bytes are on the computer
    drivers::fake::FakeDriver inner_;
    RuntimeWitness& witness_;
    const RuntimeFaults& faults_;
};

} // namespace skerry::sim
