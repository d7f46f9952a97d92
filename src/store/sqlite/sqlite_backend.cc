#include "store/sqlite/sqlite_backend.h"

#include "base/log.h"
#include "store/sqlite/database.h"
#include "store/sqlite/row.h"
#include "store/sqlite/schema.h"

#include <algorithm>
#include <map>

namespace skerry::store {

namespace {

std::string note_identity(std::string_view space, std::string_view key) {
    return fmt::format("note {} {}{}", space.size(), space, key);
}

/// A name from a damaged row, fit for a log line.
std::string shown(std::string_view text) {
    std::string shown;
    for (char c : text.substr(0, 253)) shown += c > ' ' && c < 127 ? c : '?';
    return shown;
}

/// One row of `objects`, in the order kind, project, name, erased, body.
struct Read {
    Key key;
    bool has_name = false;
    bool is_tombstone = false;
    ObjectPtr object;
    std::optional<Backend::Tombstone> tombstone;
    bool damaged() const { return !object && !tombstone; }
};

Read read_row(const Statement& rows) {
    const std::int64_t kind = rows.integer(0).value_or(0);
    const bool known = kind > 0 && kind < 256 && model::find_kind(static_cast<std::uint32_t>(kind));
    Read read{.key = {static_cast<model::Kind>(known ? kind : 0), std::string(rows.text(1).value_or("")),
                      std::string(rows.text(2).value_or(""))},
              .has_name = known && rows.text(1) && rows.text(2) && !rows.text(2)->empty(),
              .is_tombstone = !rows.is_null(3)};
    const std::string_view body = rows.blob(4).value_or("");
    if (!known) return read;
    if (!read.is_tombstone) {
        if (auto object = read_object(read.key, body)) read.object = std::move(*object);
    } else if (auto tombstone = read_tombstone(read.key, body);
               tombstone && rows.integer(3) == static_cast<std::int64_t>(tombstone->number)) {
        read.tombstone = std::move(*tombstone);
    }
    return read;
}

struct StoredIncarnation {
    std::int64_t row = 0;
    Backend::Incarnation incarnation;
};

} // namespace

struct SqliteBackend::Parts {
    std::unique_ptr<Database> database;
    Statement begin, commit, rollback, put, drop, note, erase_note, forget, open, close, read;
    std::optional<StoredIncarnation> current;
    Number head = 0; ///< highest number that reading the rows would show
    Number floor = 0;
    struct Damaged {
        std::int64_t row = 0;
        Read read;
        bool named = false; ///< as the index has it
    };
    std::vector<Damaged> damaged;
    bool dead = false;

    Result<void> prepare();
    Result<void> read_objects(Loaded&);
    void take(Loaded&, Read&&);
    Result<void> look_up_names(Loaded&);
    Result<void> mend_indexes();
    Result<void> read_notes(Loaded&);
    Result<void> read_incarnations(Loaded&);
    Result<void> check_integrity(const std::string& path);

    Result<void> put_row(const Key&, std::optional<Number> erased, std::string_view body);
    Result<void> put_note(std::string_view space, std::string_view key, std::string_view bytes);
    Result<void> put_incarnation(const Batch&);
    Result<void> write(const Batch&);
};

SqliteBackend::SqliteBackend(env::Files& files, std::string path, Options options)
    : files_(files), path_(std::move(path)), options_(options) {}
SqliteBackend::~SqliteBackend() = default;

Result<void> SqliteBackend::Parts::prepare() {
    begin = TRY(database->prepare("BEGIN IMMEDIATE"));
    commit = TRY(database->prepare("COMMIT"));
    rollback = TRY(database->prepare("ROLLBACK"));
    put = TRY(database->prepare(
        "INSERT INTO objects(kind, project, name, erased, body) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(kind, project, name) DO "
        "UPDATE SET erased = excluded.erased, body = excluded.body"));
    drop = TRY(database->prepare("DELETE FROM objects WHERE kind = ?1 AND project = ?2 AND name = ?3"));
    read = TRY(database->prepare(
        "SELECT kind, project, name, erased, body, id FROM objects NOT INDEXED WHERE id > ?1 ORDER BY id LIMIT ?2"));
    note = TRY(database->prepare(
        "INSERT INTO notes(space, key, body) VALUES(?1, ?2, ?3) ON CONFLICT(space, key) DO UPDATE SET body = excluded.body"));
    erase_note = TRY(database->prepare("DELETE FROM notes WHERE space = ?1 AND key = ?2"));
    forget = TRY(database->prepare("DELETE FROM objects WHERE erased IS NOT NULL AND erased <= ?1"));
    open = TRY(database->prepare("INSERT INTO incarnations(id, body) VALUES(?1, ?2)"));
    close = TRY(database->prepare("UPDATE incarnations SET body = ?2 WHERE id = ?1"));
    return {};
}

Result<Backend::Loaded> SqliteBackend::load() {
    parts_ = std::make_unique<Parts>();
    parts_->database = TRY(Database::open(files_, path_) | during("open the store"));
    Loaded loaded;
    loaded.format = TRY(ensure_schema(*parts_->database, path_));
    TRY_VOID(parts_->database->run(fmt::format("PRAGMA wal_autocheckpoint={}", options_.checkpoint_pages)));
    TRY_VOID(parts_->prepare());
    TRY_VOID(parts_->read_objects(loaded));
    TRY_VOID(parts_->read_notes(loaded));
    TRY_VOID(parts_->read_incarnations(loaded));
    TRY_VOID(parts_->check_integrity(path_));
    // A store that was cut off between its tables and its first incarnation is still a new one.
    if (loaded.incarnations.empty() && loaded.objects.empty() && loaded.notes.empty() && loaded.damaged.empty())
        loaded.format = 0;
    return loaded;
}

void SqliteBackend::Parts::take(Loaded& loaded, Read&& read) {
    if (read.object) {
        head = std::max(head, read.object->number());
        loaded.objects.push_back(std::move(read.object));
    } else {
        head = std::max(head, read.tombstone->number);
        loaded.tombstones.push_back(std::move(*read.tombstone));
    }
}

Result<void> SqliteBackend::Parts::read_objects(Loaded& loaded) {
    Statement rows = TRY(database->prepare("SELECT kind, project, name, erased, body, id FROM objects NOT INDEXED"));
    while (TRY(rows.step())) {
        Read read = read_row(rows);
        if (read.damaged())
            damaged.push_back({.row = rows.integer(5).value_or(0), .read = std::move(read)});
        else
            take(loaded, std::move(read));
    }
    if (!damaged.empty()) TRY_VOID(look_up_names(loaded));
    return {};
}

/// The index has each row's name a second time. So what is damaged is missing under its right name, and a row of which nothing but
/// the name is damaged is whole again.
Result<void> SqliteBackend::Parts::look_up_names(Loaded& loaded) {
    std::map<std::int64_t, Damaged*> by_row;
    for (Damaged& each : damaged) by_row[each.row] = &each;
    Statement names = TRY(
        database->prepare("SELECT kind, project, name, id FROM objects INDEXED BY objects_by_key ORDER BY kind, project, name"));
    Statement body = TRY(database->prepare("SELECT ?2, ?3, ?4, erased, body FROM objects NOT INDEXED WHERE id = ?1"));
    while (TRY(names.step())) {
        auto at = by_row.find(names.integer(3).value_or(0));
        if (at == by_row.end() || !names.text(1) || !names.text(2)) continue;
        body.bind(1, at->first);
        body.bind(2, names.integer(0).value_or(0));
        body.bind(3, *names.text(1));
        body.bind(4, *names.text(2));
        if (TRY(body.step())) {
            Read read = read_row(body);
            at->second->named = read.has_name;
            if (read.has_name) at->second->read = std::move(read);
        }
        body.reset();
    }
    for (Damaged& each : damaged) {
        const Key& key = each.read.key;
        if (!each.read.damaged()) {
            log(Level::warning, "store", "{}: its name was damaged on the disk, and is as its index has it", key.text());
            take(loaded, Read(each.read));
            continue;
        }
        loaded.damaged.push_back(Key{key.kind, shown(key.project), shown(key.name)}.text());
        if (!each.read.is_tombstone) loaded.missing.push_back(each.read.has_name ? key : Key{});
    }
    return {};
}

Result<void> SqliteBackend::Parts::read_notes(Loaded& loaded) {
    Statement rows = TRY(database->prepare("SELECT space, key, body FROM notes"));
    bool floor_lost = false;
    while (TRY(rows.step())) {
        const std::string space(rows.text(0).value_or("")), key(rows.text(1).value_or(""));
        std::optional<std::string_view> bytes = unseal(note_identity(space, key), rows.blob(2).value_or(""));
        if (!bytes || (space.empty() && bytes->size() != 8)) {
            loaded.damaged.push_back("note " + shown(space) + "/" + shown(key));
            floor_lost |= space.empty();
            // That there was one still says something: of a key that was revoked, of a lease that was granted.
            if (!space.empty()) loaded.notes.push_back({space, key, std::string()});
        } else if (space.empty()) {
            for (int i = 0; i < 8; i++) floor = floor << 8 | static_cast<unsigned char>((*bytes)[static_cast<std::size_t>(i)]);
        } else {
            loaded.notes.push_back({space, key, std::string(*bytes)});
        }
    }
    if (floor_lost) floor = head; // nobody knows what was forgotten, so no cursor is known
    head = std::max(head, floor);
    loaded.floor = floor;
    std::erase_if(loaded.tombstones, [this](const Tombstone& tombstone) { return tombstone.number <= floor; });
    return {};
}

Result<void> SqliteBackend::Parts::read_incarnations(Loaded& loaded) {
    Statement rows = TRY(database->prepare("SELECT id, body FROM incarnations ORDER BY id"));
    bool last_damaged = false;
    while (TRY(rows.step())) {
        std::optional<Incarnation> incarnation = read_incarnation(rows.blob(1).value_or(""));
        last_damaged = !incarnation;
        if (!incarnation) {
            loaded.damaged.push_back("an incarnation");
            continue;
        }
        loaded.incarnations.push_back(*incarnation);
        current = StoredIncarnation{rows.integer(0).value_or(0), *incarnation};
        head = std::max({head, incarnation->first, incarnation->head});
    }
    if (current && !last_damaged) current->incarnation.head = loaded.incarnations.back().head = head;
    return {};
}

Result<void> SqliteBackend::Parts::check_integrity(const std::string& path) {
    std::string found = TRY(database->text("PRAGMA integrity_check(1)"));
    if (found == "ok") return {};
    // Indexes can be made anew; the rows have checksums of their own.
    log(Level::warning, "store", "{}: {}; making its indexes anew", path, found);
    TRY_VOID(database->run("BEGIN IMMEDIATE"));
    if (!mend_indexes()) {
        TRY_VOID(database->run("ROLLBACK"));
    } else {
        TRY_VOID(database->run("COMMIT"));
        found = TRY(database->text("PRAGMA integrity_check(1)"));
        if (found == "ok") return {};
    }
    return fail(Code::corrupt,
                path + " is damaged (" + found +
                    "): put back a copy that was made while skerry was stopped, or move the file away and start anew: what the "
                    "parent holds for this cell comes back over the link");
}

Result<void> SqliteBackend::Parts::mend_indexes() {
    TRY_VOID(database->run("DROP INDEX objects_by_key"));
    Statement name = TRY(database->prepare("UPDATE objects SET kind = ?2, project = ?3, name = ?4 WHERE id = ?1"));
    for (const Damaged& each : damaged) {
        if (!each.named) {
            // Its name may be wrong, so that no later write of the object would meet it.
            TRY_VOID(database->run(fmt::format("DELETE FROM objects WHERE id = {}", each.row)));
            continue;
        }
        name.bind(1, each.row);
        name.bind(2, static_cast<std::int64_t>(each.read.key.kind));
        name.bind(3, each.read.key.project);
        name.bind(4, each.read.key.name);
        TRY_VOID(name.run());
    }
    TRY_VOID(make_key_index(*database));
    return database->run("REINDEX");
}

Result<void> SqliteBackend::Parts::put_row(const Key& key, std::optional<Number> erased, std::string_view body) {
    put.bind(1, static_cast<std::int64_t>(key.kind));
    put.bind(2, key.project);
    put.bind(3, key.name);
    if (erased)
        put.bind(4, static_cast<std::int64_t>(*erased));
    else
        put.bind_null(4);
    put.bind_blob(5, body);
    return put.run();
}

Result<void> SqliteBackend::Parts::put_note(std::string_view space, std::string_view key, std::string_view bytes) {
    const std::string body = seal(note_identity(space, key), bytes);
    note.bind(1, space);
    note.bind(2, key);
    note.bind_blob(3, body);
    return note.run();
}

Result<void> SqliteBackend::Parts::put_incarnation(const Batch& batch) {
    const std::int64_t row = current ? current->row : 0;
    if (current && (batch.open || batch.head > head)) {
        if (!batch.open) current->incarnation.head = batch.head;
        const std::string body = write_incarnation(current->incarnation);
        close.bind(1, row);
        close.bind_blob(2, body);
        TRY_VOID(close.run());
    }
    if (!batch.open) return {};
    const std::string body = write_incarnation(*batch.open);
    open.bind(1, TRY(database->integer("SELECT coalesce(max(id), 0) + 1 FROM incarnations")));
    open.bind_blob(2, body);
    TRY_VOID(open.run());
    current = StoredIncarnation{TRY(database->integer("SELECT max(id) FROM incarnations")), *batch.open};
    return {};
}

Result<void> SqliteBackend::Parts::write(const Batch& batch) {
    TRY_VOID(begin.run());
    for (const Tombstone& tombstone : batch.erased) {
        TRY_VOID(put_row(tombstone.key, tombstone.number, write_row(tombstone)));
        head = std::max(head, tombstone.number);
    }
    for (const Key& key : batch.dropped) {
        drop.bind(1, static_cast<std::int64_t>(key.kind));
        drop.bind(2, key.project);
        drop.bind(3, key.name);
        TRY_VOID(drop.run());
    }
    for (const ObjectPtr& object : batch.put) {
        TRY_VOID(put_row(object->key, {}, write_row(*object)));
        head = std::max(head, object->number());
    }
    for (const NoteRow& row : batch.notes) {
        if (row.bytes) {
            TRY_VOID(put_note(row.space, row.key, *row.bytes));
            continue;
        }
        erase_note.bind(1, row.space);
        erase_note.bind(2, row.key);
        TRY_VOID(erase_note.run());
    }
    if (batch.floor > floor) {
        floor = batch.floor;
        forget.bind(1, static_cast<std::int64_t>(floor));
        TRY_VOID(forget.run());
        std::string bytes;
        for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(floor >> shift));
        TRY_VOID(put_note("", "floor", bytes));
    }
    TRY_VOID(put_incarnation(batch));
    head = std::max(head, batch.head);
    return commit.run();
}

/// Asked before anything is begun, since of a transaction that meets a full disk half way only a new opening knows the rest.
Result<void> SqliteBackend::check_room(const Batch& batch) const {
    auto free = files_.free();
    if (!free) return {}; // not known
    std::uint64_t bytes = 64 << 10;
    auto add = [&](const PartState& part) { bytes += part.bytes ? part.bytes->size() : 0; };
    for (const ObjectPtr& object : batch.put) add(object->wish), add(object->found), add(object->seen);
    for (const NoteRow& row : batch.notes) bytes += row.bytes ? row.bytes->size() : 0;
    // An opening is needed to do anything at all.
    std::uint64_t kept = batch.open ? 0 : batch.put.empty() ? options_.last_reserve : options_.reserve;
    if (*free >= kept + 2 * bytes) return {};
    return fail(Code::exhausted,
                fmt::format("the disk of {} is full: {} KiB are free, and {} KiB stay reserved: make room; what runs, runs on",
                            path_, *free >> 10, kept >> 10));
}

Result<void> SqliteBackend::write(const Batch& batch) {
    if (!parts_ || parts_->dead) return fail(Code::unavailable, path_ + ": the store must be opened again");
    TRY_VOID(check_room(batch));
    Result<void> written = parts_->write(batch);
    if (written) return {};
    parts_->dead = true;
    (void)parts_->rollback.run(); // so that nothing of it is written when the file is closed
    return written;
}

Result<Backend::Rows> SqliteBackend::read(const std::string& from, std::size_t most_rows, std::size_t most_bytes) {
    if (!parts_ || parts_->dead) return fail(Code::unavailable, path_ + ": the store must be opened again");
    parts_->database->forget_pages();
    Statement& read = parts_->read;
    read.bind(1, from.empty() ? std::int64_t{0} : static_cast<std::int64_t>(std::stoll(from)));
    read.bind(2, static_cast<std::int64_t>(most_rows));
    Rows rows;
    std::size_t seen = 0, bytes = 0;
    Result<bool> more = false;
    while ((more = read.step()) && *more) {
        ++seen;
        rows.next = std::to_string(read.integer(5).value_or(0));
        bytes += read.blob(4).value_or("").size();
        Read row = read_row(read);
        if (row.has_name) rows.rows.push_back({std::move(row.key), std::move(row.object), row.tombstone.has_value()});
        if (bytes >= most_bytes) break;
    }
    if (more && !*more && seen < most_rows) rows.next.clear();
    read.reset();
    if (!more) return std::unexpected(std::move(more).error());
    return rows;
}

} // namespace skerry::store
