#pragma once

#include "base/digest.h"
#include "base/result.h"
#include "oci/layers/unpack.h"

#include <array>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::oci {

/// Bytes in memory, as one piece.
class TextSource : public ByteSource {
public:
    explicit TextSource(std::string_view bytes) : bytes_(bytes) {}
    Result<std::string_view> next() override { return std::exchange(bytes_, std::string_view()); }

private:
    std::string_view bytes_;
};

/// An open file or pipe, from where it stands to its end. Does not own the descriptor.
class FdSource : public ByteSource {
public:
    explicit FdSource(int fd) : fd_(fd), buffer_(64 << 10, '\0') {}
    Result<std::string_view> next() override;

private:
    int fd_;
    std::string buffer_;
};

/// One entry of a tar archive, as it stands there: nothing in it is trusted.
struct TarEntry {
    enum class Type { file, folder, symlink, hard_link, fifo, device, other } type = Type::other;
    std::string path;
    std::string target; ///< of links
    std::int64_t size = 0;
    unsigned mode = 0; ///< 07777
    std::int64_t uid = 0;
    std::int64_t gid = 0;
    timespec modified{};
    std::vector<std::pair<std::string, std::string>> xattrs;
};

/// A tar archive, plain or compressed with gzip or zstd, read once from front to end in bounded memory; hashes what comes in and
/// what the compression hides. Names are the archive's own bytes whatever the process's locale.
class TarStream {
public:
    struct Limits {
        std::int64_t bytes = 0; ///< uncompressed
        std::int64_t ratio = 0;
    };

    /// `source` must outlive the stream.
    static Result<std::unique_ptr<TarStream>> open(ByteSource& source, Limits limits);
    ~TarStream();

    /// The next entry; none at the end. Valid until the next call.
    Result<const TarEntry*> next();

    struct Block {
        std::int64_t offset = 0;
        std::string_view bytes;
    };
    /// The next piece of the entry's content; none at its end. Between pieces may be holes.
    Result<std::optional<Block>> data();

    struct Digests {
        std::string incoming;     ///< of the bytes as they came
        std::string uncompressed; ///< of the tar
    };
    /// Reads whatever is left and tells the digests. Once, last.
    Result<Digests> finish();

private:
    struct State;
    explicit TarStream(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace skerry::oci
