#include "os/netns.h"

#include "base/check.h"
#include "os/fd.h"
#include "os/files.h"
#include "os/mount.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace skerry::os {

Result<bool> is_netns(const std::string& path) {
    struct statfs found {};
    if (::statfs(path.c_str(), &found) < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return false;
        return fail_errno("statfs " + path);
    }
    return found.f_type == NSFS_MAGIC;
}

Result<void> make_netns(const std::string& path) {
    if (TRY(is_netns(path))) return {};
    TRY(open(path, O_RDONLY | O_CREAT, 0600));
    // A child gets the new namespace, so that no thread of ours ever leaves its own; it makes system calls only.
    pid_t pid = ::fork();
    if (pid < 0) return fail_errno("make network namespace " + path);
    if (pid == 0) {
        if (::unshare(CLONE_NEWNET) < 0 || ::mount("/proc/self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) < 0)
            ::_exit(errno);
        ::_exit(0);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return fail_errno("waitpid");
    if (!WIFEXITED(status)) return fail(Code::internal, "make network namespace " + path + ": the process doing it was killed");
    if (WEXITSTATUS(status) != 0) return fail_errno("make network namespace " + path, WEXITSTATUS(status));
    return {};
}

Result<void> remove_netns(const std::string& path) {
    // Two tries that raced may have mounted one over the other.
    for (int layer = 0; layer < 8 && TRY(is_netns(path)); ++layer) TRY_VOID(umount(path, true));
    return unlink(path);
}

Result<void> in_netns(const std::string& path, const std::function<Result<void>()>& call) {
    Fd home = TRY(open("/proc/thread-self/ns/net", O_RDONLY));
    Fd there = TRY(open(path, O_RDONLY));
    if (::setns(there.number(), CLONE_NEWNET) < 0) return fail_errno("enter network namespace " + path);
    auto done = call();
    CHECK(::setns(home.number(), CLONE_NEWNET) == 0);
    return done;
}

} // namespace skerry::os
