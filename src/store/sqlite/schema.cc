#include "store/sqlite/schema.h"

#include "store/backend.h"

#include <fmt/format.h>

#include <array>

namespace skerry::store {

namespace {

constexpr std::int64_t application_id = 0x536b7279; // "Skry"

struct Table {
    std::string_view name, sql;
};
constexpr std::string_view key_index = "CREATE UNIQUE INDEX objects_by_key ON objects(kind, project, name)";
constexpr std::array tables = {
    Table{"objects",
          "CREATE TABLE objects(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, project TEXT NOT NULL, name TEXT NOT NULL, "
          "erased INTEGER, body BLOB NOT NULL)"},
    Table{"objects_by_key", key_index},
    Table{"objects_erased", "CREATE INDEX objects_erased ON objects(erased) WHERE erased IS NOT NULL"},
    Table{
        "notes",
        "CREATE TABLE notes(space TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY(space, key)) WITHOUT ROWID"},
    Table{"incarnations", "CREATE TABLE incarnations(id INTEGER PRIMARY KEY, body BLOB NOT NULL)"},
};

Result<void> make(Database& database) {
    TRY_VOID(database.run("BEGIN IMMEDIATE"));
    for (const Table& table : tables) TRY_VOID(database.run(table.sql));
    TRY_VOID(database.run(fmt::format("PRAGMA application_id={}", application_id)));
    TRY_VOID(database.run(fmt::format("PRAGMA user_version={}", Backend::format)));
    return database.run("COMMIT");
}

Result<void> compare(Database& database, const std::string& path) {
    Statement statement = TRY(database.prepare("SELECT name, sql FROM sqlite_master"));
    std::size_t ours = 0;
    while (TRY(statement.step())) {
        const std::string_view name = statement.text(0).value_or("");
        bool known = false;
        for (const Table& table : tables) known |= table.name == name && statement.text(1) == table.sql;
        if (!known)
            return fail(Code::corrupt,
                        path + " holds something that skerry did not make there: put back a copy that was made while skerry was "
                               "stopped, or move the file away and start anew");
        ours++;
    }
    if (ours != tables.size())
        return fail(Code::corrupt,
                    path + " lacks some of its tables: put back a copy that was made while skerry was stopped, or move the file "
                           "away and start anew");
    return {};
}

} // namespace

Result<void> make_key_index(Database& database) { return database.run(key_index); }

Result<std::uint32_t> ensure_schema(Database& database, const std::string& path) {
    for (const char* pragma : {"PRAGMA locking_mode=EXCLUSIVE", "PRAGMA temp_store=MEMORY", "PRAGMA cache_size=-256",
                               "PRAGMA synchronous=FULL", "PRAGMA cell_size_check=ON", "PRAGMA mmap_size=0"})
        TRY_VOID(database.run(pragma));
    const std::int64_t id = TRY(database.integer("PRAGMA application_id"));
    const std::int64_t version = TRY(database.integer("PRAGMA user_version"));
    const bool empty = id == 0 && version == 0 && TRY(database.integer("SELECT count(*) FROM sqlite_master")) == 0;
    if (!empty && id != application_id)
        return fail(Code::unsupported, path + " is a database of another program: give skerry a folder of its own");
    if (!empty && version != Backend::format)
        return fail(Code::unsupported,
                    fmt::format("{} has store format {}, and this build of skerry knows format {}: start the version of skerry "
                                "that wrote it, or a newer one",
                                path, version, Backend::format));
    const std::string mode = TRY(database.text("PRAGMA journal_mode=WAL"));
    if (mode != "wal") return fail(Code::internal, path + ": SQLite's journal mode is " + mode + ", not wal");
    if (empty) TRY_VOID(make(database));
    TRY_VOID(compare(database, path));
    return empty ? 0 : static_cast<std::uint32_t>(version);
}

} // namespace skerry::store
