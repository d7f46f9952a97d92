#include "base/check.h"
#include "store/state.h"

#include <fmt/format.h>

#include <utility>

namespace skerry::store {

namespace {

constexpr std::size_t flush_rows = 1'024;
constexpr std::size_t flush_bytes = 4 << 20;

std::size_t size(const Blob& blob) { return blob ? blob->size() : 0; }

bool says(const PartState& part, const std::string& bytes, const CellId& from) {
    return part.bytes && *part.bytes == bytes && part.from == from;
}

} // namespace

Result<void> Store::State::report(Report report) {
    CHECK(report.part != Part::wish, "a wish is committed, not reported");
    if (dead) return std::unexpected(*dead);
    if (report.bytes->size() > Transaction::max_bytes)
        return fail(Code::exhausted, fmt::format("{}: a status holds at most {} bytes; this one has {}", report.key.text(),
                                                 Transaction::max_bytes, report.bytes->size()));
    const Tables::Row* row = tables.find(report.key);
    if (!row) return fail(Code::not_found, report.key.text() + ": its status has no object to go to");
    if (row->object->uid != report.uid)
        return fail(Code::not_found, fmt::format("{}: its status is for uid {}, the object has uid {}", report.key.text(),
                                                 report.uid.text(), row->object->uid.text()));
    if (flight) {
        std::size_t& place = report_places[report.key][static_cast<std::size_t>(report.part)];
        if (place) {
            reports[place - 1] = std::move(report);
        } else {
            reports.push_back(std::move(report));
            place = reports.size();
        }
        return {};
    }
    if (auto change = apply(report)) watches.tell({std::move(*change)});
    return {};
}

std::optional<Change> Store::State::apply(const Report& report) {
    const Tables::Row* row = tables.find(report.key);
    if (!row || row->object->uid != report.uid || says(row->object->part(report.part), *report.bytes, report.from)) return {};
    const ObjectPtr before = row->object;
    auto after = std::make_shared<Object>(*before);
    const Number number = visible = ++assigned;
    after->part(report.part) = {report.bytes, number, report.from};
    tables.put(after).dirty = true;
    arm_flush();
    return Change{report.key, before, std::move(after), number};
}

void Store::State::arm_flush() {
    if (std::exchange(flush_armed, true)) return;
    flush_timer = env.timers.after(options.soft_flush, [this] {
        flush_armed = false;
        flush_until = visible;
        turn_soon();
    });
}

void Store::State::apply_reports(std::vector<Change>& changes) {
    std::vector<Report> waiting = std::move(reports);
    reports.clear();
    report_places.clear();
    for (const Report& report : waiting)
        if (auto change = apply(report)) changes.push_back(std::move(*change));
}

void Store::State::draft_soft() {
    if (!soft_due()) return;
    std::size_t rows = 0, bytes = 0;
    bool all = true; // of what is due
    tables.rows_after(flushed, [&](const Tables::Row& row) {
        const Object& object = *row.object;
        if (object.number() > flush_until) return false;
        if (rows >= flush_rows || bytes >= flush_bytes) return all = false;
        flushed = object.number();
        if (!row.dirty) return true;
        clean(row);
        if (flight->staged.contains(object.key)) return true;
        flight->write->batch.put.push_back(row.object);
        rows++;
        bytes += size(object.wish.bytes) + size(object.found.bytes) + size(object.seen.bytes);
        return true;
    });
    if (all) flushed = flush_until;
}

} // namespace skerry::store
