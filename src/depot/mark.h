#pragma once

#include "base/result.h"
#include "env/files.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace skerry::depot {

/// Beside a partial blob: how many of its bytes, from the start, count. Three slots of 32 bytes, each in a sector of its own:
///
///     0     as written, valid as long as the machine has not gone down since (the page cache outlives a killed process)
///     512   as synced   } in turn, so that a torn one leaves the other
///     1024  as synced   }
///
///     slot: size of the blob (8) | bytes that count (8) | hash of the boot id (8) | hash of those 24 (8), big-endian
///
/// A slot is written only after the bytes it speaks of, and a synced one only after their sync, so whatever survives a cut is
/// true.
class Mark {
public:
    /// Makes the file if there is none.
    static Result<Mark> open(env::Files&, const std::string& path, std::string_view boot_id, std::uint64_t size);
    /// What an earlier process left; `size` 0 accepts any. 0 where there is no mark, or none that holds.
    static Result<std::uint64_t> read(env::Files&, const std::string& path, std::string_view boot_id, std::uint64_t size);

    Result<void> written(std::uint64_t have);
    Result<void> synced(std::uint64_t have);

private:
    Mark(std::unique_ptr<env::File> file, std::uint64_t boot, std::uint64_t size)
        : file_(std::move(file)), boot_(boot), size_(size) {}
    std::string slot(std::uint64_t have) const;

    std::unique_ptr<env::File> file_;
    std::uint64_t boot_;
    std::uint64_t size_;
    bool second_ = false;
};

} // namespace skerry::depot
