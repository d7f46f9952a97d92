#include "store/sqlite/database.h"

#include "base/check.h"

#include <sqlite3.h>

namespace skerry::store {

Statement::Statement(Statement&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)), statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
    std::swap(database_, other.database_);
    std::swap(statement_, other.statement_);
    return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::bind(int place, std::string_view text) {
    CHECK(sqlite3_bind_text(statement_, place, text.data() ? text.data() : "", static_cast<int>(text.size()), SQLITE_STATIC) ==
          SQLITE_OK);
}
void Statement::bind_blob(int place, std::string_view bytes) {
    CHECK(sqlite3_bind_blob(statement_, place, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC) == SQLITE_OK);
}
void Statement::bind(int place, std::int64_t number) { CHECK(sqlite3_bind_int64(statement_, place, number) == SQLITE_OK); }
void Statement::bind_null(int place) { CHECK(sqlite3_bind_null(statement_, place) == SQLITE_OK); }

Result<bool> Statement::step() {
    int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return std::unexpected(database_->error(code));
}

Result<void> Statement::run() {
    Result<bool> row = true;
    while (row && *row) row = step();
    reset();
    if (!row) return std::unexpected(std::move(row).error());
    return {};
}

void Statement::reset() { sqlite3_reset(statement_); }

std::optional<std::int64_t> Statement::integer(int column) const {
    if (sqlite3_column_type(statement_, column) != SQLITE_INTEGER) return {};
    return sqlite3_column_int64(statement_, column);
}

std::optional<std::string_view> Statement::text(int column) const {
    if (sqlite3_column_type(statement_, column) != SQLITE_TEXT) return {};
    const unsigned char* text = sqlite3_column_text(statement_, column);
    return std::string_view(reinterpret_cast<const char*>(text),
                            static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

std::optional<std::string_view> Statement::blob(int column) const {
    if (sqlite3_column_type(statement_, column) != SQLITE_BLOB) return {};
    const void* bytes = sqlite3_column_blob(statement_, column);
    return std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

bool Statement::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

Result<std::unique_ptr<Database>> Database::open(env::Files& files, const std::string& path) {
    std::unique_ptr<Database> database(new Database(files, path));
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path.c_str(), &database->connection_, flags, database->vfs_.name());
    if (code != SQLITE_OK) return std::unexpected(database->error(code));
    sqlite3* connection = database->connection_;
    // A database file is input from outside: its schema may not run anything, and nothing in it may be huge.
    sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, 16 << 20);
    sqlite3_limit(connection, SQLITE_LIMIT_ATTACHED, 0);
    return database;
}

Database::~Database() { CHECK(sqlite3_close(connection_) == SQLITE_OK, "all statements are gone before their database"); }

void Database::forget_pages() { sqlite3_db_release_memory(connection_); }

Error Database::error(int code) {
    const std::string what = connection_ ? sqlite3_errmsg(connection_) : sqlite3_errstr(code);
    if (std::optional<Error> disk = vfs_.take_error()) return {disk->code, path_ + ": " + disk->message};
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_TOOBIG:
        return {Code::corrupt,
                path_ + " is damaged (" + what +
                    "): put back a copy that was made while skerry was stopped, or move the file away and start anew: what "
                    "the parent holds for this cell comes back over the link"};
    case SQLITE_FULL:
        return {Code::exhausted, path_ + ": the disk is full: make room"};
    case SQLITE_READONLY:
        return {Code::forbidden, path_ + " cannot be written: check its owner and mode"};
    default:
        return {Code::internal, path_ + ": " + what};
    }
}

Result<Statement> Database::prepare(std::string_view sql) {
    Statement statement;
    statement.database_ = this;
    int code = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                  &statement.statement_, nullptr);
    if (code != SQLITE_OK) return std::unexpected(error(code));
    return statement;
}

Result<void> Database::run(std::string_view sql) {
    Statement statement = TRY(prepare(sql));
    return statement.run();
}

Result<std::int64_t> Database::integer(std::string_view sql) {
    Statement statement = TRY(prepare(sql));
    if (!TRY(statement.step())) return fail(Code::corrupt, path_ + ": no answer to " + std::string(sql));
    return statement.integer(0).value_or(0);
}

Result<std::string> Database::text(std::string_view sql) {
    Statement statement = TRY(prepare(sql));
    if (!TRY(statement.step())) return fail(Code::corrupt, path_ + ": no answer to " + std::string(sql));
    return std::string(statement.text(0).value_or(""));
}

} // namespace skerry::store
