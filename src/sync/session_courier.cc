#include "base/check.h"
#include "sync/session.h"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::sync {

namespace {

/// Of one transaction of the receiver (rule S4).
constexpr std::size_t brought_bytes = 256 << 10;

enum class Age { older, same, later };
Age age(Number until, const Courier& courier, const std::optional<Cursor>& held) {
    if (!held) return Age::later;
    bool known = std::ranges::any_of(courier.history, [&](const Cursor& head) { return head.incarnation == held->incarnation; });
    return !known || until > held->number ? Age::later : until == held->number ? Age::same : Age::older;
}

} // namespace

CarriedSlices Session::carry(Courier courier) const {
    CarriedSlices carried{.courier = std::move(courier), .slices = {}};
    std::optional<Number> base;
    if (carried.courier.base) base = carried.courier.base->number;
    carried.slices[0] = sending_[0].outbound.carry(base);
    carried.slices[1] = sending_[1].outbound.carry({}); // soft: told anew each time (rule L4)
    for (CarriedSlice& slice : carried.slices)
        for (Batch& batch : slice.batches)
            for (BatchItem& each : batch.items) each.item.seal = host_.seal(each.item);
    return carried;
}

Result<Taken> Session::weigh(const CarriedSlices& carried, const std::optional<Cursor>& status_held, bool may_be_newer) {
    const Courier& courier = carried.courier;
    if (courier.from != options_.peer || courier.to != options_.self)
        return fail(Code::invalid,
                    fmt::format("courier file: its slices go from cell {} to cell {}", courier.from.text(), courier.to.text()));
    for (std::size_t lane = 0; lane < lanes; ++lane)
        if (receiving_[lane].pending.empty()) load_if_due(lane);
    Taken taken{.brings = TRY(judge(courier, receiving_[0].inbound.cursor()))};
    if (taken.brings == Brings::nothing) return taken;
    if (taken.brings == Brings::news) {
        auto difference = receiving_[0].inbound.compare(carried.slices[0]);
        bool keep = courier.keep_unknown || may_be_newer;
        if (receiving_[0].inbound.size() + difference.fresh > max_slice_items)
            return fail(Code::exhausted, fmt::format("courier file: with it the slice has more than {} items", max_slice_items));
        taken.items = difference.items.size();
        taken.lacking = difference.lacking;
        (keep ? taken.kept : taken.removals) = difference.unlisted.size();
    }
    Age status =
        std::min(age(courier.until[1], courier, status_held), age(courier.until[1], courier, receiving_[1].inbound.cursor()));
    taken.is_latest = taken.brings == Brings::news || status != Age::older;
    // Also of one that was applied before: status is soft, and power may have taken it since (rule L4).
    if (status != Age::older) {
        auto difference = receiving_[1].inbound.compare(carried.slices[1]);
        if (receiving_[1].inbound.size() + difference.fresh > max_slice_items)
            return fail(Code::exhausted, fmt::format("courier file: with it the slice has more than {} items", max_slice_items));
        taken.status = difference.items.size() + (courier.keep_unknown ? 0 : difference.unlisted.size());
    }
    if (taken.brings == Brings::status_only && taken.status == 0 && status != Age::later) taken.brings = Brings::nothing;
    return taken;
}

Result<Session::Taking> Session::take(const CarriedSlices& carried, const std::optional<Cursor>& status_held, bool may_be_newer) {
    CHECK(phase_ == Phase::down && applies_.empty(), "a courier file is taken while nothing else is");
    for (const Receiving& receiving : receiving_) CHECK(receiving.pending.empty());
    Taking taking{.taken = TRY(weigh(carried, status_held, may_be_newer)), .last = {}};
    const Courier& courier = carried.courier;
    IncarnationId incarnation = courier.history.back().incarnation;
    const Taken& taken = taking.taken;
    if (taken.brings == Brings::news) {
        auto difference = receiving_[0].inbound.compare(carried.slices[0]);
        if (courier.keep_unknown || may_be_newer) difference.unlisted.clear();
        // What the sender's history does not know any more holds nothing up; what may be newer than the file does.
        bool complete = taken.lacking == 0 && (taken.kept == 0 || !may_be_newer);
        bring(Lane::desired, std::move(difference), Cursor{incarnation, courier.until[0]}, complete, taking);
    }
    if (taken.status > 0) {
        auto difference = receiving_[1].inbound.compare(carried.slices[1]);
        if (courier.keep_unknown) difference.unlisted.clear();
        bring(Lane::status, std::move(difference), Cursor{incarnation, courier.until[1]}, true, taking);
    }
    return taking;
}

void Session::bring(Lane lane, Inbound::Difference&& difference, const Cursor& end, bool closes, Taking& taking) {
    Receiving& receiving = receiving_[static_cast<std::size_t>(lane)];
    Batch batch{.lane = lane};
    std::size_t bytes = 0;
    auto give = [&] {
        if (!batch.close && lane == Lane::desired) batch.as_of = end.number;
        auto apply = receiving.inbound.take(std::exchange(batch, Batch{.lane = lane}), end.incarnation);
        CHECK(apply, "the slice was weighed before");
        bytes = 0;
        apply->ticket = next_ticket_++;
        taking.last = apply->ticket;
        receiving.pending.push_back({.ticket = apply->ticket, .close = apply->close, .done = false});
        applies_.push_back(std::move(*apply));
    };
    for (BatchItem& each : difference.items) {
        std::size_t size = each.item.bytes->size();
        if (!batch.items.empty() && (batch.items.size() == most_sent_items || bytes + size > brought_bytes)) give();
        bytes += size;
        batch.items.push_back(std::move(each));
    }
    if (!batch.items.empty()) give();
    for (const Digest& hash : difference.unlisted) {
        batch.removed.push_back(hash);
        if (batch.removed.size() == most_sent_items) give();
    }
    if (!batch.removed.empty()) give();
    if (closes) {
        batch.close = end.number;
        batch.digest = receiving.inbound.held().low;
        give();
    }
    receiving.inbound.restart();
}

} // namespace skerry::sync
