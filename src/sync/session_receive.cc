#include "sync/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace skerry::sync {

namespace {

constexpr std::uint32_t least_beat_ms = 100;
constexpr std::uint32_t longest_beat_ms = 24 * 3600 * 1000;
/// Whatever a parent asks for.
constexpr Duration longest_absence = 10min;

} // namespace

void Session::received(std::string_view message, Instant now) {
    if (phase_ == Phase::down || over_) return;
    auto frame = decode(message);
    if (!frame) return fail_with(std::move(frame).error().message);
    heard_ = now;
    Flow flow = flow_of(*frame);
    constexpr std::size_t status = static_cast<std::size_t>(Lane::status);
    if (auto* ack = std::get_if<Ack>(&*frame); ack && ack->frames[status] != sending_[status].acknowledged) flow = Flow::status;
    count_received(uses_[flow], message.size());
    if (auto& room = sending_[status].room; room && flow == Flow::status)
        *room -= std::min(*room, on_the_way(message.size()).both());
    dispatch(std::move(*frame), now);
}

void Session::dispatch(Frame&& frame, Instant now) {
    if (auto* bye = std::get_if<Bye>(&frame)) {
        control_.clear();
        if (options_.side == Side::child)
            come_back_ = std::min<Duration>(std::chrono::milliseconds(bye->come_back_ms), longest_absence);
        over_ = "ended by the other side: " + (bye->reason.empty() ? "no reason given" : bye->reason);
        return;
    }
    if (auto* hello = std::get_if<Hello>(&frame)) return take(std::move(*hello), now);
    if (phase_ != Phase::up) return fail_with("bad frame: another one before the hello");
    if (auto* batch = std::get_if<Batch>(&frame)) return take(std::move(*batch));
    if (auto* ack = std::get_if<Ack>(&frame)) return take(*ack);
    if (auto* beat = std::get_if<Beat>(&frame)) return take(*beat, now);
    if (auto* fragment = std::get_if<Fragment>(&frame)) return take(std::move(*fragment));
    if (auto* ranges = std::get_if<Ranges>(&frame)) {
        std::size_t lane = static_cast<std::size_t>(ranges->lane);
        auto taken = ranges->answer ? sending_[lane].outbound.answered(std::move(*ranges))
                                    : receiving_[lane].inbound.asked(std::move(*ranges));
        if (!taken) fail_with("bad frame: " + taken.error().message);
        return;
    }
    if (auto* verify = std::get_if<Verify>(&frame)) return sending_[static_cast<std::size_t>(verify->lane)].outbound.verify();
    if (auto* grant = std::get_if<Grant>(&frame)) return take(std::move(*grant));
    if (auto* recall = std::get_if<Recall>(&frame)) return take(std::move(*recall));
    if (auto* returned = std::get_if<Returned>(&frame)) return take(std::move(*returned));
    if (auto* settings = std::get_if<Settings>(&frame)) {
        if (options_.side == Side::parent) return fail_with("bad frame: settings from a child");
        beat_ = std::chrono::milliseconds(std::clamp(settings->beat_ms, least_beat_ms, longest_beat_ms));
        names_taken_ = std::move(settings->names_taken);
    }
}

void Session::take(Hello&& hello, Instant) {
    if (phase_ == Phase::up || early_hello_) return fail_with("bad frame: a second hello");
    if (!common_format(hello))
        return fail_with(
            fmt::format("the other side (version {}) speaks frame formats {} to {}, this one (version {}) speaks {} to {}: "
                        "upgrade {} side",
                        hello.version, hello.lowest_format, hello.format, options_.version, lowest_frame_format, frame_format,
                        hello.format < frame_format ? "the other" : "this"));
    if (hello.cell != options_.peer)
        return fail_with(
            fmt::format("hello from cell {}, but the certificate is of cell {}", hello.cell.text(), options_.peer.text()));
    if (phase_ == Phase::hello_due) {
        early_hello_ = std::move(hello);
        return;
    }
    resume(std::move(hello));
}

void Session::resume(Hello&& hello) {
    phase_ = Phase::up;
    format_ = *common_format(hello);
    peer_incarnation_ = hello.incarnation;
    peer_version_ = std::move(hello.version);
    peer_boot_id_ = std::move(hello.boot_id);
    lease_asked_at_ = {};
    if (options_.side == Side::child)
        names_taken_.clear(); // it is said again where it is so
    else if (!names_taken_.empty())
        tell_settings();
    if (options_.side == Side::child && hello.beat_ms > 0)
        beat_ = std::chrono::milliseconds(std::clamp(hello.beat_ms, least_beat_ms, longest_beat_ms));
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        Held held{.lane = static_cast<Lane>(lane)};
        for (Held& each : hello.held)
            if (each.lane == held.lane) held = each;
        auto place = Outbound::Place::none;
        if (held.cursor) {
            place = host_.place(*held.cursor);
            // A crash forgets soft numbers by design (rule S1): only a durable cursor tells of a history that went back, or an
            // opening that our store does not have.
            bool is_soft = held.lane == Lane::status && host_.was_opened(held.cursor->incarnation);
            if (place == Outbound::Place::ahead && is_soft) place = Outbound::Place::forgotten;
        }
        // Also the beginning of a batch tells, which came before the power went (rule H3).
        bool part_is_ahead = held.open && held.lane == Lane::desired && host_.place(*held.open) == Outbound::Place::ahead;
        if (part_is_ahead) place = Outbound::Place::ahead;
        if (place == Outbound::Place::ahead) history_behind_ = true;
        if (held.lane == Lane::desired) peer_cursor_ = place == Outbound::Place::known ? held.cursor : std::nullopt;
        auto erased_since = [&] { return host_.erased_since(held.lane, held.cursor->number); };
        sending_[lane].outbound.resume(held, place, erased_since, host_.keeps_unknown() || history_behind_);
    }
}

void Session::take(const Beat& told, Instant now) {
    if (options_.side == Side::child) return fail_with("bad frame: a beat from the parent");
    if (told.path) path_ = *told.path;
    if (!told.busy && !told.same) digests_ = told;
    const Beat& beat = told.same && digests_ ? *digests_ : told;
    if (told.lease && told.lease->number != 0)
        question_ =
            LeaseQuestion{.request = *told.lease, .incarnation = peer_incarnation_, .boot_id = peer_boot_id_, .arrived = now};
    if (told.busy || (told.same && !digests_) || now < next_verify_) return;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        if (!lane_is_quiet(lane)) continue;
        bool down = beat.down[lane] == sending_[lane].outbound.held().low;
        bool up = beat.up[lane] == receiving_[lane].inbound.held().low;
        if (!down) sending_[lane].outbound.verify();
        if (!up) verify_due_[lane] = true;
        if (!down || !up) next_verify_ = now + 4 * beat_;
    }
}

void Session::take(Batch&& batch) {
    Receiving& receiving = receiving_[static_cast<std::size_t>(batch.lane)];
    if (receiving.pending.size() >= window)
        return fail_with(fmt::format("bad frame: more than {} batch frames without acknowledgement", window));
    auto apply = receiving.inbound.take(std::move(batch), peer_incarnation_);
    if (!apply) {
        receiving.load_due = true;
        return fail_with("bad frame: " + apply.error().message);
    }
    apply->ticket = next_ticket_++;
    bool nothing =
        apply->items.empty() && apply->removed.empty() && (!apply->close || apply->close == receiving.inbound.cursor());
    receiving.pending.push_back({.ticket = apply->ticket, .close = apply->close, .done = nothing});
    if (receiving.inbound.is_beyond_repair())
        fail_with("digests differ after several descents in a row: a bug, please report it; the link starts afresh");
    if (!nothing) applies_.push_back(std::move(*apply));
    settle(receiving);
}

void Session::take(const Ack& ack) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        Sending& sending = sending_[lane];
        if (ack.frames[lane] < sending.acknowledged) return fail_with("bad frame: an acknowledgement that goes back");
        if (ack.differs[lane]) sending.outbound.keep_unknown(host_.keeps_unknown() || history_behind_);
        auto taken = sending.outbound.acknowledged(ack.frames[lane] - sending.acknowledged, ack.differs[lane]);
        if (!taken) return fail_with("bad frame: " + taken.error().message);
        bool closes = ack.frames[lane] > sending.acknowledged && !ack.differs[lane] && sending.outbound.quiet();
        if (closes && lane == 0) peer_cursor_ = Cursor{options_.incarnation, sending.outbound.closed()};
        sending.acknowledged = ack.frames[lane];
    }
}

void Session::take(Fragment&& fragment) {
    Receiving& receiving = receiving_[static_cast<std::size_t>(fragment.lane)];
    if (receiving.assembled.size() + fragment.content.size() > max_frame_bytes)
        return fail_with(fmt::format("bad frame: fragments of more than {} bytes", max_frame_bytes));
    receiving.assembled += fragment.content;
    // Perhaps of what was recalled: over a slow link that may take long, and comes.
    Sending& sending = sending_[static_cast<std::size_t>(fragment.lane)];
    if (sending.recalled_at != Instant{}) sending.recalled_at = *heard_;
    if (!fragment.last) return;
    auto frame = decode(std::exchange(receiving.assembled, {}), max_frame_bytes);
    if (!frame) return fail_with(std::move(frame).error().message);
    auto* batch = std::get_if<Batch>(&*frame);
    auto* returned = std::get_if<Returned>(&*frame);
    if (returned && returned->lane == fragment.lane) return take(std::move(*returned));
    if (!batch || batch->lane != fragment.lane)
        return fail_with("bad frame: fragments of something other than a batch of their lane");
    take(std::move(*batch));
}

void Session::take(Recall&& recall) {
    Receiving& receiving = receiving_[static_cast<std::size_t>(recall.lane)];
    if (receiving.owes_return) return fail_with("bad frame: a recall before the last was answered");
    receiving.give_back.assign(recall.hashes.begin(), recall.hashes.end());
    receiving.owes_return = true;
}

void Session::take(Returned&& returned) {
    Sending& sending = sending_[static_cast<std::size_t>(returned.lane)];
    if (sending.recalled_at == Instant{}) return; // too late: we have gone on
    for (const Item& item : returned.items)
        if (auto asked = sending.outbound.came_back(item.key); !asked) return fail_with("bad frame: " + asked.error().message);
    bool last = returned.last && sending.outbound.recall_answered();
    sending.recalled_at = last ? Instant{} : *heard_;
    returned_.push_back({.lane = returned.lane, .items = std::move(returned.items), .last = last});
}

} // namespace skerry::sync
