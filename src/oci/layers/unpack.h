#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::oci {

/// Where bytes come from, piece by piece.
class ByteSource {
public:
    virtual ~ByteSource() = default;
    /// The next piece, valid until the next call; empty at the end.
    virtual Result<std::string_view> next() = 0;
};

struct UnpackLimits {
    std::int64_t bytes = std::int64_t{32} << 30; ///< of files, and of the tar stream
    std::int64_t entries = 1'000'000;
    std::size_t path = 4095;   ///< length of a name
    std::int64_t ratio = 1200; ///< uncompressed to compressed, once past 64 MiB (gzip reaches 1030 on zeros)
};

enum class Owners {
    as_archived, ///< needs root
    ours,        ///< for tests and fuzzers without root: no chown, opaque folders marked in `user.` instead of `trusted.`
};

struct UnpackOptions {
    std::string diff_id; ///< expected digest of the uncompressed tar; empty: not compared
    std::string blob;    ///< expected digest of the bytes as they come; empty: not compared
    UnpackLimits limits;
    Owners owners = Owners::as_archived;
};

struct Unpacked {
    std::string diff_id;
    std::string blob;
    std::int64_t bytes = 0; ///< of regular files
    std::int64_t entries = 0;
};

/// Unpacks one layer (tar; plain, gzip or zstd) into the empty folder open at `folder`, in the form that overlayfs takes as a
/// lower layer:
/// `.wh.x` becomes a character device 0/0 named x, `.wh..wh..opq` the xattr `trusted.overlay.opaque` of its folder.
///
/// Kept: type, mode with setuid, owner, mtime, hard links, `security.capability` and `user.*`; other xattrs are dropped. Refused:
/// device nodes,
/// `..` in a name, hard links to anything not in this layer. Every path is resolved by the kernel with `folder` as its root
/// (openat2), so neither symlinks nor hard links lead out. A name that appears twice: the later one stands. Memory does not grow
/// with the layer, except for the times of folders. On error the folder's content is worthless and the caller removes it. Nothing
/// is synced.
Result<Unpacked> unpack_layer(ByteSource& source, int folder, const UnpackOptions& options = {});

/// The same from memory: for tests and fuzzers.
Result<Unpacked> unpack_bytes(std::string_view bytes, int folder, const UnpackOptions& options = {});

} // namespace skerry::oci
