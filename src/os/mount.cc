#include "os/mount.h"

#include "os/fd.h"
#include "os/files.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace skerry::os {
namespace {

/// Octal escapes of space, tab, newline and backslash.
std::string unescape(std::string_view text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '7' ? text[at] - '0' : -1; };
        if (text[i] == '\\' && digit(i + 1) >= 0 && digit(i + 2) >= 0 && digit(i + 3) >= 0) {
            plain += static_cast<char>(digit(i + 1) * 64 + digit(i + 2) * 8 + digit(i + 3));
            i += 3;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

std::vector<std::string_view> words(std::string_view line) {
    std::vector<std::string_view> found;
    while (!line.empty()) {
        auto space = line.find(' ');
        if (space != 0) found.push_back(line.substr(0, space));
        if (space == std::string_view::npos) break;
        line.remove_prefix(space + 1);
    }
    return found;
}

bool is_beneath(std::string_view path, std::string_view folder) {
    if (folder == "/" || path == folder) return true;
    return path.starts_with(folder) && path[folder.size()] == '/';
}

std::string without_slash(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

/// overlayfs splits at commas and layers at colons; a backslash takes the meaning away (Documentation/filesystems/overlayfs.rst).
std::string escaped(std::string_view path, bool is_layer) {
    std::string text;
    for (char c : path) {
        if (c == '\\' || c == ',' || (is_layer && c == ':')) text += '\\';
        text += c;
    }
    return text;
}

std::string joined(const std::vector<std::string>& options) {
    std::string text;
    for (const auto& option : options) text += (text.empty() ? "" : ",") + option;
    return text;
}

std::string plain_options(const Overlay& overlay) {
    std::vector<std::string> options;
    std::string layers;
    for (const auto& layer : overlay.lower) layers += (layers.empty() ? "" : ":") + escaped(layer, true);
    options.push_back("lowerdir=" + layers);
    if (!overlay.upper.empty()) {
        options.push_back("upperdir=" + escaped(overlay.upper, false));
        options.push_back("workdir=" + escaped(overlay.work, false));
    }
    options.insert(options.end(), overlay.options.begin(), overlay.options.end());
    return joined(options);
}

/// Mounts with each folder named by the number of an open descriptor, relative to /proc/self/fd, as seen by a child made for
/// this: a working folder belongs to all threads of a process, so ours cannot move.
Result<void> mount_by_descriptors(const Overlay& overlay, const std::string& target) {
    std::vector<Fd> kept;
    auto number = [&](const std::string& path) -> Result<std::string> {
        kept.push_back(TRY(open(path, O_PATH | O_DIRECTORY)));
        return std::to_string(kept.back().number());
    };
    Overlay named{.lower = {}, .upper = {}, .work = {}, .options = overlay.options};
    for (const auto& layer : overlay.lower) named.lower.push_back(TRY(number(layer)));
    if (!overlay.upper.empty()) {
        named.upper = TRY(number(overlay.upper));
        named.work = TRY(number(overlay.work));
    }
    Fd where = TRY(open(target, O_PATH | O_DIRECTORY));
    std::string place = "/proc/self/fd/" + std::to_string(where.number());
    std::string options = plain_options(named);
    unsigned long flags = overlay.upper.empty() ? MS_RDONLY : 0;
    pid_t pid = ::fork();
    if (pid < 0) return fail_errno("mount overlay at " + target);
    if (pid == 0) {
        if (::chdir("/proc/self/fd") < 0 || ::mount("overlay", place.c_str(), "overlay", flags, options.c_str()) < 0)
            ::_exit(errno);
        ::_exit(0);
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return fail_errno("waitpid");
    if (!WIFEXITED(status)) return fail(Code::internal, "mount overlay at " + target + ": the mounting process was killed");
    if (WEXITSTATUS(status) != 0) return fail_errno("mount overlay at " + target, WEXITSTATUS(status));
    return {};
}

} // namespace

std::vector<MountPoint> parse_mountinfo(std::string_view text) {
    std::vector<MountPoint> found;
    while (!text.empty()) {
        auto newline = text.find('\n');
        auto fields = words(text.substr(0, newline));
        text = newline == std::string_view::npos ? std::string_view{} : text.substr(newline + 1);
        auto dash = std::ranges::find(fields, "-");
        if (dash - fields.begin() < 6 || fields.end() - dash < 3) continue;
        MountPoint point;
        auto read = [](std::string_view word, std::uint64_t& value) {
            return std::from_chars(word.data(), word.data() + word.size(), value).ec == std::errc{};
        };
        if (!read(fields[0], point.id) || !read(fields[1], point.parent)) continue;
        point.root = unescape(fields[3]);
        point.target = unescape(fields[4]);
        point.options = fields[5];
        point.filesystem = dash[1];
        // An empty source is written as nothing at all.
        bool sourceless = fields.end() - dash == 3;
        point.source = sourceless ? "" : unescape(dash[2]);
        point.super_options = unescape(sourceless ? dash[2] : dash[3]);
        found.push_back(std::move(point));
    }
    return found;
}

Result<std::vector<MountPoint>> mounts() { return parse_mountinfo(TRY(read_file("/proc/thread-self/mountinfo", 256 << 20))); }

Result<std::vector<MountPoint>> mounts_beneath(const std::string& folder) {
    auto all = TRY(mounts());
    std::string top = without_slash(folder);
    std::erase_if(all, [&](const MountPoint& point) { return !is_beneath(point.target, top); });
    return all;
}

Result<bool> is_mount_point(const std::string& path) {
    auto all = TRY(mounts());
    return std::ranges::find(all, without_slash(path), &MountPoint::target) != all.end();
}

Result<void> mount(const std::string& source, const std::string& target, const std::string& filesystem, unsigned long flags,
                   const std::string& options) {
    const char* kind = filesystem.empty() ? nullptr : filesystem.c_str();
    if (::mount(source.c_str(), target.c_str(), kind, flags, options.empty() ? nullptr : options.c_str()) < 0)
        return fail_errno("mount " + (filesystem.empty() ? source : filesystem) + " at " + target);
    return {};
}

Result<void> bind_mount(const std::string& source, const std::string& target, bool read_only) {
    TRY_VOID(mount(source, target, "", MS_BIND));
    // The first call ignores every flag but MS_BIND (mount(2)).
    if (read_only) {
        auto locked = mount(source, target, "", MS_BIND | MS_REMOUNT | MS_RDONLY);
        if (!locked) {
            ::umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
            return locked;
        }
    }
    return {};
}

Result<void> umount(const std::string& target, bool lazy) {
    if (::umount2(target.c_str(), UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) == 0) return {};
    // EINVAL says that nothing is mounted there.
    if (errno == EINVAL || errno == ENOENT) return {};
    return fail_errno("umount " + target);
}

Result<void> umount_beneath(const std::string& folder) {
    // Stacked mounts show again as the ones above go; the bound is far above any real stack.
    for (int round = 0; round < 64; ++round) {
        auto points = TRY(mounts_beneath(folder));
        if (points.empty()) return {};
        for (auto point = points.rbegin(); point != points.rend(); ++point) {
            auto done = umount(point->target);
            if (!done) TRY_VOID(umount(point->target, true));
        }
    }
    return fail(Code::unavailable, "umount beneath " + folder + ": new mounts keep appearing");
}

Result<void> mount_overlay(const Overlay& overlay, const std::string& target) {
    if (overlay.lower.empty() || overlay.lower.size() > 500)
        return fail(Code::invalid, "mount overlay at " + target + ": " + std::to_string(overlay.lower.size()) +
                                       " layers; from 1 to 500 are possible");
    std::string options = plain_options(overlay);
    // mount(2) takes one page of options and ends it with a zero byte.
    if (options.size() >= static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) - 1) return mount_by_descriptors(overlay, target);
    return mount("overlay", target, "overlay", overlay.upper.empty() ? MS_RDONLY : 0, options);
}

} // namespace skerry::os
