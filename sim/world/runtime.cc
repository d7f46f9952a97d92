#include "sim/world/runtime.h"

namespace skerry::sim {

using drivers::Handle;
using drivers::Look;
using drivers::Phase;

bool WitnessedRuntime::runs(const drivers::InstanceName& name) const {
    auto processes = machine_.processes();
    auto found = processes.find(name);
    return found != processes.end() && found->second.phase == Phase::running;
}

Result<std::vector<drivers::Found>> WitnessedRuntime::adopt(std::span<const Handle> remembered) {
    if (faults_.restarts_on_adopt)
        for (const auto& [name, process] : machine_.processes()) {
            auto removed = inner_.remove(name);
            auto started = inner_.start(process.spec);
            if (!removed || !started) break;
        }
    auto found = inner_.adopt(remembered);
    witness_.touched();
    return found;
}

Result<Handle> WitnessedRuntime::start(const drivers::InstanceSpec& spec) {
    if (!images_.contains(spec.image)) return fail(Code::not_found, "image " + spec.image + " is not on this machine");
    auto handle = inner_.start(spec);
    witness_.touched();
    return handle;
}

Result<Look> WitnessedRuntime::look(const Handle& handle) {
    if (faults_.restarts_by_itself)
        for (const auto& [name, process] : machine_.processes()) {
            if (process.phase != Phase::exited) continue;
            auto removed = inner_.remove(name);
            auto started = inner_.start(process.spec);
            if (removed && started) witness_.touched();
        }
    if (faults_.says_lost && faults_.says_lost()) return Look{.phase = Phase::lost};
    auto look = inner_.look(handle);
    if (look && faults_.always_says_running) look->phase = Phase::running;
    return look;
}

Result<void> WitnessedRuntime::ask_to_stop(const Handle& handle) {
    if (runs(handle)) witness_.ending(handle);
    return inner_.ask_to_stop(handle);
}

Result<void> WitnessedRuntime::stop(const Handle& handle, Duration grace) {
    bool ran = runs(handle);
    if (ran) witness_.ending(handle);
    return inner_.stop(handle, grace);
}

Result<void> WitnessedRuntime::remove(const Handle& handle) {
    if (runs(handle)) witness_.ending(handle);
    return inner_.remove(handle);
}

} // namespace skerry::sim
