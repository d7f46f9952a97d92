#include "oci/layers/layer_folder.h"

#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace skerry::oci {

namespace {

constexpr std::size_t max_depth = 256;

/// -1 and errno on failure.
int open_in_root(int root, const std::string& path, std::uint64_t flags) {
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    for (;;) {
        long fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return static_cast<int>(fd);
    }
}

std::string join(const std::vector<std::string>& parts, std::size_t count) {
    std::string path;
    for (std::size_t i = 0; i < count; ++i) path += (i ? "/" : "") + parts[i];
    return path.empty() ? "." : path;
}

bool is_whiteout(const struct stat& found) { return S_ISCHR(found.st_mode) && found.st_rdev == makedev(0, 0); }

} // namespace

Result<std::vector<std::string>> LayerFolder::split(std::string_view path, std::size_t limit) {
    if (path.size() > limit)
        return fail(Code::invalid,
                    "a name of " + std::to_string(path.size()) + " bytes; at most " + std::to_string(limit) + " are accepted");
    std::vector<std::string> parts;
    while (!path.empty()) {
        auto slash = path.find('/');
        auto part = path.substr(0, slash);
        path.remove_prefix(slash == path.npos ? path.size() : slash + 1);
        if (part.empty() || part == ".") continue;
        if (part == "..") return fail(Code::invalid, "a name with \"..\" in it");
        if (part.size() > 255) return fail(Code::invalid, "a name with a component of more than 255 bytes");
        if (parts.size() == max_depth)
            return fail(Code::invalid, "a name more than " + std::to_string(max_depth) + " folders deep");
        parts.emplace_back(part);
    }
    return parts;
}

Result<os::Fd> LayerFolder::ensure_child(int parent, const std::string& name) const {
    bool hid_lower = TRY(occupant(parent, name)) == Occupant::whiteout;
    if (hid_lower && ::unlinkat(parent, name.c_str(), 0) < 0) return fail_errno("replace whiteout " + name);
    if (::mkdirat(parent, name.c_str(), 0755) < 0) return fail_errno("make folder " + name);
    os::Fd made(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made) return fail_errno("open folder " + name);
    if (::fchmod(made.number(), 0755) < 0) return fail_errno("set the mode of folder " + name);
    if (hid_lower) TRY_VOID(make_opaque(made.number()));
    return made;
}

Result<os::Fd> LayerFolder::ensure_parent(const std::vector<std::string>& parts) {
    std::size_t count = parts.empty() ? 0 : parts.size() - 1;
    os::Fd parent(open_in_root(folder_, join(parts, count), O_PATH | O_DIRECTORY));
    if (parent) return parent;
    if (errno != ENOENT && errno != ENOTDIR) return fail_errno("open the folder " + join(parts, count));
    parent = os::Fd(open_in_root(folder_, ".", O_PATH | O_DIRECTORY));
    if (!parent) return fail_errno("open the layer's folder");
    for (std::size_t i = 1; i <= count; ++i) {
        os::Fd next(open_in_root(folder_, join(parts, i), O_PATH | O_DIRECTORY));
        if (!next) {
            auto found = TRY(occupant(parent.number(), parts[i - 1]));
            if (found != Occupant::none && found != Occupant::whiteout)
                return fail(Code::invalid, "\"" + join(parts, i) + "\" is no folder, yet something is to be in it");
            next = TRY(ensure_child(parent.number(), parts[i - 1]));
        }
        parent = std::move(next);
    }
    return parent;
}

Result<os::Fd> LayerFolder::find(const std::vector<std::string>& parts) const {
    os::Fd found(open_in_root(folder_, join(parts, parts.size()), O_PATH | O_NOFOLLOW));
    if (!found) return fail_errno("open " + join(parts, parts.size()));
    return found;
}

Result<os::Fd> LayerFolder::find_folder(const std::vector<std::string>& parts) const {
    os::Fd found(open_in_root(folder_, join(parts, parts.size()), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!found) return fail_errno("open folder " + join(parts, parts.size()));
    return found;
}

Result<LayerFolder::Occupant> LayerFolder::occupant(int parent, const std::string& name) {
    struct stat found {};
    if (::fstatat(parent, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT) return Occupant::none;
        return fail_errno("look at " + name);
    }
    if (S_ISDIR(found.st_mode)) return Occupant::folder;
    return is_whiteout(found) ? Occupant::whiteout : Occupant::other;
}

Result<void> LayerFolder::clear(int parent, const std::string& name) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno != EISDIR) return fail_errno("replace " + name);
    int number = ::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (number < 0) return fail_errno("replace " + name);
    std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(number), ::closedir);
    if (!folder) {
        ::close(number);
        return fail_errno("replace " + name);
    }
    while (dirent* child = ::readdir(folder.get())) {
        std::string_view inner = child->d_name;
        if (inner != "." && inner != "..") TRY_VOID(clear(number, std::string(inner)));
    }
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) < 0) return fail_errno("replace " + name);
    return {};
}

Result<void> LayerFolder::make_opaque(int folder) const {
    const char* name = owners_ == Owners::as_archived ? "trusted.overlay.opaque" : "user.overlay.opaque";
    if (::fsetxattr(folder, name, "y", 1, 0) < 0) return fail_errno(std::string("set ") + name);
    return {};
}

} // namespace skerry::oci
