#include "drivers/container/exit_watch.h"

#include "base/log.h"
#include "os/files.h"

#include <climits>
#include <cstring>
#include <sys/inotify.h>
#include <unistd.h>

namespace skerry::drivers::container {

Result<ExitWatch> ExitWatch::on(const std::string& folder) {
    os::Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify) return fail_errno("inotify");
    ExitWatch watch(std::move(inotify), folder);
    TRY_VOID(watch.begin());
    return watch;
}

Result<void> ExitWatch::begin() {
    // conmon writes a temporary file and renames it.
    if (::inotify_add_watch(inotify_.number(), folder_.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) < 0)
        return fail_errno("watch " + folder_);
    return {};
}

void ExitWatch::drain(const std::function<void(const std::string&)>& ended) {
    alignas(inotify_event) char buffer[16 << 10];
    for (;;) {
        ssize_t got = ::read(inotify_.number(), buffer, sizeof buffer);
        if (got <= 0) return;
        for (ssize_t at = 0; at < got;) {
            inotify_event event{};
            std::memcpy(&event, buffer + at, sizeof event);
            const char* name = buffer + at + sizeof event;
            if (event.mask & IN_IGNORED) {
                if (auto made = os::mkdirs(folder_, 0700); !made || !begin())
                    log(Level::warning, "container", "{} was removed, and cannot be made again", folder_);
                ended("");
            } else if (event.mask & IN_Q_OVERFLOW)
                ended("");
            else if (event.len > 0)
                ended(std::string(name, ::strnlen(name, event.len)));
            at += static_cast<ssize_t>(sizeof event + event.len);
        }
    }
}

} // namespace skerry::drivers::container
