#include "oci/image_files.h"

#include "base/digest.h"
#include "oci/digest.h"
#include "oci/layers/tar_stream.h"
#include "os/fd.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

namespace skerry::oci {

namespace {

class FolderFiles : public ImageFiles {
public:
    explicit FolderFiles(os::Fd folder) : folder_(std::move(folder)) {}

    Result<std::optional<std::string>> document(const std::string& name) override {
        auto file = TRY(open_file(name));
        if (!file) return std::nullopt;
        if (file->second > static_cast<std::int64_t>(max_document))
            return fail(Code::invalid, name + ": " + std::to_string(file->second) + " bytes; at most " +
                                           std::to_string(max_document) + " are accepted");
        FdSource source(file->first.number());
        std::string bytes;
        for (;;) {
            auto piece = TRY(source.next() | during(name));
            if (piece.empty()) return bytes;
            bytes += piece;
            if (bytes.size() > max_document) return fail(Code::invalid, name + ": grew while it was read");
        }
    }

    Result<std::optional<Facts>> facts(const std::string& name) override {
        auto file = TRY(open_file(name));
        if (!file) return std::nullopt;
        return Facts{file->second, "", ""};
    }

    Result<void> visit(const std::set<std::string>& names, const Visitor& visitor) override {
        for (auto& name : names) {
            auto file = TRY(open_file(name));
            if (!file) return fail(Code::not_found, name + ": has gone while the image was read");
            FdSource source(file->first.number());
            for (;;) {
                auto piece = TRY(source.next() | during(name));
                TRY_VOID(visitor(name, piece));
                if (piece.empty()) break;
            }
        }
        return {};
    }

private:
    /// Names are ours or made of digests, so they cannot lead elsewhere.
    Result<std::optional<std::pair<os::Fd, std::int64_t>>> open_file(const std::string& name) {
        os::Fd file(::openat(folder_.number(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        if (!file && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
        if (!file) return fail_errno("open " + name);
        struct stat found {};
        if (::fstat(file.number(), &found) < 0) return fail_errno("look at " + name);
        if (!S_ISREG(found.st_mode)) return fail(Code::invalid, name + ": is not a regular file");
        return std::pair(std::move(file), static_cast<std::int64_t>(found.st_size));
    }

    os::Fd folder_;
};

/// "./a//b" → "a/b"; "" for names that leave the archive.
std::string plain_name(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        auto slash = path.find('/');
        auto part = path.substr(0, slash);
        path.remove_prefix(slash == path.npos ? path.size() : slash + 1);
        if (part.empty() || part == ".") continue;
        if (part == "..") {
            if (parts.empty()) return {};
            parts.pop_back();
        } else
            parts.push_back(part);
    }
    std::string name;
    for (auto part : parts) name += (name.empty() ? "" : "/") + std::string(part);
    return name;
}

class ArchiveFiles : public ImageFiles {
public:
    ArchiveFiles(os::Fd file, off_t start, const ReadLimits& limits) : file_(std::move(file)), start_(start), limits_(limits) {}

    /// First reading: what is there, its digests, and every small file that looks like JSON.
    Result<void> catalogue() {
        return walk([this](const TarEntry& entry, TarStream& stream) -> Result<void> {
            if (entry.path.size() > max_name)
                return fail(Code::invalid, "an entry's name has " + std::to_string(entry.path.size()) + " bytes");
            std::string name = plain_name(entry.path);
            if (name.empty()) return {};
            names_size_ += name.size() + entry.target.size();
            if (entry.target.size() > max_name || names_size_ > max_names)
                return fail(Code::exhausted,
                            "the archive's names have more than " + std::to_string(max_names) + " bytes together");
            if (entry.type == TarEntry::Type::symlink)
                aliases_[name] = plain_name(name.substr(0, name.rfind('/') + 1) + entry.target);
            if (entry.type == TarEntry::Type::hard_link) aliases_[name] = plain_name(entry.target);
            if (entry.type != TarEntry::Type::file) return {};
            aliases_.erase(name);
            return catalogue_file(name, entry, stream);
        });
    }

    Result<std::optional<std::string>> document(const std::string& name) override {
        auto found = documents_.find(resolve(name));
        if (found != documents_.end()) return found->second;
        if (files_.contains(resolve(name)))
            return fail(Code::invalid, name + ": is not a JSON document of at most " + std::to_string(max_document) + " bytes");
        return std::nullopt;
    }

    Result<std::optional<Facts>> facts(const std::string& name) override {
        auto found = files_.find(resolve(name));
        if (found == files_.end()) return std::nullopt;
        return found->second;
    }

    Result<void> visit(const std::set<std::string>& names, const Visitor& visitor) override {
        std::map<std::string, std::string> wanted;
        for (auto& name : names) wanted[resolve(name)] = name;
        TRY_VOID(walk([&](const TarEntry& entry, TarStream& stream) -> Result<void> {
            auto found = entry.type == TarEntry::Type::file ? wanted.find(plain_name(entry.path)) : wanted.end();
            if (found == wanted.end()) return {};
            auto name = found->second;
            wanted.erase(found); // of an entry that appears twice, the first; the catalogue keeps that one too
            TRY_VOID(each_piece(entry, stream, [&](std::string_view piece) { return visitor(name, piece); }));
            return visitor(name, {});
        }));
        if (!wanted.empty())
            return fail(Code::corrupt, wanted.begin()->first + ": was not there any more when the archive was read again");
        return {};
    }

private:
    static constexpr std::size_t max_name = 4096;
    static constexpr std::size_t max_names = 16 << 20;

    Result<void> walk(const std::function<Result<void>(const TarEntry&, TarStream&)>& each) {
        if (::lseek(file_.number(), start_, SEEK_SET) < 0) return fail_errno("rewind the archive");
        FdSource source(file_.number());
        auto stream = TRY(TarStream::open(source, {limits_.total_bytes, limits_.ratio}));
        std::int64_t entries = 0;
        while (const TarEntry* entry = TRY(stream->next())) {
            if (++entries > limits_.entries)
                return fail(Code::exhausted, "the archive has more than " + std::to_string(limits_.entries) + " entries");
            TRY_VOID(each(*entry, *stream));
        }
        return {};
    }

    /// Holes count as zeros.
    static Result<void> each_piece(const TarEntry& entry, TarStream& stream,
                                   const std::function<Result<void>(std::string_view)>& piece) {
        static constexpr char zeros[4096] = {};
        std::int64_t at = 0;
        auto fill = [&](std::int64_t until) -> Result<void> {
            while (at < until) {
                auto count = std::min<std::int64_t>(until - at, sizeof zeros);
                TRY_VOID(piece({zeros, static_cast<std::size_t>(count)}));
                at += count;
            }
            return {};
        };
        while (auto block = TRY(stream.data())) {
            if (block->offset < at || block->offset > entry.size ||
                static_cast<std::int64_t>(block->bytes.size()) > entry.size - block->offset)
                return fail(Code::corrupt, "\"" + entry.path.substr(0, 300) + "\" holds more than its size says");
            TRY_VOID(fill(block->offset));
            if (!block->bytes.empty()) TRY_VOID(piece(block->bytes));
            at += static_cast<std::int64_t>(block->bytes.size());
        }
        return fill(entry.size);
    }

    Result<void> catalogue_file(const std::string& name, const TarEntry& entry, TarStream& stream) {
        if (entry.size < 0 || entry.size > max_blob)
            return fail(Code::exhausted, "\"" + name.substr(0, 300) + "\" has " + std::to_string(entry.size) +
                                             " bytes; at most " + std::to_string(max_blob) + " are accepted");
        if (files_.contains(name)) return {};
        Sha256 hash;
        std::string head, text;
        bool may_be_document = entry.size <= static_cast<std::int64_t>(max_document);
        TRY_VOID(each_piece(entry, stream, [&](std::string_view piece) -> Result<void> {
            hash.add(piece);
            if (head.size() < 4) head += piece.substr(0, 4 - head.size());
            if (may_be_document && text.empty() && !piece.empty() && piece[0] != '{' && piece[0] != '[') may_be_document = false;
            if (may_be_document) text += piece;
            return {};
        }));
        files_[name] = {entry.size, digest_text(hash.finish()), head};
        if (!may_be_document || text.empty()) return {};
        documents_size_ += static_cast<std::int64_t>(text.size());
        if (documents_size_ > limits_.documents_bytes)
            return fail(Code::exhausted, "the archive's JSON documents have more than " +
                                             std::to_string(limits_.documents_bytes) + " bytes together");
        documents_.emplace(name, std::move(text));
        return {};
    }

    std::string resolve(std::string name) const {
        for (int hops = 0; hops < 8; ++hops) {
            auto alias = aliases_.find(name);
            if (alias == aliases_.end()) break;
            name = alias->second;
        }
        return name;
    }

    os::Fd file_;
    off_t start_;
    ReadLimits limits_;
    std::map<std::string, Facts> files_;
    std::map<std::string, std::string> aliases_;
    std::map<std::string, std::string> documents_;
    std::int64_t documents_size_ = 0;
    std::size_t names_size_ = 0;
};

/// A pipe can be read once only, so its bytes go to a file without a name.
Result<os::Fd> spool(int pipe, const ReadOptions& options) {
    os::Fd file(::open(options.temporary.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (!file) return fail_errno("make a temporary file in " + options.temporary);
    FdSource source(pipe);
    std::int64_t total = 0;
    for (;;) {
        auto piece = TRY(source.next());
        if (piece.empty()) return file;
        total += static_cast<std::int64_t>(piece.size());
        if (total > options.limits.total_bytes)
            return fail(Code::exhausted, "the archive has more than " + std::to_string(options.limits.total_bytes) + " bytes");
        while (!piece.empty()) {
            ssize_t wrote = ::write(file.number(), piece.data(), piece.size());
            if (wrote < 0 && errno == EINTR) continue;
            if (wrote < 0) return fail_errno("write to a temporary file in " + options.temporary);
            piece.remove_prefix(static_cast<std::size_t>(wrote));
        }
    }
}

} // namespace

Result<std::unique_ptr<ImageFiles>> open_image_files(const std::string& source, const ReadOptions& options) {
    bool standard_input = source == "-";
    os::Fd file;
    if (standard_input) {
        file = os::Fd(::fcntl(0, F_DUPFD_CLOEXEC, 3));
        if (!file) return fail_errno("open standard input");
    } else
        file = TRY(os::open(source, O_RDONLY));
    struct stat found {};
    if (::fstat(file.number(), &found) < 0) return fail_errno("look at the image");
    if (S_ISDIR(found.st_mode)) return std::make_unique<FolderFiles>(std::move(file));
    off_t start = 0;
    if (S_ISREG(found.st_mode)) {
        start = ::lseek(file.number(), 0, SEEK_CUR);
        if (start < 0) return fail_errno("find the place in the archive");
    } else
        file = TRY(spool(file.number(), options));
    auto archive = std::make_unique<ArchiveFiles>(std::move(file), start, options.limits);
    TRY_VOID(archive->catalogue());
    return archive;
}

} // namespace skerry::oci
