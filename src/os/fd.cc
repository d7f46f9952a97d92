#include "os/fd.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace skerry::os {

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        reset();
        number_ = std::exchange(other.number_, -1);
    }
    return *this;
}

Fd::~Fd() { reset(); }

void Fd::reset() {
    // Linux frees the number even where close reports an error, so there is nothing to repeat.
    if (number_ >= 0) ::close(std::exchange(number_, -1));
}

Result<Fd> open(const std::string& path, int flags, unsigned mode) {
    for (;;) {
        int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
        if (fd >= 0) return Fd(fd);
        if (errno != EINTR) return fail_errno("open " + path);
    }
}

Result<std::pair<Fd, Fd>> pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno("pipe");
    return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<Deadline> Deadline::after(Duration duration) {
    Fd fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!fd) return fail_errno("timerfd_create");
    // Zero would disarm the timer instead of ending it at once.
    auto nanos = std::max<Duration::rep>(1, duration.count());
    itimerspec spec{};
    spec.it_value.tv_sec = static_cast<time_t>(nanos / 1'000'000'000);
    spec.it_value.tv_nsec = static_cast<long>(nanos % 1'000'000'000);
    if (::timerfd_settime(fd.number(), 0, &spec, nullptr) < 0) return fail_errno("timerfd_settime");
    return Deadline(std::move(fd));
}

bool Deadline::passed() const {
    pollfd entry{fd_.number(), POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

Result<void> wait_for(int fd, short events, const Deadline& deadline) {
    for (;;) {
        pollfd entries[2] = {{fd, events, 0}, {deadline.number(), POLLIN, 0}};
        if (::poll(entries, 2, -1) < 0) {
            if (errno == EINTR) continue;
            return fail_errno("poll");
        }
        if (entries[0].revents != 0) return {};
        if (entries[1].revents != 0) return fail(Code::timeout, "the deadline passed");
    }
}

} // namespace skerry::os
