#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "cell/epochs.h"
#include "cell/events.h"
#include "cell/gate/admission.h"
#include "cell/leases/leases.h"
#include "cell/links/meters.h"
#include "cell/links/peers.h"
#include "cell/loop.h"
#include "cell/recovery/recovery.h"
#include "cell/slices/couriers.h"
#include "cell/slices/slicer.h"
#include "env/env.h"
#include "store/store.h"

#include <memory>
#include <string>
#include <vector>

namespace skerry::cell {

/// What every process is: a store, maybe a parent, maybe children, the admission of writes, the loops' turns. Roles plug in.
///
/// A cell never blocks and holds no lock; it is rebuilt from its store after any crash. Destroying it drops wires and timers and
/// leaves everything that runs untouched.
class Cell {
public:
    struct Options {
        env::Peer self;                    ///< role and name as in the certificate; `cell` is filled in from the store
        std::string version;               ///< of the program, told to peers
        std::vector<std::string> parents;  ///< addresses host:port, in order of preference; empty: no parent
        Duration redial_first = 500ms;     ///< back-off with full jitter between dials …
        Duration redial_most = 30s;        ///< … up to this
        bool restored = false;             ///< its store was put back from a backup: it recovers from the start on (rules H3, H4)
        bool with_default_project = false; ///< makes project `default` where it is absent (cells without a parent)
    };

    /// The store must outlive the cell. `down` cuts slices for children (null: takes none), `up` the one for the parent.
    static std::unique_ptr<Cell> make(env::Env, store::Store&, Options, std::unique_ptr<Slicer> down, std::unique_ptr<Slicer> up);
    virtual ~Cell() = default;

    virtual env::Env& env() = 0;
    virtual store::Store& store() = 0;
    virtual const env::Peer& self() const = 0;
    virtual Admission& admission() = 0;
    virtual Events& events() = 0;
    virtual Peers& peers() = 0;
    virtual Leases& leases() = 0;
    virtual Epochs& epochs() = 0;
    virtual Meters& meters() = 0;
    virtual Couriers& couriers() = 0;
    virtual Recovery& recovery() = 0;

    /// Before `start`.
    virtual void add(std::unique_ptr<Loop>) = 0;
    /// First turns, first dial.
    virtual void start() = 0;
    /// Turns the loop of that name soon; many wakes before the turn are one.
    virtual void wake(std::string_view loop) = 0;
    /// A child's control wire, authenticated; the cell drives it from here on. An older wire of the same child is closed.
    virtual void accept(std::unique_ptr<env::Wire>) = 0;
    /// Ends the wire of this child, if it has one, and tells it why. It may come back.
    virtual void dismiss(env::Peer::Role, const std::string& name, const std::string& why) = 0;
};

} // namespace skerry::cell
