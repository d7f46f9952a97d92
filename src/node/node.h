#pragma once

#include "base/units.h"
#include "cell/cell.h"
#include "drivers/driver.h"
#include "drivers/leash.h"
#include "drivers/network/network_driver.h"
#include "node/images.h"
#include "node/prober.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

/// One machine: adopts what runs, then keeps its instances as they are wanted.
///
/// The instances wanted are those in the store with spec.node == this node, whether the store is the site's own or a slice of it.
/// What the drivers hold is remembered in the store's notes:
///
///     notes space "handle":  <uid of the instance> → runtime, handle, hash and revision that run, image digest, ports, restarts
///     notes space "epoch.node":  <project>/<allocation> → the highest fencing number accepted of it (rule H4)
///
/// The note is durable before a driver is asked to start, and again with the handle before anything depends on it, so that after
/// a crash at any moment an instance found on the machine is known with the hash it runs (rule A6: it is not restarted).
///
/// Work of policy atMostOnce runs under the cell's lease only (rules F1 to F3): it is put on the leash, then started; it is asked
/// to stop so early that it is gone when the lease ends, and the leash ends what is not.
namespace skerry::node {

/// What the machine is; measured by whoever builds the cell.
struct Machine {
    MilliCpu cpu;                       ///< for apps
    Bytes memory;                       ///< for apps
    std::vector<std::string> addresses; ///< on the site's network
    std::string os;
    std::string kernel;
    std::string architecture; ///< as in OCI: amd64, arm64
};

/// Everything pointed to outlives the cell.
struct Options {
    std::string name; ///< of the Node object
    Machine machine;
    std::map<std::string, drivers::Driver*> drivers;    ///< by runtime: container, vm, metal
    drivers::network::NetworkDriver* network = nullptr; ///< null: instances share the machine's network
    drivers::Leash* leash = nullptr;                    ///< null: nothing of policy atMostOnce runs here under another cell
    Images* images = nullptr;
    Prober* prober = nullptr;
    std::string version; ///< of the program
    /// Carries a call from any thread to the deciding one (drivers tell of changes from threads of theirs). Null: Timers::post.
    std::function<void(std::function<void()>)> post_from_any_thread;
    /// Instances whose driver says nothing are looked at this often.
    Duration look_period = 10s;
    /// The network is looked at this often, and when a health check fails, and mended; zero: never.
    Duration mend_period{};
};

/// Adds the loop "node". Before Cell::start.
void add_loops(cell::Cell&, Options);

/// What drivers call the instance: its uid in hexadecimal. For logs and exec.
drivers::InstanceName instance_name(Uid uid);

} // namespace skerry::node
