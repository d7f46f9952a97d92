#include "env/real/real_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace skerry::env {

namespace {

class RealFile final : public File {
public:
    RealFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
    ~RealFile() override { close(fd_); }

    Result<std::string> read(std::uint64_t offset, std::size_t size) override {
        // The file's own size bounds the allocation, whatever was asked for.
        std::uint64_t end = TRY(this->size());
        std::string bytes(static_cast<std::size_t>(offset < end ? std::min<std::uint64_t>(size, end - offset) : 0), '\0');
        std::size_t have = 0;
        while (have < bytes.size()) {
            ssize_t got = pread(fd_, bytes.data() + have, bytes.size() - have, static_cast<off_t>(offset + have));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return fail_errno("read " + path_);
            if (got == 0) break;
            have += static_cast<std::size_t>(got);
        }
        bytes.resize(have);
        return bytes;
    }

    Result<void> write(std::uint64_t offset, std::string_view bytes) override {
        while (!bytes.empty()) {
            ssize_t put = pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (put < 0 && errno == EINTR) continue;
            if (put < 0) return fail_errno("write " + path_);
            bytes.remove_prefix(static_cast<std::size_t>(put));
            offset += static_cast<std::uint64_t>(put);
        }
        return {};
    }

    Result<std::uint64_t> size() override {
        struct stat found {};
        if (fstat(fd_, &found) != 0) return fail_errno("stat " + path_);
        return static_cast<std::uint64_t>(found.st_size);
    }

    Result<void> truncate(std::uint64_t size) override {
        if (ftruncate(fd_, static_cast<off_t>(size)) != 0) return fail_errno("truncate " + path_);
        return {};
    }

    Result<void> sync() override {
        if (fdatasync(fd_) != 0) return fail_errno("sync " + path_);
        return {};
    }

    void forget(std::uint64_t offset, std::uint64_t size) override {
        (void)posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_DONTNEED);
    }

private:
    int fd_;
    std::string path_;
};

} // namespace

Result<std::unique_ptr<File>> RealFiles::open(const std::string& path, Mode mode) {
    int flags = mode == Mode::read ? O_RDONLY : mode == Mode::write ? O_RDWR : O_RDWR | O_CREAT;
    int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd < 0) return fail_errno("open " + path);
    auto file = std::make_unique<RealFile>(fd, path);
    struct stat found {};
    if (fstat(fd, &found) == 0 && S_ISDIR(found.st_mode)) return fail(Code::invalid, "open " + path + ": Is a directory");
    return file;
}

Result<bool> RealFiles::exists(const std::string& path) {
    struct stat found {};
    if (lstat(path.c_str(), &found) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail_errno("stat " + path);
}

Result<void> RealFiles::remove(const std::string& path) {
    if (unlink(path.c_str()) == 0) return {};
    if (errno == EISDIR && rmdir(path.c_str()) == 0) return {};
    if (errno == ENOTEMPTY) return fail(Code::conflict, "remove " + path + ": Directory not empty");
    return fail_errno("remove " + path);
}

Result<void> RealFiles::rename(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno("rename " + from + " to " + to);
    return {};
}

Result<void> RealFiles::make_folder(const std::string& path) {
    if (mkdir(path.c_str(), 0700) == 0) return {};
    int number = errno;
    struct stat found {};
    if (number == EEXIST && stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode)) return {};
    return fail_errno("make folder " + path, number);
}

Result<std::vector<std::string>> RealFiles::list(const std::string& folder) {
    DIR* open = opendir(folder.c_str());
    if (!open) return fail_errno("list " + folder);
    std::vector<std::string> names;
    errno = 0;
    while (dirent* entry = readdir(open)) {
        std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
        errno = 0;
    }
    int number = errno;
    closedir(open);
    if (number != 0) return fail_errno("list " + folder, number);
    return names;
}

Result<void> RealFiles::sync_folder(const std::string& path) {
    int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return fail_errno("open folder " + path);
    int failed = fsync(fd);
    int number = errno;
    close(fd);
    if (failed != 0) return fail_errno("sync folder " + path, number);
    return {};
}

Result<std::uint64_t> RealFiles::free() {
    struct statvfs found {};
    if (statvfs(folder_.c_str(), &found) != 0) return fail_errno("statvfs " + folder_);
    return static_cast<std::uint64_t>(found.f_bavail) * found.f_frsize;
}

} // namespace skerry::env
