#pragma once

#include "sim/world/computer.h"
#include "store/store.h"

#include <map>
#include <string>
#include <utility>

namespace skerry::sim {

class Fleet;

/// What every instance on every computer went through, and why: the ground under restart-only-for-cause and no-restart-on-heal
/// (rule A6).
class Ledger {
public:
    explicit Ledger(Fleet& fleet) : fleet_(fleet) {}

    /// The node is about to end what runs: it must have a cause.
    void ending(Computer&, const drivers::InstanceName&);
    /// Compares what runs with what is known to run.
    void audit(Computer&);
    /// Weather ended it, or the computer lost power.
    void ended_by_weather(Cell, const drivers::InstanceName&);
    void lost_power(Cell);
    void failed_health(Cell, const drivers::InstanceName&);
    void healed(Cell site) { healed_[site] = now(); }

    std::uint64_t causes() const { return causes_; }
    /// What nodes have ended, by computer.
    const std::map<Cell, std::uint64_t>& endings() const { return endings_; }
    /// The computer learnt that a revision is revoked.
    void revoked(Cell, const store::Key& revision);

private:
    struct Life {
        std::int64_t pid = 0;
        bool ended = false;
        unsigned failed_checks = 0;
    };
    Duration now() const;
    std::string cause(Computer&, const drivers::InstanceName&, const Life&) const;
    void started(Computer&, const drivers::InstanceName&);
    void restart_without_cause(Computer&, const std::string& message);

    Fleet& fleet_;
    std::map<std::pair<Cell, drivers::InstanceName>, Life> lives_;
    std::map<Cell, Duration> healed_;
    std::map<std::pair<Cell, std::string>, Duration> revoked_; ///< by name of the revision: since when the computer knows
    std::uint64_t causes_ = 0;
    std::map<Cell, std::uint64_t> endings_;
};

/// What the instance object says its effective hash should be, as this store knows; empty where it cannot be told.
std::string wanted_hash(const store::Store&, const store::Object& instance);
/// The Instance object with the uid that drivers call it by; null: none.
store::ObjectPtr instance_of(const store::Store&, const drivers::InstanceName&);

} // namespace skerry::sim
