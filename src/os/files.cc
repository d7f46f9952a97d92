#include "os/files.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace skerry::os {
namespace {

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
    while (!bytes.empty()) {
        ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0) {
            if (errno == EINTR) continue;
            return fail_errno("write " + path);
        }
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

std::string folder_of(const std::string& path) {
    auto slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

Result<std::vector<std::string>> names_in(int fd, const std::string& path) {
    // fdopendir takes the descriptor over, so it gets one of its own.
    int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return fail_errno("open " + path);
    Folder folder(::fdopendir(copy));
    if (!folder) {
        int error = errno;
        ::close(copy);
        return fail_errno("list " + path, error);
    }
    ::rewinddir(folder.get());
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(folder.get());
        if (!entry) {
            if (errno != 0) return fail_errno("list " + path);
            break;
        }
        std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    std::ranges::sort(names);
    return names;
}

/// The mount a file is on; unlike the device number it tells bind mounts of one file system apart.
Result<std::uint64_t> mount_of(int folder, const char* name, int flags, const std::string& path) {
    struct statx found {};
    if (::statx(folder, name, flags | AT_NO_AUTOMOUNT, STATX_MNT_ID, &found) < 0) return fail_errno("stat " + path);
    if (found.stx_mask & STATX_MNT_ID) return found.stx_mnt_id;
    return (std::uint64_t{found.stx_dev_major} << 32) | found.stx_dev_minor;
}

Result<void> empty_folder(int fd, std::uint64_t mount, const std::string& path, int depth) {
    if (depth > 1000) return fail(Code::exhausted, "remove " + path + ": more than 1000 folders deep");
    for (const auto& name : TRY(names_in(fd, path))) {
        std::string inner = path + "/" + name;
        if (::unlinkat(fd, name.c_str(), 0) == 0 || errno == ENOENT) continue;
        int error = errno;
        if (error != EISDIR && error != EPERM && error != EBUSY) return fail_errno("remove " + inner, error);
        Fd sub(::openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!sub) {
            if (errno == ENOENT) continue;
            return fail_errno("remove " + inner, errno == ENOTDIR || errno == ELOOP ? error : errno);
        }
        if (TRY(mount_of(sub.number(), "", AT_EMPTY_PATH, inner)) != mount)
            return fail(Code::conflict, "remove " + inner + ": something is mounted there; unmount it first");
        TRY_VOID(empty_folder(sub.number(), mount, inner, depth + 1));
        if (::unlinkat(fd, name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) return fail_errno("remove " + inner);
    }
    return {};
}

} // namespace

Result<void> mkdirs(const std::string& path, unsigned mode) {
    for (std::size_t end = 1; end <= path.size(); ++end) {
        if (end != path.size() && path[end] != '/') continue;
        std::string part = path.substr(0, end);
        if (::mkdir(part.c_str(), mode) == 0) continue;
        if (errno != EEXIST) return fail_errno("mkdir " + part);
        struct stat found {};
        if (::stat(part.c_str(), &found) < 0) return fail_errno("mkdir " + part);
        if (!S_ISDIR(found.st_mode)) return fail(Code::exists, "mkdir " + part + ": there is a file of that name");
    }
    return {};
}

Result<std::string> mkdtemp(const std::string& prefix) {
    std::string path = prefix + "XXXXXX";
    if (!::mkdtemp(path.data())) return fail_errno("mkdtemp " + path);
    return path;
}

Result<bool> exists(const std::string& path) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail_errno("stat " + path);
}

Result<std::vector<std::string>> list(const std::string& folder) {
    Fd fd = TRY(open(folder, O_RDONLY | O_DIRECTORY));
    return names_in(fd.number(), folder);
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
    Fd fd = TRY(open(path, O_RDONLY));
    std::string text;
    char buffer[16384];
    for (;;) {
        ssize_t n = ::read(fd.number(), buffer, sizeof buffer);
        if (n < 0) {
            if (errno == EINTR) continue;
            return fail_errno("read " + path);
        }
        if (n == 0) return text;
        text.append(buffer, static_cast<std::size_t>(n));
        if (text.size() > limit)
            return fail(Code::exhausted, "read " + path + ": longer than " + std::to_string(limit) + " bytes");
    }
}

Result<void> write_file(const std::string& path, std::string_view bytes) {
    Fd fd = TRY(open(path, O_WRONLY));
    for (;;) {
        ssize_t n = ::write(fd.number(), bytes.data(), bytes.size());
        if (n == static_cast<ssize_t>(bytes.size())) return {};
        if (n >= 0) return fail(Code::internal, "write " + path + ": only part of the value was taken");
        if (errno != EINTR) return fail_errno("write " + path);
    }
}

Result<void> write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode) {
    std::string folder = folder_of(path);
    std::string temporary = path + ".tmp";
    {
        Fd fd = TRY(open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode));
        TRY_VOID(write_all(fd.number(), bytes, temporary));
        if (::fsync(fd.number()) < 0) return fail_errno("fsync " + temporary);
    }
    TRY_VOID(rename(temporary, path));
    Fd above = TRY(open(folder, O_RDONLY | O_DIRECTORY));
    if (::fsync(above.number()) < 0) return fail_errno("fsync " + folder);
    return {};
}

Result<void> rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) < 0) return fail_errno("rename " + from + " to " + to);
    return {};
}

Result<void> unlink(const std::string& path) {
    if (::unlink(path.c_str()) < 0 && errno != ENOENT) return fail_errno("unlink " + path);
    return {};
}

Result<void> rmdir(const std::string& path) {
    if (::rmdir(path.c_str()) < 0 && errno != ENOENT) return fail_errno("rmdir " + path);
    return {};
}

Result<void> remove_tree(const std::string& path) {
    struct stat found {};
    if (::lstat(path.c_str(), &found) < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return {};
        return fail_errno("remove " + path);
    }
    if (!S_ISDIR(found.st_mode)) return unlink(path);
    std::uint64_t outside = TRY(mount_of(AT_FDCWD, folder_of(path).c_str(), 0, path));
    Fd fd = TRY(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (TRY(mount_of(fd.number(), "", AT_EMPTY_PATH, path)) != outside)
        return fail(Code::conflict, "remove " + path + ": something is mounted there; unmount it first");
    TRY_VOID(empty_folder(fd.number(), outside, path, 0));
    return rmdir(path);
}

Result<void> symlink(const std::string& target, const std::string& path) {
    if (::symlink(target.c_str(), path.c_str()) < 0) return fail_errno("symlink " + path);
    return {};
}

Result<std::string> readlink(const std::string& path) {
    std::string target(4096, '\0');
    ssize_t n = ::readlink(path.c_str(), target.data(), target.size());
    if (n < 0) return fail_errno("readlink " + path);
    target.resize(static_cast<std::size_t>(n));
    return target;
}

Result<FileLock> FileLock::take(const std::string& path) {
    Fd fd = TRY(open(path, O_RDWR | O_CREAT, 0600));
    while (::flock(fd.number(), LOCK_EX | LOCK_NB) < 0) {
        if (errno == EINTR) continue;
        if (errno == EWOULDBLOCK) return fail(Code::conflict, "lock " + path + ": another process holds it");
        return fail_errno("lock " + path);
    }
    // Whoever held it may have removed the file before letting go: then the next comer locks another one of that name.
    struct stat ours {
    }, there{};
    if (::fstat(fd.number(), &ours) < 0) return fail_errno("lock " + path);
    if (::stat(path.c_str(), &there) < 0 || ours.st_ino != there.st_ino || ours.st_dev != there.st_dev) return take(path);
    return FileLock(std::move(fd), path);
}

Result<void> FileLock::say(std::string_view text) const {
    if (::ftruncate(fd_.number(), 0) < 0) return fail_errno("write " + path_);
    ssize_t n = ::pwrite(fd_.number(), text.data(), text.size(), 0);
    if (n < 0) return fail_errno("write " + path_);
    if (static_cast<std::size_t>(n) != text.size()) return fail(Code::exhausted, "write " + path_ + ": no space left");
    return {};
}

} // namespace skerry::os
