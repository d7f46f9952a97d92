#include "oci/layers/tar_stream.h"

#include "oci/digest.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <sys/stat.h>
#include <unistd.h>

namespace skerry::oci {

Result<std::string_view> FdSource::next() {
    for (;;) {
        ssize_t got = ::read(fd_, buffer_.data(), buffer_.size());
        if (got >= 0) return std::string_view(buffer_).substr(0, static_cast<std::size_t>(got));
        if (errno != EINTR) return fail_errno("read");
    }
}

namespace {

/// libarchive converts names between the archive's and the process's character set, and normalises Unicode on the way. Under the
/// "C" locale it cannot, and falls back to the raw bytes, which is what file names are.
class PlainLocale {
public:
    PlainLocale() : before_(uselocale(plain())) {}
    ~PlainLocale() { uselocale(before_); }
    PlainLocale(const PlainLocale&) = delete;
    PlainLocale& operator=(const PlainLocale&) = delete;

private:
    static locale_t plain() {
        static locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
        return locale;
    }
    locale_t before_;
};

struct Close {
    void operator()(archive* a) const { archive_read_free(a); }
};
using Reader = std::unique_ptr<archive, Close>;

std::string complaint(archive* a) {
    const char* text = archive_error_string(a);
    return text ? text : "unknown error";
}

std::string or_empty(const char* text) { return text ? text : ""; }

} // namespace

struct TarStream::State {
    ByteSource& source;
    Limits limits;
    Sha256 incoming_hash{};
    Sha256 tar_hash{};
    std::int64_t incoming = 0;
    std::int64_t uncompressed = 0;
    std::optional<Error> error{};
    bool outer_ended = false;
    std::array<char, 64 << 10> buffer{};
    TarEntry entry{};
    Reader outer{}; ///< undoes the compression
    Reader inner{}; ///< reads the tar

    la_ssize_t refuse(archive* a, Error why) {
        if (!error) error = std::move(why);
        archive_set_error(a, EIO, "%s", error->message.c_str());
        return -1;
    }

    static la_ssize_t read_incoming(archive* a, void* self, const void** piece) {
        auto& state = *static_cast<State*>(self);
        auto got = state.source.next();
        if (!got) return state.refuse(a, std::move(got).error());
        *piece = got->data();
        state.incoming_hash.add(*got);
        state.incoming += static_cast<std::int64_t>(got->size());
        return static_cast<la_ssize_t>(got->size());
    }

    static la_ssize_t read_tar(archive* a, void* self, const void** piece) {
        auto& state = *static_cast<State*>(self);
        auto got = state.more();
        if (!got) return state.refuse(a, std::move(got).error());
        *piece = got->data();
        return static_cast<la_ssize_t>(got->size());
    }

    /// The next uncompressed bytes, hashed and counted; empty at the end.
    Result<std::string_view> more() {
        if (outer_ended) return std::string_view();
        la_ssize_t got = archive_read_data(outer.get(), buffer.data(), buffer.size());
        if (got < 0) return std::unexpected(why(outer.get()));
        outer_ended = got == 0;
        std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
        tar_hash.add(bytes);
        uncompressed += got;
        if (uncompressed > limits.bytes)
            return fail(Code::exhausted, "the archive holds more than " + std::to_string(limits.bytes) + " bytes");
        constexpr std::int64_t free_of_suspicion = 64 << 20;
        if (uncompressed > free_of_suspicion && uncompressed / limits.ratio > incoming)
            return fail(Code::exhausted,
                        "the archive grows more than " + std::to_string(limits.ratio) + "-fold when uncompressed");
        return bytes;
    }

    Error why(archive* a) {
        if (error) return *error;
        return {Code::corrupt, "not a readable tar archive: " + complaint(a)};
    }
};

TarStream::TarStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
TarStream::~TarStream() = default;

Result<std::unique_ptr<TarStream>> TarStream::open(ByteSource& source, Limits limits) {
    PlainLocale locale;
    auto state = std::make_unique<State>(source, limits);
    State& s = *state;
    s.outer.reset(archive_read_new());
    s.inner.reset(archive_read_new());
    if (!s.outer || !s.inner) return fail(Code::exhausted, "no memory to read an archive");
    archive_read_support_filter_gzip(s.outer.get());
    archive_read_support_filter_zstd(s.outer.get());
    archive_read_support_format_raw(s.outer.get());
    archive_read_support_format_empty(s.outer.get());
    if (archive_read_open(s.outer.get(), &s, nullptr, State::read_incoming, nullptr) != ARCHIVE_OK)
        return std::unexpected(s.why(s.outer.get()));
    archive_entry* whole = nullptr;
    int header = archive_read_next_header(s.outer.get(), &whole);
    if (header == ARCHIVE_EOF)
        s.outer_ended = true;
    else if (header != ARCHIVE_OK && header != ARCHIVE_WARN)
        return std::unexpected(s.why(s.outer.get()));
    archive_read_support_format_tar(s.inner.get());
    archive_read_support_format_empty(s.inner.get());
    if (archive_read_open(s.inner.get(), &s, nullptr, State::read_tar, nullptr) != ARCHIVE_OK)
        return std::unexpected(s.why(s.inner.get()));
    return std::unique_ptr<TarStream>(new TarStream(std::move(state)));
}

Result<const TarEntry*> TarStream::next() {
    PlainLocale locale;
    State& s = *state_;
    archive_entry* found = nullptr;
    int outcome = archive_read_next_header(s.inner.get(), &found);
    if (outcome == ARCHIVE_EOF) return nullptr;
    // A warning tells of names outside the locale, or of details that are not used here.
    if ((outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) || s.error) return std::unexpected(s.why(s.inner.get()));
    TarEntry entry;
    entry.path = or_empty(archive_entry_pathname(found));
    if (entry.path.empty()) return fail(Code::invalid, "an entry without a name");
    entry.size = archive_entry_size_is_set(found) ? archive_entry_size(found) : 0;
    entry.mode = archive_entry_mode(found) & 07777;
    entry.uid = archive_entry_uid(found);
    entry.gid = archive_entry_gid(found);
    entry.modified = {archive_entry_mtime(found), std::clamp<long>(archive_entry_mtime_nsec(found), 0, 999'999'999)};
    if (const char* link = archive_entry_hardlink(found)) {
        entry.type = TarEntry::Type::hard_link;
        entry.target = link;
    } else {
        switch (archive_entry_filetype(found)) {
        case AE_IFREG:
            entry.type = TarEntry::Type::file;
            break;
        case AE_IFDIR:
            entry.type = TarEntry::Type::folder;
            break;
        case AE_IFLNK:
            entry.type = TarEntry::Type::symlink;
            entry.target = or_empty(archive_entry_symlink(found));
            break;
        case AE_IFIFO:
            entry.type = TarEntry::Type::fifo;
            break;
        case AE_IFCHR:
        case AE_IFBLK:
            entry.type = TarEntry::Type::device;
            break;
        default:
            entry.type = TarEntry::Type::other;
        }
    }
    archive_entry_xattr_reset(found);
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    while (archive_entry_xattr_next(found, &name, &value, &size) == ARCHIVE_OK)
        if (name) entry.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), value ? size : 0));
    s.entry = std::move(entry);
    return &s.entry;
}

Result<std::optional<TarStream::Block>> TarStream::data() {
    PlainLocale locale;
    State& s = *state_;
    const void* bytes = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    int outcome = archive_read_data_block(s.inner.get(), &bytes, &size, &offset);
    if (outcome == ARCHIVE_EOF) return std::nullopt;
    if (outcome != ARCHIVE_OK || s.error) return std::unexpected(s.why(s.inner.get()));
    return Block{offset, {static_cast<const char*>(bytes), size}};
}

Result<TarStream::Digests> TarStream::finish() {
    State& s = *state_;
    while (!s.outer_ended) (void)TRY(s.more());
    for (;;) {
        auto rest = TRY(s.source.next());
        if (rest.empty()) break;
        s.incoming_hash.add(rest);
    }
    return Digests{digest_text(s.incoming_hash.finish()), digest_text(s.tar_hash.finish())};
}

} // namespace skerry::oci
