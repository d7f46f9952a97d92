#include "sync/session.h"

#include "base/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace skerry::sync {

namespace {

constexpr std::size_t desired = static_cast<std::size_t>(Lane::desired);
constexpr std::size_t fragment_bytes = 60 << 10;
constexpr Duration least_beat = 100ms;
constexpr Duration longest_beat = 24h;
/// An answer may be long, and the link slow.
constexpr Duration recall_patience = 2min;

std::uint32_t milliseconds(Duration duration) {
    return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

Lane lane_of(std::size_t index) { return static_cast<Lane>(index); }

/// Worth the bytes: by a quarter and two milliseconds, or five percent of loss.
bool differs(const Path& now, const Path& told) {
    if (now.round_trip_us == 0) return false;
    auto apart = [](std::uint32_t a, std::uint32_t b) { return a > b ? a - b : b - a; };
    std::uint32_t trip = apart(now.round_trip_us, told.round_trip_us);
    if (told.round_trip_us == 0 || (trip > told.round_trip_us / 4 && trip > 2'000)) return true;
    return apart(now.loss, told.loss) >= 5 || (now.loss == 0 && told.loss > 0);
}

} // namespace

Session::Session(Options options, Host& host)
    : options_(std::move(options)), host_(host),
      key_(options_.side == Side::parent ? link_key(options_.self, options_.peer) : link_key(options_.peer, options_.self)),
      beat_(options_.beat) {
    CHECK(options_.self && options_.peer && options_.incarnation);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        receiving_.push_back({.inbound = Inbound(lane_of(lane), key_)});
        sending_.push_back({.outbound = Outbound(lane_of(lane), key_)});
    }
}

void Session::put(Lane lane, const ItemKey& key, std::uint32_t generation, Blob bytes, Number number) {
    sending_[static_cast<std::size_t>(lane)].outbound.put(key, generation, std::move(bytes), number);
}

void Session::drop(Lane lane, const ItemKey& key, Number number) {
    sending_[static_cast<std::size_t>(lane)].outbound.drop(key, number);
}

void Session::connected(Instant now) {
    if (phase_ != Phase::down) disconnected(now);
    over_.reset();
    come_back_ = {};
    catching_up_ = true;
    connected_ = now;
    last_sent_ = now;
    phase_ = Phase::hello_due;
    maybe_hello();
}

void Session::disconnected(Instant) {
    phase_ = Phase::down;
    control_.clear();
    early_hello_.reset();
    ack_due_ = false;
    question_.reset();
    status_told_ = 0;
    digests_.reset();
    told_path_ = {};
    lease_asked_.clear(); // no answer comes on another connection
    for (auto& sending : sending_) sending.fragments.clear();
    for (auto& receiving : receiving_) {
        receiving.assembled = {};
        receiving.give_back.clear();
        receiving.owes_return = false;
    }
    returned_.clear();
}

void Session::load_if_due(std::size_t lane) {
    Receiving& receiving = receiving_[lane];
    if (!std::exchange(receiving.load_due, false)) return;
    receiving.inbound.drop();
    host_.load(lane_of(lane), receiving.inbound);
}

void Session::maybe_hello() {
    if (phase_ != Phase::hello_due) return;
    // What the last connection brought is still on its way to disk: the hello tells what is durable, so it waits.
    for (auto& receiving : receiving_)
        if (!receiving.pending.empty()) return;
    Hello hello{.version = options_.version,
                .cell = options_.self,
                .incarnation = options_.incarnation,
                .boot_id = options_.boot_id,
                .role = options_.role,
                .name = options_.name,
                .beat_ms = options_.side == Side::parent ? milliseconds(beat_) : 0};
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        Receiving& receiving = receiving_[lane];
        receiving.inbound.restart();
        receiving.done = 0;
        load_if_due(lane);
        sending_[lane].acknowledged = 0;
        hello.held.push_back({.lane = lane_of(lane),
                              .count = static_cast<std::uint32_t>(receiving.inbound.size()),
                              .digest = receiving.inbound.held(),
                              .cursor = receiving.inbound.cursor(),
                              .open = receiving.inbound.open()});
    }
    tell(hello);
    phase_ = Phase::hello_sent;
    if (early_hello_) {
        Hello theirs = std::move(*early_hello_);
        early_hello_.reset();
        resume(std::move(theirs));
    }
}

void Session::tell(const Frame& frame) { control_.emplace_back(flow_of(frame), encode(frame)); }

void Session::end(std::string reason) {
    if (over_) return;
    control_.clear();
    if (phase_ != Phase::down) tell(Bye{reason});
    over_ = std::move(reason);
}

void Session::fail_with(std::string reason) { end(std::move(reason)); }

void Session::tick(Instant now) {
    if (phase_ == Phase::down || over_) return;
    if (phase_ != Phase::up) {
        if (now >= connected_ + options_.hello_patience)
            fail_with(fmt::format("no hello within {}", text(options_.hello_patience)));
    } else if (options_.side == Side::parent) {
        Duration patience = 3 * beat_ + 2s;
        if (now >= *heard_ + patience)
            fail_with(fmt::format("silent for {} (three beats of {} and two seconds)", text(patience), text(beat_)));
    }
    // A peer that does not answer a recall is one that knows of none: what it holds stays there, and the slice goes on.
    for (auto& sending : sending_)
        if (sending.outbound.recalling() && sending.recalled_at != Instant{} && now >= sending.recalled_at + recall_patience) {
            sending.recalled_at = {};
            sending.outbound.recall_done();
        }
}

Instant Session::next_wake() const {
    if (phase_ == Phase::down || over_) return Instant::never();
    if (phase_ != Phase::up) return connected_ + options_.hello_patience;
    Instant wake = options_.side == Side::child ? last_sent_ + beat_ : *heard_ + (3 * beat_ + 2s);
    wake = std::min(wake, lease_due());
    for (const auto& sending : sending_) {
        if (!held_ && sending.outbound.quiet() && sending.outbound.wants() && !sending.waits)
            wake = std::min(wake, sending.next_cut);
        if (sending.outbound.recalling() && sending.recalled_at != Instant{})
            wake = std::min(wake, sending.recalled_at + recall_patience);
    }
    return wake;
}

std::optional<Apply> Session::take_apply() {
    if (applies_.empty()) return {};
    Apply apply = std::move(applies_.front());
    applies_.pop_front();
    return apply;
}

std::optional<Session::Back> Session::take_returned() {
    if (returned_.empty()) return {};
    Back back = std::move(returned_.front());
    returned_.pop_front();
    return back;
}

void Session::recall_done(Lane lane) { sending_[static_cast<std::size_t>(lane)].outbound.recall_done(); }

void Session::let_go(Lane lane, const ItemKey& key) { sending_[static_cast<std::size_t>(lane)].outbound.let_go(key); }

void Session::let_go_of_orphans() {
    for (auto& sending : sending_) sending.outbound.let_go_of_orphans();
}

void Session::let_go_of_orphans(Lane lane) { sending_[static_cast<std::size_t>(lane)].outbound.let_go_of_orphans(); }

void Session::settle(Receiving& receiving) {
    while (!receiving.pending.empty() && receiving.pending.front().done) {
        if (receiving.pending.front().close) receiving.inbound.closed(*receiving.pending.front().close);
        receiving.pending.pop_front();
        ++receiving.done;
        ack_due_ = true;
    }
    maybe_hello();
}

void Session::applied(Ticket ticket, Instant) {
    for (auto& receiving : receiving_) {
        for (Pending& pending : receiving.pending) {
            if (pending.ticket != ticket) continue;
            pending.done = true;
            settle(receiving);
            return;
        }
    }
    CHECK(false, "applied a ticket that was not handed out");
}

void Session::rejected(Ticket ticket, std::string reason) {
    for (auto& receiving : receiving_) {
        auto at = std::ranges::find(receiving.pending, ticket, &Pending::ticket);
        if (at == receiving.pending.end()) continue;
        if (phase_ != Phase::hello_due) fail_with(std::move(reason));
        receiving.load_due = true;
        at->done = true;
        at->close.reset();
        // Later frames of this batch may still become durable; none of them may move the cursor.
        for (auto later = at; later != receiving.pending.end(); ++later) later->close.reset();
        settle(receiving);
        return;
    }
    CHECK(false, "rejected a ticket that was not handed out");
}

void Session::forget(Lane lane, const ItemKey& key) {
    std::size_t index = static_cast<std::size_t>(lane);
    if (receiving_[index].inbound.forget(key)) verify_due_[index] = true;
}

void Session::load_again() {
    for (Receiving& receiving : receiving_) receiving.load_due = true;
}

void Session::set_beat(Duration beat) {
    beat = std::clamp(beat, least_beat, longest_beat);
    if (beat == beat_) return;
    beat_ = beat;
    tell_settings();
}

void Session::set_names_taken(std::vector<std::string> names) {
    if (names == names_taken_) return;
    names_taken_ = std::move(names);
    tell_settings();
}

void Session::set_status_room(std::optional<std::uint64_t> room) {
    Sending& sending = sending_[static_cast<std::size_t>(Lane::status)];
    if (sending.room == room) return;
    if (!room || (sending.room && *room > *sending.room)) sending.waits = false;
    sending.room = room;
}

void Session::tell_settings() {
    if (options_.side == Side::parent && (phase_ == Phase::hello_sent || phase_ == Phase::up) && !over_)
        tell(Settings{milliseconds(beat_), names_taken_});
}

bool Session::lane_is_quiet(std::size_t lane) const {
    const Inbound& inbound = receiving_[lane].inbound;
    return sending_[lane].outbound.quiet() && sending_[lane].fragments.empty() && receiving_[lane].pending.empty() &&
           !receiving_[lane].owes_return && !inbound.batch_open() && !inbound.owes_answers() && !inbound.differs();
}

bool Session::is_quiet() const { return lane_is_quiet(0) && lane_is_quiet(1) && !ack_due_; }

bool Session::in_agreement() const {
    return phase_ == Phase::up && !over_ && is_quiet() && sending_[0].outbound.clean() && sending_[1].outbound.clean();
}

bool Session::catching_up() {
    if (catching_up_ && in_agreement()) catching_up_ = false;
    return catching_up_ && phase_ == Phase::up && !over_;
}

Beat Session::beat_now() const {
    Beat beat{.busy = !is_quiet()};
    if (beat.busy) return beat;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        beat.down[lane] = receiving_[lane].inbound.held().low;
        beat.up[lane] = sending_[lane].outbound.held().low;
    }
    return beat;
}

/// What was told already on this connection need not be told again.
void Session::shorten(Beat& beat) {
    if (beat.busy || format_ < short_beats_format) return;
    beat.same = digests_ && std::ranges::equal(beat.down, digests_->down) && std::ranges::equal(beat.up, digests_->up);
    if (!beat.same) digests_ = beat;
}

Ack Session::ack_now() {
    ack_due_ = false;
    Ack ack;
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        Receiving& receiving = receiving_[lane];
        ack.frames[lane] = receiving.done;
        if (receiving.inbound.differs() && receiving.pending.empty()) {
            ack.differs[lane] = true;
            receiving.inbound.told_difference();
        }
    }
    return ack;
}

std::optional<std::string> Session::take_output(Instant now) {
    auto sent = [&](Flow flow, std::string message) {
        last_sent_ = now;
        count_sent(uses_[flow], message.size());
        // Until the host says what there is now.
        if (auto& room = sending_[static_cast<std::size_t>(Lane::status)].room; room && flow == Flow::status)
            *room -= std::min(*room, on_the_way(message.size()).both());
        return message;
    };
    if (phase_ == Phase::down) return {};
    if (!control_.empty()) {
        auto [flow, message] = std::move(control_.front());
        control_.pop_front();
        return sent(flow, std::move(message));
    }
    if (phase_ != Phase::up || over_) return {};
    if (ack_due_) {
        Ack ack = ack_now();
        constexpr std::size_t status = static_cast<std::size_t>(Lane::status);
        bool of_status = std::exchange(status_told_, ack.frames[status]) != ack.frames[status];
        return sent(of_status ? Flow::status : Flow::desired, encode(ack));
    }
    if (options_.side == Side::child && beat_is_due(now)) {
        Beat beat = beat_now();
        shorten(beat);
        beat.lease = lease_request(now);
        if (differs(path_, told_path_)) beat.path = told_path_ = path_;
        return sent(Flow::lease, encode(beat));
    }
    for (std::size_t lane = 0; lane < lanes; ++lane) {
        Sending& sending = sending_[lane];
        Flow flow = flow_of(lane_of(lane));
        if (auto answer = receiving_[lane].inbound.next_answer()) return sent(flow, encode(*answer));
        if (held_) continue;
        if (!sending.fragments.empty()) {
            std::string message = std::move(sending.fragments.front());
            sending.fragments.pop_front();
            return sent(flow, std::move(message));
        }
        if (receiving_[lane].owes_return) return sent(flow, whole_or_fragments(lane, encode(next_returned(lane))));
        if (auto ask = sending.outbound.next_ask()) return sent(flow, encode(*ask));
        if (auto hashes = sending.outbound.next_recall(); !hashes.empty()) {
            sending.recalled_at = now;
            return sent(flow, encode(Recall{lane_of(lane), std::move(hashes)}));
        }
        if (verify_due_[lane] && receiving_[lane].pending.empty() && !receiving_[lane].inbound.batch_open()) {
            verify_due_[lane] = false;
            return sent(flow, encode(Verify{lane_of(lane)}));
        }
        bool was_quiet = sending.outbound.quiet();
        bool may_cut = now >= sending.next_cut;
        if (lane_of(lane) == Lane::desired) sending.outbound.durable_up_to(host_.durable());
        auto batch = sending.outbound.next(may_cut, sending.room.value_or(~std::uint64_t{0}));
        sending.waits = may_cut && !batch && sending.outbound.quiet() && sending.outbound.wants();
        if (!batch) continue;
        if (was_quiet && lane != desired) sending.next_cut = now + options_.status_gap;
        for (BatchItem& each : batch->items) each.item.seal = host_.seal(each.item);
        return sent(flow, whole_or_fragments(lane, encode(*batch)));
    }
    return {};
}

/// The first message of it; the others wait in the lane.
std::string Session::whole_or_fragments(std::size_t lane, std::string whole) {
    if (whole.size() <= max_message) return whole;
    auto& fragments = sending_[lane].fragments;
    for (std::size_t at = 0; at < whole.size(); at += fragment_bytes)
        fragments.push_back(encode(Fragment{
            .lane = lane_of(lane), .content = whole.substr(at, fragment_bytes), .last = at + fragment_bytes >= whole.size()}));
    std::string first = std::move(fragments.front());
    fragments.pop_front();
    return first;
}

Returned Session::next_returned(std::size_t lane) {
    Receiving& receiving = receiving_[lane];
    Returned returned{.lane = lane_of(lane)};
    for (std::size_t bytes = 0; !receiving.give_back.empty(); receiving.give_back.pop_front()) {
        const ItemKey* key = receiving.inbound.find(receiving.give_back.front());
        auto item = key ? host_.give_back(*key) : std::nullopt;
        if (!item) continue;
        std::size_t size = item->bytes->size() + item->key.project.size() + item->key.name.size() + 128;
        if (bytes > 0 && bytes + size > frame_target) break;
        bytes += size;
        returned.items.push_back(std::move(*item));
    }
    returned.last = receiving.give_back.empty();
    receiving.owes_return = !returned.last;
    return returned;
}

Session::View Session::view() const {
    const Sending& sending = sending_[desired];
    View view{.up = phase_ == Phase::up && !over_,
              .heard = heard_,
              .acknowledged = sending.outbound.acknowledged_number(),
              .held = receiving_[desired].inbound.cursor(),
              .history_behind = history_behind_,
              .peer_version = peer_version_,
              .format = format_,
              .beat = beat_};
    view.status_waits = sending_[static_cast<std::size_t>(Lane::status)].waits;
    view.agreement = in_agreement();
    for (const auto& each : sending_) {
        view.orphans += each.outbound.orphans();
        view.recalling = view.recalling || each.outbound.recalling();
    }
    return view;
}

} // namespace skerry::sync
