#include "sync/courier.h"

#include "base/bytes.h"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::sync {

namespace {

std::unexpected<Error> wrong(std::string what) { return fail(Code::invalid, "courier file: " + std::move(what)); }

/// Each behind its length.
void append_frame(std::string& out, const Frame& frame) {
    std::string bytes = encode(frame);
    out += big_endian(bytes.size()).substr(4);
    out += bytes;
}

Result<Frame> next_frame(std::string_view& rest) {
    if (rest.size() < 4) return wrong("it ends within a frame");
    std::uint64_t size = read_big_endian(std::string(4, '\0').append(rest.substr(0, 4)));
    if (size > max_frame_bytes) return wrong(fmt::format("a frame of {} bytes (at most {})", size, max_frame_bytes));
    if (rest.size() - 4 < size) return wrong("it ends within a frame");
    auto frame = decode(rest.substr(4, size), max_frame_bytes);
    rest.remove_prefix(4 + size);
    return frame;
}

bool knows(const Courier& courier, const Cursor& cursor) {
    return std::ranges::any_of(courier.history, [&](const Cursor& head) {
        return head.incarnation == cursor.incarnation && cursor.number <= head.number;
    });
}

/// The sender went on in its present opening after it packed.
bool is_overtaken(const Courier& courier, const Cursor& held) {
    const Cursor& head = courier.history.back();
    return held.incarnation == head.incarnation && held.number > head.number;
}

} // namespace

Result<std::string> write_carried(const CarriedSlices& carried) {
    std::string out;
    append_frame(out, carried.courier);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        const CarriedSlice& slice = carried.slices[lane];
        for (const Batch& batch : slice.batches) {
            append_frame(out, batch);
            if (out.size() > max_carried_bytes) break;
        }
        for (std::size_t at = 0; at < slice.listing.size(); at += max_listed) {
            auto end = slice.listing.begin() + static_cast<std::ptrdiff_t>(std::min(slice.listing.size(), at + max_listed));
            append_frame(out, Listing{.lane = static_cast<Lane>(lane),
                                      .entries = {slice.listing.begin() + static_cast<std::ptrdiff_t>(at), end}});
        }
    }
    if (out.size() > max_carried_bytes)
        return fail(Code::exhausted, fmt::format("what changed is more than the {} MiB that a courier file carries besides "
                                                 "images; let the two meet over a link",
                                                 max_carried_bytes >> 20));
    return out;
}

Result<CarriedSlices> read_carried(std::string_view bytes) {
    if (bytes.size() > max_carried_bytes) return wrong(fmt::format("{} bytes of frames", bytes.size()));
    CarriedSlices carried;
    Frame first = TRY(next_frame(bytes));
    auto* courier = std::get_if<Courier>(&first);
    if (!courier) return wrong("its first frame says not whom it is for");
    carried.courier = std::move(*courier);
    const Courier& head = carried.courier;
    if (head.base && !knows(head, *head.base)) return wrong("its base is not in its sender's history");
    if (head.until[0] > head.history.back().number || (head.base && head.base->number > head.until[0]))
        return wrong("it ends before its base, or beyond its sender's history");
    std::size_t items = 0;
    while (!bytes.empty()) {
        Frame frame = TRY(next_frame(bytes));
        if (auto* batch = std::get_if<Batch>(&frame)) {
            bool keys = std::ranges::none_of(batch->items, [](const BatchItem& item) { return item.hash.has_value(); });
            if (!keys || !batch->removed.empty() || batch->close) return wrong("a batch that belongs on a wire");
            items += batch->items.size();
            carried.slices[static_cast<std::size_t>(batch->lane)].batches.push_back(std::move(*batch));
        } else if (auto* listing = std::get_if<Listing>(&frame)) {
            auto& all = carried.slices[static_cast<std::size_t>(listing->lane)].listing;
            all.insert(all.end(), listing->entries.begin(), listing->entries.end());
            if (all.size() > max_slice_items) return wrong(fmt::format("a slice of more than {} items", max_slice_items));
        } else if (!std::holds_alternative<Unknown>(frame)) {
            return wrong("a frame that belongs on a wire");
        }
        if (items > lanes * max_slice_items) return wrong(fmt::format("more than {} items", lanes * max_slice_items));
    }
    return carried;
}

Result<Brings> judge(const Courier& courier, const std::optional<Cursor>& held) {
    if (!held) {
        if (!courier.base) return Brings::news;
        return fail(Code::conflict,
                    fmt::format("it has only what changed after {}, and this cell holds nothing of its sender's (or lost count): "
                                "pack one with everything (--full), or carry a file from here to there first",
                                courier.base->number));
    }
    if (is_overtaken(courier, *held)) return Brings::nothing;
    if (!knows(courier, *held)) {
        if (courier.recovers == held && !courier.base) return Brings::news;
        return fail(Code::conflict,
                    fmt::format("its sender's history has no {} of opening {}, up to which this cell holds its wishes: the file "
                                "is from before that, or the sender's store went back to an older state. Carry a file from here "
                                "to there, then pack there again (rule H3)",
                                held->number, held->incarnation.text().substr(0, 8)));
    }
    if (courier.until[0] < held->number) return Brings::nothing;
    if (courier.until[0] == held->number) return Brings::status_only;
    if (courier.base && courier.base->number > held->number)
        return fail(Code::conflict,
                    fmt::format("it has only what changed after {}, and this cell has its sender's wishes up to {}: apply the "
                                "file first that ends at {} (skerry courier show FILE says where each ends), or pack one with "
                                "everything (--full), or carry a file from here to there first",
                                courier.base->number, held->number, courier.base->number));
    return Brings::news;
}

} // namespace skerry::sync
