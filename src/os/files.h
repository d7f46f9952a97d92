#pragma once

#include "base/result.h"
#include "os/fd.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Files of the machine itself: /proc, /sys, and small files of drivers. The stores go through `env::Files` instead.
namespace skerry::os {

/// mkdir(2) for the path and each missing parent. An existing folder is fine; a file in the way is `exists`.
Result<void> mkdirs(const std::string& path, unsigned mode = 0755);
/// mkdtemp(3): a new folder `prefix` + six characters, mode 0700.
Result<std::string> mkdtemp(const std::string& prefix);
Result<bool> exists(const std::string& path);
/// Names without "." and "..", sorted. `not_found` where there is no such folder.
Result<std::vector<std::string>> list(const std::string& folder);

/// Whole content of a small file, also where the kernel makes it up while it is read. Longer than `limit` is `exhausted`.
Result<std::string> read_file(const std::string& path, std::size_t limit = 1 << 20);
/// One write(2) into an existing file: for /proc, /sys and cgroup files, which take a value per call.
Result<void> write_file(const std::string& path, std::string_view bytes);
/// After a crash or power cut there is the old file or the new one: temporary name beside it, fsync, rename, fsync of the folder.
Result<void> write_file_atomically(const std::string& path, std::string_view bytes, unsigned mode = 0644);

/// Replaces `to` in one step; both on one file system.
Result<void> rename(const std::string& from, const std::string& to);
/// Nothing to remove is fine.
Result<void> unlink(const std::string& path);
Result<void> rmdir(const std::string& path);
/// Removes a folder and all in it, or a file. Follows no symbolic link and enters no other mount: one found inside is `conflict`,
/// with what was already removed gone. Nothing to remove is fine.
Result<void> remove_tree(const std::string& path);
Result<void> symlink(const std::string& target, const std::string& path);
Result<std::string> readlink(const std::string& path);

/// flock(2), held until destroyed or until the process ends, however it ends.
class FileLock {
public:
    /// Makes the file where there is none. `conflict` when another process holds it.
    static Result<FileLock> take(const std::string& path);

    /// What the file says from now on, for whoever finds it locked.
    Result<void> say(std::string_view text) const;

private:
    FileLock(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    Fd fd_;
    std::string path_;
};

} // namespace skerry::os
