#pragma once

#include "sync/frame.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What a courier file carries of a link's slices (rule C1): frames, as on a wire, though all of one moment and in one direction.
///
///     Courier                from whom to whom, base, up to where, what the sender holds of the other direction
///     Batch …                items with their whole keys, what is referred to first; no removals, no close
///     Listing …              key and digest of every item of the slices
///
/// The listings make a file complete whatever the receiver holds: what it holds and they lack goes, and what they have and it lacks
/// shows that the two had diverged before (rule L3). So an item costs 32 bytes where it did not change.
///
/// Worked example. A site has its parent's slice up to 100, and said so. The parent packs F1 at 120 and F2 at 150, both with base
/// 100. F1 applies: 100 ≤ 100, then the site is at 120. F2 applies: 100 ≤ 120, then it is at 150. F1 again, or a file that was
/// lost behind a drawer and ends at 110: nothing new. A site whose disk went back to an older copy, at 70, refuses both: what
/// changed between 70 and 100 is in neither.
namespace skerry::sync {

/// One slice, as of one moment.
struct CarriedSlice {
    std::vector<Batch> batches;
    std::vector<Listed> listing;
};

struct CarriedSlices {
    Courier courier;
    CarriedSlice slices[lanes];
};

/// Of all frames together.
inline constexpr std::size_t max_carried_bytes = 256 << 20;

/// `exhausted` beyond `max_carried_bytes`.
Result<std::string> write_carried(const CarriedSlices&);
/// Everything is bounded; `invalid` names what is wrong.
Result<CarriedSlices> read_carried(std::string_view bytes);

/// Whether a file brings something to a cell that holds the sender's desired slice up to `held` (none: nothing, or unknown).
enum class Brings { news, status_only, nothing };
/// `conflict`, with a remedy, where it does not build on what is here: its base is beyond, or its history is another one.
Result<Brings> judge(const Courier&, const std::optional<Cursor>& held);

/// What taking a file changes here.
struct Taken {
    Brings brings = Brings::nothing;
    bool is_latest = false; ///< it is as late as all that is here: what it acknowledges counts
    std::size_t items = 0, removals = 0;
    std::size_t status = 0;  ///< items of the status slice, removals included
    std::size_t lacking = 0; ///< items that the sender takes to be here, and that are not: the cursor stays where it is
    std::size_t kept = 0;    ///< items beyond the listing that stay, since they may be newer than the file
};

} // namespace skerry::sync
