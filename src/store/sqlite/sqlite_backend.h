#pragma once

#include "env/files.h"
#include "store/backend.h"

#include <memory>
#include <string>

namespace skerry::store {

/// Keeps a store's rows in one SQLite database (WAL, synchronous=FULL): a batch is one transaction, one append to the log, one
/// sync.
///
///     PATH        objects       kind, project, name | erased: number of the tombstone, or null | body
///                 notes         space, key | body          the floor of the tombstones is note ("", "floor")
///                 incarnations  in order | body
///     PATH-wal    the log; joins PATH at every `checkpoint_pages` and at a clean end
///
/// Each body carries a checksum over its whole row (rule S5). The head of the current incarnation is not written with each batch,
/// since it is the highest number of any row; it is fixed when the next incarnation opens. The caller makes sure that no other
/// process uses PATH.
class SqliteBackend final : public Backend {
public:
    struct Options {
        /// The log joins the database at this many pages of 4 KiB: more of them write each page less often, and take longer at
        /// once.
        unsigned checkpoint_pages = 1'000;
        /// Of the disk: kept free of new objects, so that what is here can still be changed in its notes, stopped and erased …
        std::uint64_t reserve = 16 << 20;
        /// … which may go down to this, so that the log can join the database.
        std::uint64_t last_reserve = 4 << 20;
    };
    /// `files` must outlive it, and any write that a worker is still doing.
    SqliteBackend(env::Files& files, std::string path, Options options);
    SqliteBackend(env::Files& files, std::string path) : SqliteBackend(files, std::move(path), Options()) {}
    ~SqliteBackend() override;

    /// `unsupported` for another program's database or another format version, `corrupt` for one that cannot be read; both with
    /// the remedy.
    Result<Loaded> load() override;
    Result<void> write(const Batch&) override;
    Result<Rows> read(const std::string& from, std::size_t most_rows, std::size_t most_bytes) override;

private:
    Result<void> check_room(const Batch&) const;

    struct Parts;
    env::Files& files_;
    std::string path_;
    Options options_;
    std::unique_ptr<Parts> parts_;
};

} // namespace skerry::store
