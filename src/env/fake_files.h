#pragma once

#include "env/env.h"
#include "env/files.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::env {

/// What a power cut does to everything that no sync covered.
enum class Loss : std::uint8_t {
    everything, ///< nothing unsynced reached the disk
    nothing,    ///< all of it did, by luck
    chance, ///< per file: dropped, kept, torn at any byte, some writes and not others, or each sector of 512 bytes at an age of
            ///< its own
};

/// A disk in memory that behaves like one.
///
/// It keeps two trees: what programs see, and what is on the platter. `sync` carries a file's writes over, `sync_folder` a
/// folder's creations, renames and removals (of that folder alone: a new folder needs its parent synced too). At a power cut, a
/// prefix of the unsynced folder operations survives, a rename whole or not at all.
///
/// Every write, truncate, sync, create, make_folder, rename, remove and sync_folder that could change the platter is one step,
/// numbered from 1, so that a test can cut the power at each of them:
///
///     for (std::uint64_t n = 0;; ++n) {
///         FakeFiles disk;
///         disk.cut_after(n);
///         auto outcome = work(disk);               // step n+1 and all that follow fail
///         bool done = !disk.dark();
///         for (Loss loss : ...) check(*disk.after_cut(loss, chance));
///         if (done) break;
///     }
///
/// A step that the cut interrupts may have taken effect: a write counts as unsynced, a sync as not done.
/// Paths are split at '/', without `.` and `..`; `/a/b` and `a/b` are the same file. Thread-safe.
class FakeFiles final : public Files {
public:
    FakeFiles();
    ~FakeFiles() override;

    Result<std::unique_ptr<File>> open(const std::string& path, Mode) override;
    Result<bool> exists(const std::string& path) override;
    Result<void> remove(const std::string& path) override;
    Result<void> rename(const std::string& from, const std::string& to) override;
    Result<void> make_folder(const std::string& path) override;
    /// Sorted.
    Result<std::vector<std::string>> list(const std::string& folder) override;
    Result<void> sync_folder(const std::string& path) override;
    Result<std::uint64_t> free() override;

    /// Steps so far.
    std::uint64_t steps() const;
    /// Lets steps up to and including number `n` happen; from step n+1 on everything fails with `Code::unavailable`, also reads.
    void cut_after(std::uint64_t n);
    /// Whether a cut has happened.
    bool dark() const;
    /// Makes step number `n` fail once with this error, without effect (an I/O error).
    void fail_step(std::uint64_t n, Error error);

    /// The disk as a machine finds it when it starts again after a power cut now. May be asked several times, with other luck.
    std::unique_ptr<FakeFiles> after_cut(Loss, Chance&) const;
    /// The same, in place: power goes and comes back. Open files stay dead.
    void power_cut(Loss, Chance&);

    /// Room for file contents. A write that does not fit leaves the part that does, and fails with `Code::exhausted`.
    void limit(std::uint64_t bytes);
    /// Turns one bit around, on the platter and in what programs see. The file must have that many bytes.
    void flip_bit(const std::string& path, std::uint64_t bit);

    struct Disk;

private:
    explicit FakeFiles(std::shared_ptr<Disk>);

    std::shared_ptr<Disk> disk_;
};

} // namespace skerry::env
