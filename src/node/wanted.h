#pragma once

#include "base/time.h"
#include "drivers/driver.h"
#include "drivers/network/network_driver.h"
#include "model/node_port.h"
#include "plan/instance.h"
#include "store/store.h"

#include <optional>
#include <string>
#include <vector>

namespace skerry::model {
class Component;
class Health;
class Instance;
class ClosedComponent;
} // namespace skerry::model

namespace skerry::node {

/// One wanted instance with everything it refers to, as the store has it now. Valid until the store changes.
struct Wanted {
    store::ObjectPtr object;
    store::ObjectPtr revision; ///< null: not here
    const model::Instance* instance = nullptr;
    const model::ClosedComponent* closed = nullptr; ///< null: see plan.obstacle
    plan::WantedInstance plan;
    std::string obstacle_reason; ///< beside plan.obstacle, the word for it
    bool once = false;           ///< policy atMostOnce: runs under a lease only
    std::string lease_trouble;   ///< why it cannot start under one now, as a sentence
    std::vector<model::NodePort> ports;

    Duration stop_grace() const;
    std::string runtime() const;
    const std::string& digest() const;
};

/// Looks up what an Instance refers to; what is missing becomes its obstacle.
Wanted look_up(const store::Store&, store::ObjectPtr instance);

/// What it asks that its runtime cannot do, with the remedy; empty: nothing.
std::string beyond(const Wanted&, const drivers::Abilities&);

/// Everything resolved for the drivers: environment from pins and $(…), limits, names. `network` stays empty. Errors read as an
/// obstacle.
Result<drivers::InstanceSpec> spec_for(const store::Store&, const Wanted&, const std::string& node);
drivers::network::Wish network_wish(const Wanted&, const drivers::InstanceSpec&);

} // namespace skerry::node
