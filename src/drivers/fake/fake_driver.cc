#include "drivers/fake/fake.h"

#include <utility>

namespace skerry::drivers::fake {

// A handle is the name, so that one from before a reboot still says whom it meant.

FakeDriver::~FakeDriver() {
    std::lock_guard lock(machine_.mutex_);
    if (machine_.driver_ == this) machine_.watcher_ = nullptr;
}

Result<void> FakeDriver::probe() { return probe_answer; }

void FakeDriver::watch(std::function<void(InstanceName)> changed) {
    std::lock_guard lock(machine_.mutex_);
    machine_.driver_ = this;
    machine_.watcher_ = std::move(changed);
}

namespace {

Look look_of(const FakeMachine::Process& process) {
    Look look;
    look.phase = process.phase;
    look.pid = process.pid;
    look.exit_code = process.exit_code;
    look.out_of_memory = process.out_of_memory;
    return look;
}

std::unexpected<Error> bad_luck(std::string_view verb) {
    return fail(Code::unavailable, std::string(verb) + ": the machine had bad luck");
}

} // namespace

Result<std::vector<Found>> FakeDriver::adopt(std::span<const Handle> remembered) {
    std::lock_guard lock(machine_.mutex_);
    std::vector<Found> found;
    for (const auto& [name, process] : machine_.processes_) found.push_back({name, name, look_of(process)});
    for (const Handle& handle : remembered)
        if (!machine_.processes_.contains(handle)) found.push_back({handle, handle, Look{.phase = Phase::lost}});
    return found;
}

Result<Handle> FakeDriver::start(const InstanceSpec& spec) {
    std::lock_guard lock(machine_.mutex_);
    auto luck = machine_.draw();
    if (luck == FakeMachine::Luck::fail) return bad_luck("start");
    auto there = machine_.processes_.find(spec.name);
    if (there != machine_.processes_.end() && there->second.phase == Phase::running) return Handle(spec.name);
    auto broken = machine_.broken_.find(spec.image);
    if (broken != machine_.broken_.end()) return std::unexpected(broken->second);
    FakeMachine::Process process;
    process.spec = spec;
    process.pid = machine_.next_pid_++;
    machine_.processes_[spec.name] = std::move(process);
    ++machine_.starts_;
    auto& count = machine_.counts_[spec.name];
    ++count.starts;
    count.image = spec.image;
    if (luck == FakeMachine::Luck::half) {
        // On an error nothing is left running: the interface says so.
        machine_.processes_.erase(spec.name);
        return bad_luck("start");
    }
    return Handle(spec.name);
}

Result<Look> FakeDriver::look(const Handle& handle) {
    std::lock_guard lock(machine_.mutex_);
    const auto& behaviour = machine_.behaviour;
    if (behaviour.chance && behaviour.chance() < behaviour.forget) return fail(Code::unavailable, "look: forgotten for a moment");
    auto found = machine_.processes_.find(handle);
    return found == machine_.processes_.end() ? Look{} : look_of(found->second);
}

Result<void> FakeDriver::suspend(const Handle& handle) {
    std::lock_guard lock(machine_.mutex_);
    auto found = machine_.processes_.find(handle);
    if (found == machine_.processes_.end()) return fail(Code::not_found, "suspend: no instance " + handle);
    if (found->second.phase == Phase::running) found->second.phase = Phase::suspended;
    return {};
}

Result<void> FakeDriver::resume(const Handle& handle) {
    std::lock_guard lock(machine_.mutex_);
    auto found = machine_.processes_.find(handle);
    if (found == machine_.processes_.end()) return fail(Code::not_found, "resume: no instance " + handle);
    if (found->second.phase == Phase::suspended) found->second.phase = Phase::running;
    return {};
}

Result<void> FakeDriver::ask_to_stop(const Handle& handle) {
    return machine_.behaviour.deaf ? Result<void>{} : stop(handle, Duration(0));
}

Result<void> FakeDriver::stop(const Handle& handle, Duration) {
    std::lock_guard lock(machine_.mutex_);
    auto luck = machine_.draw();
    if (luck == FakeMachine::Luck::fail) return bad_luck("stop");
    auto found = machine_.processes_.find(handle);
    if (found != machine_.processes_.end() && found->second.phase != Phase::exited) {
        found->second.phase = Phase::exited;
        found->second.exit_code = 143;
        found->second.pid = 0;
        ++machine_.counts_[handle].stops;
    }
    if (luck == FakeMachine::Luck::half) return bad_luck("stop");
    return {};
}

Result<void> FakeDriver::remove(const Handle& handle) {
    std::lock_guard lock(machine_.mutex_);
    auto luck = machine_.draw();
    if (luck == FakeMachine::Luck::fail) return bad_luck("remove");
    if (machine_.processes_.erase(handle) > 0) ++machine_.counts_[handle].removes;
    if (luck == FakeMachine::Luck::half) return bad_luck("remove");
    return {};
}

Result<ExecOutcome> FakeDriver::exec(const Handle& handle, std::span<const std::string> command, Duration) {
    {
        std::lock_guard lock(machine_.mutex_);
        auto found = machine_.processes_.find(handle);
        if (found == machine_.processes_.end() || found->second.phase != Phase::running)
            return fail(Code::not_found, "exec: instance " + handle + " does not run");
    }
    return exec_answer ? exec_answer(handle, command) : ExecOutcome{};
}

} // namespace skerry::drivers::fake
