#pragma once

#include "base/result.h"
#include "base/time.h"

#include <cstdint>
#include <string>
#include <utility>

namespace skerry::os {

/// An open file descriptor, closed when destroyed. -1 means none.
class Fd {
public:
    Fd() = default;
    explicit Fd(int number) : number_(number) {}
    Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Fd& operator=(Fd&& other) noexcept;
    Fd(const Fd&) = delete;
    ~Fd();

    int number() const { return number_; }
    explicit operator bool() const { return number_ >= 0; }
    int release() { return std::exchange(number_, -1); }
    void reset();

private:
    int number_ = -1;
};

/// open(2), always with O_CLOEXEC.
Result<Fd> open(const std::string& path, int flags, unsigned mode = 0);
/// pipe2(2) with O_CLOEXEC: {reading end, writing end}.
Result<std::pair<Fd, Fd>> pipe();

/// A timer that becomes readable once its time has passed: a deadline for poll(2) that survives EINTR, without reading a clock.
class Deadline {
public:
    static Result<Deadline> after(Duration);
    int number() const { return fd_.number(); }
    bool passed() const;

private:
    explicit Deadline(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

/// Waits until `fd` shows one of `events` (POLLIN…) or the deadline passes (`timeout`).
Result<void> wait_for(int fd, short events, const Deadline&);

} // namespace skerry::os
