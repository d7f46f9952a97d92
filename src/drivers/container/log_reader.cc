#include "drivers/container/log_reader.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace skerry::drivers::container {

namespace {

constexpr std::size_t longest_line = 256 << 10;

} // namespace

FileLogReader::FileLogReader(LogSeries series, LogWindow window)
    : series_(std::move(series)), window_(window), left_(window.limit_bytes >= 0 ? window.limit_bytes : -1) {}

Result<bool> FileLogReader::open_age(int age) {
    auto file = os::open(series_.path(age), O_RDONLY);
    if (!file && file.error().code == Code::not_found) return false;
    if (!file) return std::unexpected(file.error());
    file_ = std::move(*file);
    pending_.clear();
    return true;
}

/// Of all files together.
Result<std::int64_t> FileLogReader::size() const {
    std::int64_t bytes = 0;
    for (int age = 0; age <= series_.rotated; ++age) {
        struct stat there {};
        if (::stat(series_.path(age).c_str(), &there) == 0)
            bytes += there.st_size;
        else if (errno != ENOENT)
            return fail_errno("look at the log");
    }
    return bytes;
}

Result<void> FileLogReader::begin() {
    std::int64_t bytes = TRY(size());
    ahead_ = bytes;
    if (window_.tail >= 0) {
        // Counted first, so that the tail is found without keeping it in memory.
        counting_ = true;
        while (TRY(fill())) {
        }
        flush_parts();
        counting_ = false;
        skip_ = std::max<std::int64_t>(0, counted_ - window_.tail);
        file_.reset();
        pending_.clear();
        ahead_ = bytes;
    }
    return {};
}

/// To the file after the one that has been read to its end; false where there is none yet.
Result<bool> FileLogReader::move_on() {
    int from = series_.rotated + 1;
    if (file_) {
        struct stat own {};
        if (::fstat(file_.number(), &own) < 0) return fail_errno("look at the log");
        for (int age = 0; age <= series_.rotated; ++age) {
            struct stat there {};
            if (::stat(series_.path(age).c_str(), &there) == 0 && there.st_ino == own.st_ino && there.st_dev == own.st_dev)
                from = age;
        }
    }
    for (int age = from - 1; age >= 0; --age)
        if (TRY(open_age(age))) return true;
    return false;
}

/// Reads a piece; false at the end of all there is.
Result<bool> FileLogReader::fill() {
    char buffer[32 << 10];
    if (ahead_ == 0) return false;
    for (int ends = 0;;) {
        std::size_t most = ahead_ ? std::min<std::size_t>(sizeof buffer, static_cast<std::size_t>(*ahead_)) : sizeof buffer;
        ssize_t got = file_ ? ::read(file_.number(), buffer, most) : 0;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("read the log");
        if (got == 0) {
            // Between the two looks the writer may have added to the file that it has left by now.
            if (file_ && ++ends == 1) {
                struct stat newest {
                }, own{};
                bool is_newest = ::stat(series_.path(0).c_str(), &newest) == 0 && ::fstat(file_.number(), &own) == 0 &&
                                 newest.st_ino == own.st_ino;
                if (is_newest) return false;
                continue;
            }
            if (!TRY(move_on())) return false;
            ends = 0;
            continue;
        }
        if (ahead_) *ahead_ -= got;
        std::string_view piece(buffer, static_cast<std::size_t>(got));
        while (!piece.empty()) {
            auto end = piece.find('\n');
            pending_ += piece.substr(0, end);
            piece.remove_prefix(end == piece.npos ? piece.size() : end + 1);
            if (end == piece.npos && pending_.size() <= longest_line) break;
            take_line(pending_);
            pending_.clear();
        }
        return true;
    }
}

void FileLogReader::take_line(std::string_view line) {
    auto first = line.find(' ');
    auto second = first == line.npos ? line.npos : line.find(' ', first + 1);
    auto third = second == line.npos ? line.npos : line.find(' ', second + 1);
    if (third == line.npos) return; // not conmon's: a torn line after a power cut
    auto stream = line.substr(first + 1, second - first - 1);
    bool whole = line.substr(second + 1, third - second - 1).starts_with('F');
    Part& part = parts_[stream == "stderr" ? 1 : 0];
    if (part.stamp.empty()) part.stamp = line.substr(0, first);
    part.text += line.substr(third + 1);
    if (!whole && part.text.size() < longest_line) return;
    if (counting_)
        ++counted_;
    else if (skip_ > 0)
        --skip_;
    else
        lines_.push_back((window_.timestamps ? part.stamp + " " : "") + part.text + "\n");
    part = {};
}

void FileLogReader::flush_parts() {
    for (auto& part : parts_) {
        if (part.stamp.empty()) continue;
        if (counting_)
            ++counted_;
        else if (skip_ > 0)
            --skip_;
        else
            lines_.push_back((window_.timestamps ? part.stamp + " " : "") + part.text + "\n");
        part = {};
    }
}

Result<std::string> FileLogReader::next(std::size_t limit) {
    std::string out;
    if (left_ == 0) return out;
    for (;;) {
        while (!lines_.empty() && (out.empty() || out.size() + lines_.front().size() <= limit)) {
            out += lines_.front();
            lines_.pop_front();
            if (left_ > 0 && static_cast<std::int64_t>(out.size()) >= left_) {
                out.resize(static_cast<std::size_t>(left_));
                left_ = 0;
                return out;
            }
            // A line longer than the limit comes in pieces.
            if (out.size() > limit) {
                lines_.push_front(out.substr(limit));
                out.resize(limit);
                break;
            }
        }
        if (!lines_.empty()) break;
        if (TRY(fill())) continue;
        flush_parts();
        if (lines_.empty()) {
            if (out.empty()) ahead_.reset();
            break;
        }
    }
    if (left_ > 0) left_ -= static_cast<std::int64_t>(out.size());
    return out;
}

} // namespace skerry::drivers::container
