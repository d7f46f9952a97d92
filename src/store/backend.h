#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "store/object.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace skerry::store {

/// Where a store's rows survive. `sqlite/` on a disk, `memory/` in the simulator and tests, `etcd` later.
class Backend {
public:
    virtual ~Backend() = default;

    struct Incarnation {
        IncarnationId id;
        Number first = 0;
        Number head = 0; ///< highest durable number; final once a later incarnation exists
    };

    struct Tombstone {
        Key key;
        Uid uid;
        CellId home;
        Number number = 0;
    };

    struct NoteRow {
        std::string space, key;
        std::optional<std::string> bytes; ///< none: remove
    };

    /// One atomic, durable step.
    struct Batch {
        std::vector<ObjectPtr> put;    ///< whole objects with all their parts
        std::vector<Tombstone> erased; ///< remove the object, keep the tombstone
        std::vector<NoteRow> notes;
        Number head = 0;                 ///< durable head of the current incarnation after this batch
        Number floor = 0;                ///< tombstones at or below are forgotten
        std::optional<Incarnation> open; ///< appends this incarnation (rule S2)
    };

    struct Loaded {
        std::uint32_t format = 0; ///< 0: a new store
        std::vector<ObjectPtr> objects;
        std::vector<Tombstone> tombstones;
        std::vector<NoteRow> notes;
        std::vector<Incarnation> incarnations;
        Number floor = 0;
        /// Objects whose bytes did not match their checksum: treated as missing (rule S5).
        std::vector<std::string> damaged;
    };

    static constexpr std::uint32_t format = 1;

    /// Blocks; called once, first.
    virtual Result<Loaded> load() = 0;
    /// Blocks, on a worker, one at a time. `exhausted`: no room, and nothing was begun. After any other error the cell must end.
    virtual Result<void> write(const Batch&) = 0;
};

} // namespace skerry::store
