#include "base/log.h"
#include "store/state.h"

#include <algorithm>

namespace skerry::store {

namespace {

constexpr Duration pause_between_passes = 1h;
constexpr std::size_t mended_at_once = 128, mended_bytes = 4 << 20;

bool same(const PartState& a, const PartState& b) {
    return a.from == b.from && (a.bytes == b.bytes || (a.bytes && b.bytes && *a.bytes == *b.bytes));
}

} // namespace

/// The disk is compared with memory a few rows at a time (rule S5). What it lost or holds damaged is written again from memory,
/// so that the next start finds it; only what is found so at a start has to come from elsewhere.
void Store::State::arm_scrub() {
    if (options.scrub_step <= Duration{}) return;
    Duration wait = options.scrub_step;
    if (scrub_place.empty()) wait = std::max(wait, pause_between_passes);
    scrub_timer = env.timers.after(wait, [this] {
        scrub_due = true;
        turn_soon();
    });
}

void Store::State::draft_scrub() {
    std::size_t bytes = 0;
    for (std::size_t n = 0; n < mended_at_once && bytes < mended_bytes && !unsound.empty(); ++n) {
        Key key = std::move(unsound.extract(unsound.begin()).value());
        const Tables::Row* row = tables.find(key);
        if (!row || flight->staged.contains(key)) continue; // erased meanwhile, or written in this very batch
        clean(*row);
        flight->write->batch.put.push_back(row->object);
        bytes += row->object->wish.bytes->size();
        ++mended;
    }
    if (!std::exchange(scrub_due, false)) return;
    if (scrub_place.empty()) {
        scrub_began = visible;
        scrub_seen.clear();
    }
    flight->write->scrub = scrub_place;
}

bool Store::State::is_as_here(const Tables::Row& ours, const Object& theirs) const {
    const Object& here = *ours.object;
    if (here.uid != theirs.uid || here.wish.number != theirs.wish.number) return false;
    // Soft parts are newer in memory until they are flushed.
    if (!ours.dirty && (here.found.number != theirs.found.number || here.seen.number != theirs.seen.number)) return false;
    return true;
}

void Store::State::compare(const Result<Backend::Rows>& rows) {
    if (!rows) {
        log(Level::error, "store", "the scrub cannot read the store's disk: {}", rows.error().message);
        scrub_place.clear();
        return arm_scrub();
    }
    for (const Backend::Rows::Row& row : rows->rows) {
        scrub_seen.push_back(std::hash<Key>{}(row.key));
        const Tables::Row* ours = tables.find(row.key);
        if (!ours) continue; // a tombstone, or what was missing at the start already
        if (!row.object || !is_as_here(*ours, *row.object)) {
            log(Level::error, "store", "{} {} on the disk; it is written again from memory", row.key.text(),
                row.object   ? "is another version"
                : row.erased ? "is erased"
                             : "does not match its checksum");
            unsound.insert(row.key);
        } else if (!same(ours->object->wish, row.object->wish)) {
            log(Level::error, "store",
                "{} differs in memory from the disk, where its checksum is right: this machine's memory may be failing; the "
                "disk's "
                "version counts from the next start on",
                row.key.text());
        }
    }
    scrub_place = rows->next;
    if (scrub_place.empty()) end_scrub_pass();
    arm_scrub();
    if (work_waits()) turn_soon();
}

void Store::State::end_scrub_pass() {
    std::ranges::sort(scrub_seen);
    tables.rows_after(0, [&](const Tables::Row& row) {
        const Object& object = *row.object;
        if (object.number() > scrub_began) return false;
        if (!std::ranges::binary_search(scrub_seen, std::hash<Key>{}(object.key))) {
            log(Level::error, "store", "{} is lost from the disk; it is written again from memory", object.key.text());
            unsound.insert(object.key);
        }
        return true;
    });
    scrub_seen = {};
}

} // namespace skerry::store
