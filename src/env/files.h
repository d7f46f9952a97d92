#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::env {

/// An open file. Calls block; they are made on workers (or, by a store at its start, before the cell decides anything).
/// Thread-safe to the degree of the kernel's pread and pwrite.
class File {
public:
    virtual ~File() = default;
    /// Reads up to `size` bytes at `offset`; fewer only at the end of the file.
    virtual Result<std::string> read(std::uint64_t offset, std::size_t size) = 0;
    virtual Result<void> write(std::uint64_t offset, std::string_view bytes) = 0;
    virtual Result<std::uint64_t> size() = 0;
    virtual Result<void> truncate(std::uint64_t size) = 0;
    /// What was written and truncated before this is on the disk when it returns (fdatasync).
    virtual Result<void> sync() = 0;
    /// A hint: what is in memory of these bytes and is on the disk too need not stay, so the next read comes from the disk.
    virtual void forget(std::uint64_t /*offset*/, std::uint64_t /*size*/) {}
};

/// A tree of files. A power cut may lose or tear every write that no sync covered, and every create, rename or remove that no
/// `sync_folder` covered; the simulator's disk does exactly that.
class Files {
public:
    virtual ~Files() = default;
    enum class Mode { read, write, create };
    /// `read` and `write` want an existing file, `create` makes one where none is.
    virtual Result<std::unique_ptr<File>> open(const std::string& path, Mode) = 0;
    virtual Result<bool> exists(const std::string& path) = 0;
    /// A file or an empty folder; `not_found` if there is none.
    virtual Result<void> remove(const std::string& path) = 0;
    /// Replaces `to` in one step.
    virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
    /// One level: the parent must exist. A folder that is there already is fine.
    virtual Result<void> make_folder(const std::string& path) = 0;
    /// Names, without the folder before them, in no particular order.
    virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;
    virtual Result<void> sync_folder(const std::string& path) = 0;
    /// Free bytes of the file system.
    virtual Result<std::uint64_t> free() = 0;
};

/// Whole content, written so that after a cut there is the old file or the new one: temporary name, sync, rename, sync of the
/// folder.
Result<void> write_whole(Files&, const std::string& path, std::string_view bytes);
Result<std::string> read_whole(Files&, const std::string& path, std::size_t limit);

} // namespace skerry::env
