#pragma once

#include "base/result.h"
#include "env/files.h"

#include <memory>
#include <optional>
#include <string>

namespace skerry::store {

/// Lets SQLite live on `env::Files` (https://sqlite.org/vfs.html), so that its durability is tested on the same fake disk as
/// ours.
///
/// For one database in WAL mode with exclusive locking: there is no shared memory and no locking, as whoever opens the database
/// makes sure that no other process does. Writes to the log that follow one another reach the file as one, at the latest with the
/// next sync. New files are synced into their folder with their first sync. Not for temporary files (`temp_store=MEMORY`).
class Vfs {
public:
    explicit Vfs(env::Files&);
    ~Vfs();
    Vfs(const Vfs&) = delete;
    Vfs& operator=(const Vfs&) = delete;

    /// For sqlite3_open_v2.
    const char* name() const;
    /// The last error of the files since this was asked: SQLite itself keeps only a number.
    std::optional<Error> take_error();

    struct Parts;

private:
    std::unique_ptr<Parts> parts_;
};

} // namespace skerry::store
