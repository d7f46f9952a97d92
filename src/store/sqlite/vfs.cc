#include "store/sqlite/vfs.h"

#include "base/check.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <new>

namespace skerry::store {

struct Vfs::Parts {
    explicit Parts(env::Files& f) : files(f) {}
    env::Files& files;
    std::string name;
    std::optional<Error> error;
    sqlite3_vfs vfs{};

    int failed(Error e, int code) {
        const bool full = e.code == Code::exhausted;
        error = std::move(e);
        return full ? SQLITE_FULL : code;
    }
};

namespace {

constexpr std::size_t gather_limit = 1 << 20;

Vfs::Parts& parts_of(sqlite3_vfs* vfs) { return *static_cast<Vfs::Parts*>(vfs->pAppData); }

std::string folder_of(const std::string& path) {
    std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

/// An open file as SQLite sees it; SQLite owns the memory.
struct Open : sqlite3_file {
    Vfs::Parts* vfs = nullptr;
    std::unique_ptr<env::File> file;
    std::string path;
    bool created = false; ///< its folder does not know it durably yet
    bool gathers = false;
    std::uint64_t gathered_at = 0;
    std::string gathered; ///< written by SQLite, not yet by us

    Result<void> settle() {
        if (gathered.empty()) return {};
        TRY_VOID(file->write(gathered_at, gathered));
        gathered.clear();
        return {};
    }
    Result<void> write(std::uint64_t offset, std::string_view bytes) {
        if (!gathers) return file->write(offset, bytes);
        if (!gathered.empty() && (offset != gathered_at + gathered.size() || gathered.size() + bytes.size() > gather_limit))
            TRY_VOID(settle());
        if (gathered.empty()) gathered_at = offset;
        gathered += bytes;
        return {};
    }
    Result<std::string> read(std::uint64_t offset, std::size_t size) {
        TRY_VOID(settle());
        return file->read(offset, size);
    }
    Result<std::uint64_t> size() {
        TRY_VOID(settle());
        return file->size();
    }
    Result<void> truncate(std::uint64_t size) {
        TRY_VOID(settle());
        return file->truncate(size);
    }
    Result<void> sync() {
        TRY_VOID(settle());
        TRY_VOID(file->sync());
        if (created) TRY_VOID(vfs->files.sync_folder(folder_of(path)));
        created = false;
        return {};
    }
};

Open& open(sqlite3_file* file) { return *static_cast<Open*>(file); }

int answer(Open& file, Result<void> result, int code) {
    return result ? SQLITE_OK : file.vfs->failed(std::move(result).error(), code);
}

int close_file(sqlite3_file* f) {
    Open& file = open(f);
    int code = answer(file, file.settle(), SQLITE_IOERR_CLOSE);
    file.~Open();
    return code;
}

int read_file(sqlite3_file* f, void* to, int size, sqlite3_int64 offset) {
    Open& file = open(f);
    Result<std::string> bytes = file.read(static_cast<std::uint64_t>(offset), static_cast<std::size_t>(size));
    if (!bytes) return file.vfs->failed(std::move(bytes).error(), SQLITE_IOERR_READ);
    std::memcpy(to, bytes->data(), bytes->size());
    if (bytes->size() == static_cast<std::size_t>(size)) return SQLITE_OK;
    std::memset(static_cast<char*>(to) + bytes->size(), 0,
                static_cast<std::size_t>(size) - bytes->size()); // SQLite asks for zeros
    return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* f, const void* from, int size, sqlite3_int64 offset) {
    std::string_view bytes(static_cast<const char*>(from), static_cast<std::size_t>(size));
    return answer(open(f), open(f).write(static_cast<std::uint64_t>(offset), bytes), SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* f, sqlite3_int64 size) {
    return answer(open(f), open(f).truncate(static_cast<std::uint64_t>(size)), SQLITE_IOERR_TRUNCATE);
}

int sync_file(sqlite3_file* f, int) { return answer(open(f), open(f).sync(), SQLITE_IOERR_FSYNC); }

int size_of_file(sqlite3_file* f, sqlite3_int64* to) {
    Result<std::uint64_t> size = open(f).size();
    if (!size) return open(f).vfs->failed(std::move(size).error(), SQLITE_IOERR_FSTAT);
    *to = static_cast<sqlite3_int64>(*size);
    return SQLITE_OK;
}

int no_lock(sqlite3_file*, int) { return SQLITE_OK; }
int no_reserved_lock(sqlite3_file*, int* held) {
    *held = 0;
    return SQLITE_OK;
}
int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) { return 4096; }
/// A torn write harms only its own bytes: true of sectors, which are written whole, and of the fake disk.
int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = size_of_file,
    .xLock = no_lock,
    .xUnlock = no_lock,
    .xCheckReservedLock = no_reserved_lock,
    .xFileControl = file_control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* place, int flags, int* out_flags) {
    place->pMethods = nullptr; // until it is open, there is nothing to close
    if (!name) return parts_of(vfs).failed({Code::internal, "SQLite asked for a temporary file"}, SQLITE_CANTOPEN);
    env::Files& files = parts_of(vfs).files;
    bool created = false;
    if (flags & SQLITE_OPEN_CREATE) {
        Result<bool> exists = files.exists(name);
        if (!exists) return parts_of(vfs).failed(std::move(exists).error(), SQLITE_CANTOPEN);
        created = !*exists;
    }
    const auto mode = flags & SQLITE_OPEN_CREATE      ? env::Files::Mode::create
                      : flags & SQLITE_OPEN_READWRITE ? env::Files::Mode::write
                                                      : env::Files::Mode::read;
    Result<std::unique_ptr<env::File>> opened = files.open(name, mode);
    if (!opened) return parts_of(vfs).failed(std::move(opened).error(), SQLITE_CANTOPEN);
    Open* file = new (place) Open;
    file->pMethods = &methods;
    file->vfs = &parts_of(vfs);
    file->file = std::move(*opened);
    file->path = name;
    file->created = created;
    file->gathers = (flags & SQLITE_OPEN_WAL) != 0;
    if (out_flags) *out_flags = flags;
    return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    Result<void> removed = parts_of(vfs).files.remove(name);
    if (!removed && removed.error().code == Code::not_found) return SQLITE_IOERR_DELETE_NOENT;
    if (removed && sync_folder) removed = parts_of(vfs).files.sync_folder(folder_of(name));
    return removed ? SQLITE_OK : parts_of(vfs).failed(std::move(removed).error(), SQLITE_IOERR_DELETE);
}

int access_file(sqlite3_vfs* vfs, const char* name, int, int* there) {
    Result<bool> exists = parts_of(vfs).files.exists(name);
    if (!exists) return parts_of(vfs).failed(std::move(exists).error(), SQLITE_IOERR_ACCESS);
    *there = *exists;
    return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* to) {
    const std::size_t length = std::strlen(name);
    if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
    std::memcpy(to, name, length + 1);
    return SQLITE_OK;
}

int no_randomness(sqlite3_vfs*, int size, char* to) {
    std::memset(to, 0, static_cast<std::size_t>(size)); // SQLite draws from the default VFS, never from this one
    return size;
}
int no_sleep(sqlite3_vfs*, int) { return 0; }
int no_time(sqlite3_vfs*, double* now) {
    *now = 0; // only SQL's date functions ask
    return SQLITE_OK;
}
int no_last_error(sqlite3_vfs*, int, char*) { return 0; }

} // namespace

Vfs::Vfs(env::Files& files) : parts_(std::make_unique<Parts>(files)) {
    static std::atomic<unsigned> count = 0;
    parts_->name = "skerry-" + std::to_string(++count);
    sqlite3_vfs& vfs = parts_->vfs;
    vfs.iVersion = 1;
    vfs.szOsFile = sizeof(Open);
    vfs.mxPathname = 4096;
    vfs.zName = parts_->name.c_str();
    vfs.pAppData = parts_.get();
    vfs.xOpen = open_file;
    vfs.xDelete = delete_file;
    vfs.xAccess = access_file;
    vfs.xFullPathname = full_path;
    vfs.xRandomness = no_randomness;
    vfs.xSleep = no_sleep;
    vfs.xCurrentTime = no_time;
    vfs.xGetLastError = no_last_error;
    CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

Vfs::~Vfs() { sqlite3_vfs_unregister(&parts_->vfs); }

const char* Vfs::name() const { return parts_->name.c_str(); }

std::optional<Error> Vfs::take_error() { return std::exchange(parts_->error, std::nullopt); }

} // namespace skerry::store
