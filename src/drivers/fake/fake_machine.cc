#include "drivers/fake/fake.h"

#include <utility>

namespace skerry::drivers::fake {

void FakeMachine::reboot() {
    std::lock_guard lock(mutex_);
    processes_.clear();
    connections_.clear();
    addresses_.clear();
    leash_.reset();
}

std::optional<Leash::Hold> FakeMachine::leashed() const {
    std::lock_guard lock(mutex_);
    return leash_;
}

std::vector<InstanceName> FakeMachine::tug(Instant now) {
    auto hold = leashed();
    if (!hold || now < hold->until) return {};
    std::vector<InstanceName> ended;
    for (const InstanceName& name : hold->names)
        if (exit(name, 137)) ended.push_back(name);
    return ended;
}

Result<std::optional<Leash::Hold>> FakeLeash::recall() { return machine_.leashed(); }
Result<void> FakeLeash::hold(const Hold& hold) { return set(hold); }
Result<void> FakeLeash::release() { return set({}); }

void FakeLeash::let_go() {
    std::lock_guard lock(machine_.mutex_);
    machine_.leash_.reset();
}

Result<void> FakeLeash::set(std::optional<Hold> hold) {
    auto luck = FakeMachine::Luck::good;
    {
        std::lock_guard lock(machine_.mutex_);
        luck = machine_.draw();
        if (luck != FakeMachine::Luck::fail) machine_.leash_ = std::move(hold);
    }
    if (machine_.leash_changed) machine_.leash_changed();
    if (luck != FakeMachine::Luck::good) return fail(Code::unavailable, "leash: the machine had bad luck");
    return {};
}

bool FakeMachine::end(const InstanceName& name, int exit_code, bool out_of_memory) {
    std::function<void(InstanceName)> tell;
    {
        std::lock_guard lock(mutex_);
        auto found = processes_.find(name);
        if (found == processes_.end() || (found->second.phase != Phase::running && found->second.phase != Phase::suspended))
            return false;
        found->second.phase = Phase::exited;
        found->second.exit_code = exit_code;
        found->second.out_of_memory = out_of_memory;
        found->second.pid = 0;
        tell = watcher_;
    }
    if (tell) tell(name);
    return true;
}

bool FakeMachine::exit(const InstanceName& name, int exit_code) { return end(name, exit_code, false); }
bool FakeMachine::kill_out_of_memory(const InstanceName& name) { return end(name, 137, true); }

void FakeMachine::break_image(const std::string& digest, std::optional<Error> error) {
    std::lock_guard lock(mutex_);
    if (error)
        broken_[digest] = std::move(*error);
    else
        broken_.erase(digest);
}

void FakeMachine::occupy_port(std::uint16_t port, bool occupied) {
    std::lock_guard lock(mutex_);
    if (occupied)
        occupied_.insert(port);
    else
        occupied_.erase(port);
}

std::map<InstanceName, FakeMachine::Process> FakeMachine::processes() const {
    std::lock_guard lock(mutex_);
    return processes_;
}

std::vector<InstanceName> FakeMachine::running() const {
    std::lock_guard lock(mutex_);
    std::vector<InstanceName> names;
    for (const auto& [name, process] : processes_)
        if (process.phase == Phase::running) names.push_back(name);
    return names;
}

FakeMachine::Count FakeMachine::count(const InstanceName& name) const {
    std::lock_guard lock(mutex_);
    auto found = counts_.find(name);
    return found == counts_.end() ? Count{} : found->second;
}

std::map<InstanceName, FakeMachine::Count> FakeMachine::counts() const {
    std::lock_guard lock(mutex_);
    return counts_;
}

std::map<InstanceName, network::Wish> FakeMachine::connections() const {
    std::lock_guard lock(mutex_);
    return connections_;
}

std::uint64_t FakeMachine::starts() const {
    std::lock_guard lock(mutex_);
    return starts_;
}

FakeMachine::Luck FakeMachine::draw() {
    if (!behaviour.chance) {
        if (behaviour.spend) behaviour.spend(behaviour.usual);
        return Luck::good;
    }
    bool stalls = behaviour.chance() < behaviour.stall;
    if (behaviour.spend) behaviour.spend(stalls ? behaviour.stalled : behaviour.usual);
    double drawn = behaviour.chance();
    if (drawn < behaviour.fail) return Luck::fail;
    return drawn < behaviour.fail + behaviour.half ? Luck::half : Luck::good;
}

} // namespace skerry::drivers::fake
