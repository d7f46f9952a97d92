#pragma once

#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace skerry::drivers::container {

/// The bytes of images on this machine, by digest ("sha256:…"). Main joins it to the depot. Called on workers, from several at
/// once.
class Blobs {
public:
    virtual ~Blobs() = default;
    /// Up to `size` bytes at `offset`; fewer only at the end. `not_found` where the blob is not complete on this machine.
    virtual Result<std::string> read(const std::string& digest, std::uint64_t offset, std::size_t size) = 0;
    /// A file with exactly these bytes; `unsupported` where there is no such file, and `read` is used.
    virtual Result<std::string> path(const std::string& digest) = 0;
};

} // namespace skerry::drivers::container
