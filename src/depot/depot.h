#pragma once

#include "base/digest.h"
#include "base/result.h"
#include "depot/digest.h"
#include "depot/spans.h"
#include "env/files.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::depot {

class Scrub;

struct DepotOptions {
    /// Bytes of the file system that transfers leave free for everybody else.
    std::uint64_t reserve = 256 << 20;
    /// env::Clock::boot_id: what an earlier process wrote without a sync still counts as long as the machine has not gone down
    /// since.
    std::string boot_id;
    /// A transfer is made durable each time it grew by this much; a power cut costs at most that.
    std::uint64_t sync_every = 8 << 20;
};

/// The bytes of this machine, each blob under the digest of its content.
///
///     <folder>/blobs/ab/ab34…      whole and verified; whatever stands here has that digest
///     <folder>/partial/ab34…       a transfer under way
///     <folder>/partial/ab34….mark  how much of it counts (mark.h)
///     <folder>/damaged/ab34…       set aside by a scrub, for whoever wants to look; the next sweep takes it
///
/// A blob is acknowledged when `finish` (or `put`) returns: from then on it is there, whole, after any power cut. Before that a
/// transfer resumes at the first byte that is not known to be on the disk. Other bytes than the digest's are never served as a
/// blob.
///
/// Calls block: they are made on workers, one at a time (one lane), except `has`, `size`, `path`, `read`, `list` and scrubs,
/// which may run beside anything.
class Depot {
public:
    /// Makes the folders where they are missing (the parent of `folder` must exist) and clears what a cut left half done.
    static Result<std::unique_ptr<Depot>> open(env::Files&, std::string folder, DepotOptions options = {});
    ~Depot();

    Result<bool> has(const Digest&) const;
    /// `not_found` where there is no whole blob.
    Result<std::uint64_t> size(const Digest&) const;
    /// The blob's file, for those who open it themselves. Pin it first: a sweep takes what nobody wants.
    Result<std::string> path(const Digest&) const;
    /// Up to `size` bytes from `offset`; fewer only at the end; at most 4 MiB.
    Result<std::string> read(const Digest&, std::uint64_t offset, std::size_t size) const;
    /// A whole small blob (a manifest); `exhausted` beyond `limit`.
    Result<std::string> read_whole(const Digest&, std::size_t limit = 4 << 20) const;

    /// Begins or resumes a transfer and returns how many bytes from the start are here already (`size` where the blob is whole).
    /// Refuses with `exhausted`, naming what is needed and what is free, when it and the transfers under way would eat into the
    /// reserve; with `conflict` where an earlier call gave another size.
    Result<std::uint64_t> open_partial(const Digest&, std::uint64_t size);
    /// Bytes from the start that a transfer could resume with, without opening it; 0 where there is none.
    Result<std::uint64_t> have(const Digest&) const;
    /// Adds bytes of an open transfer, in any order; what was there before may come again. Returns the bytes present from the
    /// start without a gap. Out-of-order parts beyond a gap do not survive a restart.
    Result<std::uint64_t> write(const Digest&, std::uint64_t offset, std::string_view bytes);
    /// Verifies, makes durable, and shows the blob under its name. `corrupt` naming both digests for wrong content, which is
    /// deleted; `conflict` while bytes are missing. Repeating it after success is fine.
    Result<void> finish(const Digest&);
    /// Closes a transfer and keeps its bytes, durably, for later.
    Result<void> suspend(const Digest&);
    /// Closes a transfer and deletes its bytes.
    Result<void> abandon(const Digest&);

    /// All at once, for what fits into memory.
    Result<Digest> put(std::string_view bytes);

    /// A pinned blob or transfer is not swept. Pins count, and live in memory only. On the lane, as what they keep sweeps from.
    void pin(const Digest&);
    void unpin(const Digest&);
    struct Swept {
        std::uint64_t blobs = 0;
        std::uint64_t bytes = 0;
    };
    /// Deletes all that is neither in `keep`, nor pinned, nor an open transfer.
    Result<Swept> sweep(const std::set<Digest>& keep);

    struct Entry {
        Digest digest;
        std::uint64_t size = 0;
    };
    /// All whole blobs.
    Result<std::vector<Entry>> list() const;

    /// Reads a blob again; false, and the blob set aside, if its bytes are no longer those of its digest (rule S5).
    Result<bool> scrub(const Digest&);
    /// The same piece by piece, for those who must not be felt (scrub.h).
    Result<std::unique_ptr<Scrub>> begin_scrub(const Digest&);

private:
    friend class Scrub;
    struct Transfer;
    Depot(env::Files&, std::string folder, DepotOptions);
    Result<void> prepare();
    std::string blob_path(const Digest&) const;
    std::string shard(const Digest&) const;
    std::string partial_path(const Digest&) const;
    Result<void> check_room(const Digest&, std::uint64_t needed) const;
    Result<void> remove_partial(const Digest&);
    Result<void> make_durable(const Digest&, Transfer&);
    Result<void> show(const Digest&);
    Result<void> sweep_folder(const std::string& path, const std::set<Digest>& keep, Swept&);
    Result<void> set_aside(const Digest&);
    bool is_held(const Digest&, const std::set<Digest>& keep) const;

    env::Files& files_;
    std::string folder_;
    DepotOptions options_;
    std::map<Digest, std::unique_ptr<Transfer>> transfers_;
    std::map<Digest, int> pins_;
};

} // namespace skerry::depot
