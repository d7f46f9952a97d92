#include "main/machine/ballast.h"

#include "base/log.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace skerry::main {

namespace {
constexpr std::uint64_t ballast_size = 12 << 20;
constexpr std::uint64_t hardly_anything = 6 << 20;
constexpr std::uint64_t plenty = 128 << 20;
} // namespace

Result<void> Ballast::settle() {
    std::uint64_t free = TRY(files_.free());
    bool there = TRY(files_.exists(path_));
    if (there && free < hardly_anything) {
        TRY_VOID(files_.remove(path_));
        log(Level::warning, "main", "the disk is full; {} MiB that were kept for this are free now: make room",
            ballast_size >> 20);
    }
    if (there || free < plenty) return {};
    int fd = ::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return fail_errno("make " + path_);
    int failed = ::posix_fallocate(fd, 0, ballast_size);
    ::close(fd);
    if (failed == 0) return {};
    (void)files_.remove(path_);
    return fail_errno("make " + path_, failed);
}

} // namespace skerry::main
