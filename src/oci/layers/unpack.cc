#include "oci/layers/unpack.h"

#include "oci/digest.h"
#include "oci/layers/layer_folder.h"
#include "oci/layers/tar_stream.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <vector>

namespace skerry::oci {

namespace {

using Parts = std::vector<std::string>;

/// Lets no layer make memory grow: beyond this many folders their times are not kept.
constexpr std::size_t max_folder_times = 100'000;

class Unpacking {
public:
    Unpacking(ByteSource& source, int folder, const UnpackOptions& options)
        : source_(source), folder_(folder, options.owners), options_(options) {}

    Result<Unpacked> run() {
        stream_ = TRY(TarStream::open(source_, {options_.limits.bytes, options_.limits.ratio}));
        while (const TarEntry* entry = TRY(stream_->next())) {
            if (++done_.entries > options_.limits.entries)
                return fail(Code::exhausted, "the layer has more than " + std::to_string(options_.limits.entries) + " entries");
            TRY_VOID(place(*entry) | during("layer entry \"" + entry->path.substr(0, 300) + "\""));
        }
        for (auto& [parts, modified] : folder_times_)
            if (auto found = folder_.find_folder(parts)) set_times(found->number(), modified);
        auto digests = TRY(stream_->finish());
        done_.diff_id = digests.uncompressed;
        done_.blob = digests.incoming;
        if (!options_.blob.empty() && options_.blob != done_.blob)
            return fail(Code::corrupt, "the layer's bytes have digest " + done_.blob + ", not " + options_.blob);
        if (!options_.diff_id.empty() && options_.diff_id != done_.diff_id)
            return fail(Code::corrupt,
                        "the uncompressed layer has digest " + done_.diff_id + "; the image's config says " + options_.diff_id);
        return done_;
    }

private:
    Result<void> place(const TarEntry& entry) {
        Parts parts = TRY(LayerFolder::split(entry.path, options_.limits.path));
        if (parts.empty()) {
            if (entry.type != TarEntry::Type::folder) return fail(Code::invalid, "the root is not a folder");
            return dress_folder(folder_.root(), parts, entry);
        }
        os::Fd parent = TRY(folder_.ensure_parent(parts));
        const std::string& name = parts.back();
        if (name.starts_with(".wh.")) return white_out(parent.number(), std::string_view(name).substr(4));
        if (entry.type == TarEntry::Type::hard_link) return link(parent.number(), name, entry);
        auto before = TRY(LayerFolder::occupant(parent.number(), name));
        bool keep = before == LayerFolder::Occupant::folder && entry.type == TarEntry::Type::folder;
        if (!keep && before != LayerFolder::Occupant::none) TRY_VOID(LayerFolder::clear(parent.number(), name));
        switch (entry.type) {
        case TarEntry::Type::file:
            return write_file(parent.number(), name, entry);
        case TarEntry::Type::folder:
            return make_folder(parent.number(), parts, entry, before);
        case TarEntry::Type::symlink:
            return make_symlink(parent.number(), name, entry);
        case TarEntry::Type::fifo:
            if (::mkfifoat(parent.number(), name.c_str(), 0600) < 0) return fail_errno("make fifo");
            if (folder_.owners() == Owners::as_archived) TRY_VOID(own(parent.number(), name, entry));
            if (::fchmodat(parent.number(), name.c_str(), entry.mode, 0) < 0) return fail_errno("set mode");
            return {};
        case TarEntry::Type::device:
            return fail(Code::invalid, "is a device node; an image may not bring its own devices");
        case TarEntry::Type::hard_link:
        case TarEntry::Type::other:
            break;
        }
        return fail(Code::invalid, "is of a type that a layer cannot have");
    }

    /// Image specification, "Whiteouts": hides what lower layers have, not what this one has.
    Result<void> white_out(int parent, std::string_view hidden) {
        if (hidden == ".wh..opq") {
            os::Fd folder(::openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            if (!folder) return fail_errno("open folder");
            return folder_.make_opaque(folder.number());
        }
        if (hidden.starts_with(".wh.")) return {}; // AUFS's own files, no part of the image
        if (hidden.empty() || hidden == "." || hidden == "..") return fail(Code::invalid, "a whiteout without a name");
        std::string name(hidden);
        switch (TRY(LayerFolder::occupant(parent, name))) {
        case LayerFolder::Occupant::folder: {
            os::Fd folder(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            if (!folder) return fail_errno("open folder");
            return folder_.make_opaque(folder.number());
        }
        case LayerFolder::Occupant::none:
            if (::mknodat(parent, name.c_str(), S_IFCHR, 0) < 0) return fail_errno("make whiteout");
            return {};
        case LayerFolder::Occupant::whiteout:
        case LayerFolder::Occupant::other:
            break;
        }
        return {};
    }

    Result<void> link(int parent, const std::string& name, const TarEntry& entry) {
        Parts parts = TRY(LayerFolder::split(entry.target, options_.limits.path) | during("hard link target"));
        auto target = folder_.find(parts);
        if (!target)
            return fail(Code::invalid,
                        "hard link to \"" + entry.target.substr(0, 300) + "\", which is not in this layer before it");
        struct stat found {};
        if (::fstat(target->number(), &found) < 0) return fail_errno("look at the hard link's target");
        if (!S_ISREG(found.st_mode) && !S_ISLNK(found.st_mode))
            return fail(Code::invalid, "hard link to \"" + entry.target.substr(0, 300) + "\", which is no file");
        struct stat present {};
        bool same = ::fstatat(parent, name.c_str(), &present, AT_SYMLINK_NOFOLLOW) == 0 && present.st_ino == found.st_ino;
        if (same) return {};
        TRY_VOID(LayerFolder::clear(parent, name));
        if (::linkat(target->number(), "", parent, name.c_str(), AT_EMPTY_PATH) == 0) return {};
        // Without CAP_DAC_READ_SEARCH an open descriptor is linked through /proc (open(2), O_TMPFILE).
        std::string by_number = "/proc/self/fd/" + std::to_string(target->number());
        if (::linkat(AT_FDCWD, by_number.c_str(), parent, name.c_str(), AT_SYMLINK_FOLLOW) < 0)
            return fail_errno("make hard link");
        return {};
    }

    Result<void> write_file(int parent, const std::string& name, const TarEntry& entry) {
        if (entry.size < 0 || entry.size > options_.limits.bytes - done_.bytes)
            return fail(Code::exhausted, "the layer's files pass " + std::to_string(options_.limits.bytes) + " bytes");
        done_.bytes += entry.size;
        os::Fd file(::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!file) return fail_errno("create");
        while (auto block = TRY(stream_->data())) {
            if (block->offset < 0 || block->offset > entry.size ||
                static_cast<std::int64_t>(block->bytes.size()) > entry.size - block->offset)
                return fail(Code::corrupt, "holds more than its size says");
            while (!block->bytes.empty()) {
                ssize_t wrote = ::pwrite(file.number(), block->bytes.data(), block->bytes.size(), block->offset);
                if (wrote < 0 && errno == EINTR) continue;
                if (wrote < 0) return fail_errno("write");
                block->bytes.remove_prefix(static_cast<std::size_t>(wrote));
                block->offset += wrote;
            }
        }
        if (::ftruncate(file.number(), entry.size) < 0) return fail_errno("set size");
        TRY_VOID(dress(file.number(), entry));
        set_times(file.number(), entry.modified);
        return {};
    }

    Result<void> make_folder(int parent, const Parts& parts, const TarEntry& entry, LayerFolder::Occupant before) {
        const std::string& name = parts.back();
        if (before != LayerFolder::Occupant::folder && ::mkdirat(parent, name.c_str(), 0700) < 0)
            return fail_errno("make folder");
        os::Fd made(::openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!made) return fail_errno("open folder");
        // It replaces what lower layers have under this name, rather than merging with it.
        if (before == LayerFolder::Occupant::whiteout) TRY_VOID(folder_.make_opaque(made.number()));
        return dress_folder(made.number(), parts, entry);
    }

    Result<void> dress_folder(int fd, const Parts& parts, const TarEntry& entry) {
        TRY_VOID(dress(fd, entry));
        if (folder_times_.size() < max_folder_times) folder_times_.emplace_back(parts, entry.modified);
        return {};
    }

    Result<void> make_symlink(int parent, const std::string& name, const TarEntry& entry) {
        if (entry.target.empty() || entry.target.size() > options_.limits.path)
            return fail(Code::invalid, "a symlink to nothing, or to too long a name");
        if (::symlinkat(entry.target.c_str(), parent, name.c_str()) < 0) return fail_errno("make symlink");
        if (folder_.owners() == Owners::as_archived) TRY_VOID(own(parent, name, entry));
        timespec times[2] = {entry.modified, entry.modified};
        (void)::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
        return {};
    }

    static Result<std::pair<uid_t, gid_t>> ids(const TarEntry& entry) {
        auto fits = [](std::int64_t id) { return id >= 0 && id < 0xffff'ffff; };
        if (!fits(entry.uid) || !fits(entry.gid))
            return fail(Code::invalid,
                        "owner " + std::to_string(entry.uid) + ":" + std::to_string(entry.gid) + " is out of range");
        return std::pair(static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid));
    }

    static Result<void> own(int parent, const std::string& name, const TarEntry& entry) {
        auto [uid, gid] = TRY(ids(entry));
        if (::fchownat(parent, name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno("set owner");
        return {};
    }

    /// Owner first, since chown takes setuid and capabilities away.
    Result<void> dress(int fd, const TarEntry& entry) {
        if (folder_.owners() == Owners::as_archived) {
            auto [uid, gid] = TRY(ids(entry));
            if (::fchown(fd, uid, gid) < 0) return fail_errno("set owner");
        }
        if (::fchmod(fd, entry.mode) < 0) return fail_errno("set mode");
        for (auto& [name, value] : entry.xattrs) {
            bool kept = (name == "security.capability" && folder_.owners() == Owners::as_archived) ||
                        (name.starts_with("user.") && !name.starts_with("user.overlay."));
            if (!kept || name.size() > 255 || value.size() > (64 << 10)) continue;
            if (::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) < 0 && errno != EOPNOTSUPP)
                return fail_errno("set " + name);
        }
        return {};
    }

    static void set_times(int fd, timespec modified) {
        timespec times[2] = {modified, modified};
        (void)::futimens(fd, times); // a time the file system cannot hold is no reason to refuse the layer
    }

    ByteSource& source_;
    LayerFolder folder_;
    const UnpackOptions& options_;
    std::unique_ptr<TarStream> stream_;
    Unpacked done_;
    std::vector<std::pair<Parts, timespec>> folder_times_;
};

} // namespace

Result<Unpacked> unpack_layer(ByteSource& source, int folder, const UnpackOptions& options) {
    return Unpacking(source, folder, options).run();
}

Result<Unpacked> unpack_bytes(std::string_view bytes, int folder, const UnpackOptions& options) {
    TextSource source(bytes);
    return unpack_layer(source, folder, options);
}

} // namespace skerry::oci
