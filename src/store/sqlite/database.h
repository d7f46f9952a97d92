#pragma once

#include "base/result.h"
#include "store/sqlite/vfs.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace skerry::store {

/// One prepared statement. Bind from 1 on, then `step` until there is no row; `reset` before the next use.
class Statement {
public:
    Statement() = default;
    Statement(Statement&&) noexcept;
    Statement& operator=(Statement&&) noexcept;
    ~Statement();

    /// The text must live until `reset`.
    void bind(int place, std::string_view text);
    void bind_blob(int place, std::string_view bytes);
    void bind(int place, std::int64_t number);
    void bind_null(int place);

    /// Whether there is a row.
    Result<bool> step();
    /// Steps to the end and resets.
    Result<void> run();
    void reset();

    /// Of the current row, valid until the next step; none if the column has another type.
    std::optional<std::int64_t> integer(int column) const;
    std::optional<std::string_view> text(int column) const;
    std::optional<std::string_view> blob(int column) const;
    bool is_null(int column) const;

private:
    friend class Database;
    class Database* database_ = nullptr;
    sqlite3_stmt* statement_ = nullptr;
};

/// One SQLite connection over `env::Files`. One thread at a time.
class Database {
public:
    /// Creates the file if there is none. Nothing is read yet.
    static Result<std::unique_ptr<Database>> open(env::Files&, const std::string& path);
    ~Database();

    Result<Statement> prepare(std::string_view sql);
    Result<void> run(std::string_view sql);
    Result<std::int64_t> integer(std::string_view sql);
    Result<std::string> text(std::string_view sql);
    /// Forgets pages it has read, so that the next read asks the disk.
    void forget_pages();
    /// What just went wrong: the disk's own words where it was the disk.
    Error error(int code);

private:
    Database(env::Files& files, std::string path) : vfs_(files), path_(std::move(path)) {}

    Vfs vfs_;
    std::string path_;
    sqlite3* connection_ = nullptr;
};

} // namespace skerry::store
