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
        std::vector<Key> dropped;      ///< remove whatever is there, damaged or not
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
        std::vector<Key> missing; ///< those of them whose names can be read and which were not erased
    };

    /// Rows as they are on the disk at this moment (rule S5).
    struct Rows {
        struct Row {
            Key key;
            ObjectPtr object;    ///< null: erased, or damaged
            bool erased = false; ///< a tombstone
        };
        std::vector<Row> rows; ///< but those whose names cannot be read
        std::string next;      ///< where to go on; empty: that was the last
    };

    static constexpr std::uint32_t format = 1;

    /// Blocks; called once, first.
    virtual Result<Loaded> load() = 0;
    /// Blocks, on a worker, one at a time. `exhausted`: no room, and nothing was begun. After any other error the cell must end.
    virtual Result<void> write(const Batch&) = 0;
    /// Blocks, on a worker, never during a write. From the beginning where `from` is empty; in an order that keeps its place
    /// while rows change.
    virtual Result<Rows> read(const std::string& from, std::size_t most_rows, std::size_t most_bytes) = 0;
};

} // namespace skerry::store
