#include "cell/links/link.h"

#include "base/log.h"
#include "cell/links/applying.h"
#include "cell/missing.h"

#include <algorithm>
#include <utility>

namespace skerry::cell {

namespace {

constexpr std::string_view behind_space = "link.behind";
constexpr std::size_t most_erased = 128;

std::uint32_t number_of(env::Peer::Role role) { return static_cast<std::uint32_t>(role); }

sync::Lane lane_of(SliceLane lane) { return lane == SliceLane::desired ? sync::Lane::desired : sync::Lane::status; }

bool has_bytes(const store::PartState& part) { return part.bytes && !part.bytes->empty(); }

/// The last openings of the store before this one, newest first.
std::vector<IncarnationId> earlier_of(const store::Store& store) {
    auto all = store.incarnations();
    if (!all.empty()) all.pop_back();
    std::ranges::reverse(all);
    if (all.size() > sync::most_earlier) all.resize(sync::most_earlier);
    return all;
}

constexpr store::Part all_parts[] = {store::Part::wish, store::Part::found, store::Part::seen};

} // namespace

void Replicas::change(const store::Change& change) {
    auto each_origin = [](const store::Object* object, auto&& call) {
        if (!object) return;
        for (store::Part part : all_parts)
            if (object->part(part).from) call(object->part(part).from);
    };
    each_origin(change.before.get(), [&](CellId from) {
        auto at = keys_.find(from);
        if (at == keys_.end()) return;
        at->second.erase(change.key);
        if (at->second.empty()) keys_.erase(at);
    });
    each_origin(change.after.get(), [&](CellId from) { keys_[from].insert(change.key); });
}

const std::unordered_set<store::Key>* Replicas::of(CellId cell) const {
    auto at = keys_.find(cell);
    return at == keys_.end() ? nullptr : &at->second;
}

Link::Link(LinkContext context, sync::Side side, env::Peer peer, std::string tag, Duration beat, Turned turned)
    : context_(std::move(context)), peer_(std::move(peer)), tag_(std::move(tag)), side_(side), turned_(std::move(turned)),
      session_({.side = side,
                .self = context_.store.cell(),
                .peer = peer_.cell,
                .incarnation = context_.store.cursor().incarnation,
                .boot_id = context_.env.clock.boot_id(),
                .name = context_.self.name,
                .version = context_.version,
                .role = number_of(context_.self.role),
                .beat = beat,
                .earlier = earlier_of(context_.store)},
               *this) {
    is_behind_ = context_.store.note(behind_space, peer_.cell.text()).has_value();
    for (const store::Key& key : context_.closure.members(tag_)) refresh(key, nullptr);
    recall_peer_cursor();
}

Link::~Link() {
    if (wants_turn_) turn_(false);
}

void Link::attach(std::unique_ptr<env::Wire> wire, std::string message) {
    if (wire_) drop_wire("the same peer opened another connection");
    peer_.role = wire->peer().role;
    peer_.name = wire->peer().name;
    wire_ = std::move(wire);
    trouble_.clear();
    measured_ = {};
    // TCP's and TLS' handshakes, in some six segments each way.
    constexpr std::uint64_t headers = 6 * 52;
    auto greeting = wire_->traffic();
    context_.meters.count(tag_, sync::Flow::security, {greeting.sent + headers, greeting.received + headers});
    session_.connected(context_.env.clock.now());
    if (side_ == sync::Side::child && lacks_objects(context_.store)) session_.verify(sync::Lane::desired);
    if (!message.empty()) session_.received(message, context_.env.clock.now());
    wire_->listen(*this);
    pump();
}

void Link::end(std::string reason) {
    session_.end(std::move(reason));
    pump();
}

void Link::want_lease(bool wanted) {
    session_.want_lease(wanted);
    pump_soon();
}

std::function<void()> Link::again() {
    return [this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired()) pump_soon();
    };
}

void Link::set_beat(Duration beat) {
    session_.set_beat(beat);
    pump_soon();
}

sync::ItemKey Link::item_key(const store::Object& object, store::Part part) const {
    return {.kind = static_cast<std::uint32_t>(object.key.kind),
            .project = object.key.project,
            .name = object.key.name,
            .uid = object.uid,
            .home = object.home,
            .part = static_cast<std::uint8_t>(part)};
}

void Link::refresh(const store::Key& key, const store::Object* before) {
    store::ObjectPtr object = context_.store.get(key);
    Closure::Parts parts = context_.closure.parts(tag_, key);
    sync::Number gone = object ? object->number() : context_.store.cursor().number;
    for (store::Part part : all_parts) {
        sync::Lane lane = lane_of(context_.slicer.lane_for(peer_.role, {key, part}));
        if (before && (!object || before->uid != object->uid || before->home != object->home))
            session_.drop(lane, item_key(*before, part), gone);
        if (!object) continue;
        const store::PartState& state = object->part(part);
        // What came from this peer never goes back to it.
        if (!parts.has(part) || !has_bytes(state) || state.from == peer_.cell) {
            session_.drop(lane, item_key(*object, part), gone);
            continue;
        }
        std::uint32_t generation = part == store::Part::wish ? object->generation : 0;
        session_.put(lane, item_key(*object, part), generation, state.bytes,
                     std::max(state.number, context_.closure.since(tag_, key)));
    }
    pump_soon();
}

std::vector<std::string> Link::names_taken() const {
    std::vector<std::string> names;
    for (const auto& [place, kept] : kept_out_)
        if (kept.name_taken && names.size() < sync::most_names_taken) names.push_back(place.first.text());
    return names;
}

void Link::reconsider(const store::Key& key) {
    for (store::Part part : all_parts) {
        auto at = kept_out_.find({key, static_cast<std::uint8_t>(part)});
        if (at == kept_out_.end()) continue;
        KeptOut kept = std::move(at->second);
        kept_out_.erase(at);
        session_.forget(kept.lane, kept.key);
        pump_soon();
    }
}

void Link::reconsider_all() {
    for (const auto& [place, kept] : std::exchange(kept_out_, {})) session_.forget(kept.lane, kept.key);
    pump_soon();
}

void Link::arrived(std::string message) {
    session_.received(message, context_.env.clock.now());
    pump();
}

void Link::closed(std::string why) { drop_wire(why); }

void Link::drop_wire(const std::string& why) {
    if (!wire_) return;
    auto traffic = wire_->traffic();
    past_.sent += traffic.sent;
    past_.received += traffic.received;
    session_.disconnected(context_.env.clock.now());
    coming_back_ = {}; // it is asked for again
    // We may be inside a call of this very wire.
    context_.env.timers.post([wire = std::shared_ptr<env::Wire>(std::move(wire_))] {});
    wire_ = nullptr;
    trouble_ = why;
    take_turn();
    if (was_up_) remember_peer_cursor();
    was_up_ = false;
    turned_(false, why);
}

void Link::pump_soon() {
    if (pump_posted_) return;
    pump_posted_ = true;
    context_.env.timers.post([this, alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        pump_posted_ = false;
        pump();
    });
}

void Link::pump() {
    if (pumping_) return;
    pumping_ = true;
    Instant now = context_.env.clock.now();
    session_.tick(now);
    while (auto apply = session_.take_apply()) queue_.push_back(std::move(*apply));
    while (auto back = session_.take_returned()) take_back(std::move(*back));
    if (drops_orphans_ && session_.view().orphans > 0 && !session_.view().recalling) {
        log(Level::warning, "cell", "{}: what only it has of this cell's objects goes there, as people decided", tag_);
        session_.let_go_of_orphans();
        left_.clear();
    }
    // Of what it reports a child alone knows what there is, as soon as nothing is missing any more (rule S5); not where its history
    // went back (rule H3).
    if (side_ == sync::Side::child && context_.recovery.since() == 0)
        if (auto view = session_.view(); view.orphans > 0 && !view.recalling && !view.history_behind && !keeps_unknown())
            session_.let_go_of_orphans(sync::Lane::status);
    if (lease_lane_) lease_lane_(session_);
    if (side_ == sync::Side::parent) session_.set_names_taken(names_taken());
    take_turn();
    count();
    if (wire_ && side_ == sync::Side::child) measure();
    while (wire_ && wire_->unsent() < env::Wire::high_mark) {
        session_.set_status_room(context_.meters.status_room(tag_));
        auto message = session_.take_output(now);
        if (!message) break;
        wire_->send(std::move(*message));
        count();
    }
    take_turn();
    pumping_ = false;
    note_history();
    auto view = session_.view();
    if (wire_ && view.up && !was_up_) {
        was_up_ = true;
        turned_(true, {});
    }
    if (wire_ && session_.over()) drop_wire(*session_.over());
    if (!applying_) apply_next();
    carry_on();
    arm();
}

void Link::take_turn() {
    if (!turn_) return;
    bool wants = wire_ && session_.catching_up();
    if (wants) session_.hold(!turn_(true));
    if (!wants && wants_turn_) {
        session_.hold(false);
        turn_(false);
    }
    wants_turn_ = wants;
}

void Link::count() { context_.meters.count(tag_, session_.take_uses()); }

void Link::measure() {
    auto path = wire_->path();
    if (path.round_trip == Duration{}) return;
    loss_.add(path.sent - std::min(path.sent, measured_.sent), path.sent_again - std::min(path.sent_again, measured_.sent_again));
    measured_ = path;
    session_.set_path(
        {.round_trip_us = static_cast<std::uint32_t>(std::min<Duration>(path.round_trip, 1000s) / 1us), .loss = loss_.percent()});
}

/// The peer has seen more of our history than we have, as a wire or a courier file shows. It stays noted until both agree again
/// and nothing is left that only the peer has.
void Link::note_behind(store::Transaction& transaction) {
    if (std::exchange(is_behind_, true)) return;
    context_.recovery.behind(tag_);
    transaction.note(behind_space, peer_.cell.text(), "1");
}

void Link::note_history() {
    if (noting_history_) return;
    auto view = session_.view();
    bool mended = wire_ && view.agreement && view.orphans == 0 && coming_back_.steps.empty() && !context_.recovery.active();
    bool news = view.history_behind && !is_behind_;
    if (!news && mended) context_.recovery.settled(tag_);
    if (!news && !(is_behind_ && mended)) return;
    store::Transaction transaction;
    if (news) {
        note_behind(transaction);
    } else {
        session_.history_mended();
        left_.clear();
        is_behind_ = false;
        transaction.erase_note(behind_space, peer_.cell.text());
    }
    noting_history_ = true;
    context_.store.commit(std::move(transaction), [this, alive = std::weak_ptr(alive_)](const Result<store::Number>&) {
        if (!alive.expired()) noting_history_ = false;
    });
}

void Link::drop_orphans(bool drop) {
    drops_orphans_ = drop;
    pump_soon();
}

void Link::arm() {
    Instant wake = session_.next_wake();
    if (wake >= armed_) return; // the timer that is set rings early, and looks again
    armed_ = wake;
    Duration wait = std::max(Duration{0}, wake - context_.env.clock.now());
    timer_ = context_.env.timers.after(wait, [this] {
        armed_ = Instant::never();
        pump();
    });
}

sync::Outbound::Place Link::place(const sync::Cursor& cursor) {
    if (context_.store.knows(store::Cursor{cursor.incarnation, cursor.number})) return Place::known;
    // Also long after: where the floor has come past what was forgotten, its opening tells where it ended.
    auto heads = context_.store.heads();
    auto opening = std::ranges::find(heads, cursor.incarnation, &store::Cursor::incarnation);
    bool below_floor = opening != heads.end() && cursor.number <= opening->number;
    return below_floor ? Place::forgotten : Place::ahead;
}

sync::Number Link::durable() const { return context_.store.durable(); }

bool Link::was_opened(const IncarnationId& incarnation) const {
    auto incarnations = context_.store.incarnations();
    return std::ranges::find(incarnations, incarnation) != incarnations.end();
}

std::optional<std::vector<sync::ItemKey>> Link::erased_since(sync::Lane lane, sync::Number number) {
    auto changes = context_.store.erased_since(number);
    if (!changes) return {};
    std::vector<sync::ItemKey> erased;
    for (const store::Change& change : *changes) {
        for (store::Part part : {store::Part::wish, store::Part::found})
            if (lane_of(context_.slicer.lane_for(peer_.role, {change.key, part})) == lane)
                erased.push_back(item_key(*change.before, part));
        if (erased.size() > most_erased) return {};
    }
    return erased;
}

void Link::load(sync::Lane lane, sync::Inbound& inbound) {
    if (lane == sync::Lane::desired) {
        if (auto note = context_.store.note(cursor_space, peer_.cell.text())) inbound.load_cursor(read_cursor(*note));
        if (auto open = context_.store.note(open_space, peer_.cell.text()); open && open->size() > 8)
            inbound.load_open(read_cursor(std::string_view(*open).substr(8)));
    }
    const auto* keys = context_.replicas.of(peer_.cell);
    if (!keys) return;
    for (const store::Key& key : *keys) {
        store::ObjectPtr object = context_.store.get(key);
        if (!object) continue;
        for (store::Part part : all_parts) {
            const store::PartState& state = object->part(part);
            if (state.from != peer_.cell || !has_bytes(state) ||
                lane_of(context_.slicer.lane_for(peer_.role, {key, part})) != lane)
                continue;
            inbound.load({.key = item_key(*object, part),
                          .generation = part == store::Part::wish ? object->generation : 0,
                          .bytes = state.bytes});
        }
    }
}

bool Link::keeps_unknown() const { return is_behind_ || lacks_objects(context_.store); }

PeerView Link::peer_view() const {
    auto view = session_.view();
    PeerView out{.peer = peer_,
                 .in_touch = wire_ && view.up,
                 .heard = view.heard,
                 .sent = past_.sent,
                 .received = past_.received,
                 .in_agreement = view.agreement && queue_.empty() && !applying_,
                 .trouble = trouble_};
    out.acknowledged = side_ == sync::Side::parent ? view.acknowledged : view.held ? view.held->number : 0;
    out.version = view.peer_version;
    out.status_waits = view.status_waits;
    out.path = session_.path();
    out.refused = kept_out_.size();
    out.names_taken = names_taken();
    out.orphans = view.orphans;
    out.recalling = view.recalling;
    out.left_there.assign(left_.begin(), left_.end());
    if (side_ == sync::Side::child) out.names_taken_there = session_.names_taken();
    if (wire_) {
        auto traffic = wire_->traffic();
        out.sent += traffic.sent;
        out.received += traffic.received;
    }
    if (out.trouble.empty() && !kept_out_.empty()) out.trouble = kept_out_.begin()->second.why;
    if (out.trouble.empty() && is_behind_)
        out.trouble =
            "the peer has seen later changes of this cell than it has itself: nothing is removed there for being absent here";
    return out;
}

} // namespace skerry::cell
