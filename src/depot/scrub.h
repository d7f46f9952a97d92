#pragma once

#include "base/digest.h"
#include "base/result.h"
#include "depot/depot.h"
#include "env/files.h"

#include <memory>
#include <optional>

namespace skerry::depot {

/// One blob being read again, piece by piece, from the disk itself and not from the machine's memory of it (rule S5). Calls block.
class Scrub {
public:
    /// Reads up to `limit` bytes more. None while there is more to read; then whether the bytes are those of the digest. A blob
    /// that is not good is set aside.
    Result<std::optional<bool>> step(std::size_t limit);
    const Digest& digest() const { return digest_; }

private:
    friend class Depot;
    Scrub(Depot& depot, Digest digest, std::unique_ptr<env::File> file)
        : depot_(depot), digest_(std::move(digest)), file_(std::move(file)) {}
    Result<std::optional<bool>> damaged();

    Depot& depot_;
    Digest digest_;
    std::unique_ptr<env::File> file_;
    Sha256 hash_;
    std::uint64_t at_ = 0;
};

} // namespace skerry::depot
