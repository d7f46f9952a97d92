#pragma once

#include "base/digest.h"
#include "base/result.h"
#include "depot/depot.h"
#include "depot/mark.h"
#include "depot/spans.h"
#include "env/files.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::depot {

/// A blob on its way: its file, how far it goes without a gap, and the hash so far.
struct Depot::Transfer {
public:
    /// Resumes what is known to be on the disk (and hashes it again), drops what is not.
    static Result<std::unique_ptr<Transfer>> open(env::Files&, const std::string& path, const std::string& mark_path,
                                                  std::string_view boot_id, std::uint64_t size);

    Result<std::uint64_t> write(std::uint64_t offset, std::string_view bytes);
    Result<void> sync();
    /// Of all bytes, once they are here.
    const Digest& digest();

    std::uint64_t size() const { return size_; }
    std::uint64_t have() const { return have_; }
    std::uint64_t durable() const { return durable_; }
    /// Still to come.
    std::uint64_t outstanding() const { return size_ - have_ - ahead_.total(); }

private:
    Transfer(std::unique_ptr<env::File> file, Mark mark, std::uint64_t size)
        : file_(std::move(file)), mark_(std::move(mark)), size_(size) {}
    Result<void> hash_until(std::uint64_t end);

    std::unique_ptr<env::File> file_;
    Mark mark_;
    Sha256 hash_;
    std::optional<Digest> digest_;
    std::uint64_t size_;
    std::uint64_t have_ = 0;
    std::uint64_t durable_ = 0; ///< made durable by this process
    Spans ahead_;               ///< written beyond a gap
};

} // namespace skerry::depot
