#include "base/bytes.h"
#include "base/log.h"
#include "cell/links/applying.h"

#include <algorithm>
#include <utility>

namespace skerry::cell {

namespace {

/// Notes by the peer's cell. Up to where the peer has our desired slice, as it last said.
constexpr std::string_view acknowledged_space = "acknowledged";
/// A place in our own history that the peer knows and our store does not (rule H3).
constexpr std::string_view ahead_space = "courier.ahead";
/// Up to where we have the peer's status from a file.
constexpr std::string_view status_space = "courier.status";
/// The next file says that all of the peer's slice is wanted.
constexpr std::string_view asks_space = "courier.asks";

std::optional<sync::Cursor> cursor_in(const std::optional<std::string>& note) { return note ? read_cursor(*note) : std::nullopt; }

} // namespace

void Link::note_open(store::Transaction& transaction, const sync::Apply& apply) {
    if (apply.lane != sync::Lane::desired) return;
    std::string peer = peer_.cell.text();
    if (!apply.close) {
        std::string note = big_endian(context_.store.cursor().number);
        if (apply.open) note += write_cursor(*apply.open);
        transaction.note(open_space, peer, std::move(note));
    } else if (context_.store.note(open_space, peer)) {
        transaction.erase_note(open_space, peer);
    }
}

/// Whether some of what we hold of the peer may have come later than this file was packed.
bool Link::may_be_newer(const sync::Courier& courier) {
    auto open = context_.store.note(open_space, peer_.cell.text());
    if (!open || open->size() < 8) return false;
    // Who has seen what we were at behind that packed later.
    if (courier.held && courier.held->number > read_big_endian(open->substr(0, 8)) && place(*courier.held) == Place::known)
        return false;
    auto file = read_cursor(std::string_view(*open).substr(8));
    bool same_or_later =
        file && courier.until[0] >= file->number && std::ranges::any_of(courier.history, [&](const sync::Cursor& head) {
            return head.incarnation == file->incarnation && file->number <= head.number;
        });
    return !same_or_later;
}

void Link::recall_peer_cursor() {
    session_.set_peer_cursor(cursor_in(context_.store.note(acknowledged_space, peer_.cell.text())));
}

/// For the time after a restart. What is not on the disk yet when the power goes makes the next file longer, no more.
void Link::remember_peer_cursor() {
    if (peer_.role == env::Peer::Role::node) return;
    store::Transaction transaction;
    note_peer_cursor(transaction, session_.peer_cursor());
    if (!transaction.empty()) context_.store.commit(std::move(transaction), nullptr);
}

void Link::note_peer_cursor(store::Transaction& transaction, const std::optional<sync::Cursor>& cursor) {
    std::string peer = peer_.cell.text();
    if (cursor_in(context_.store.note(acknowledged_space, peer)) == cursor) return;
    if (cursor)
        transaction.note(acknowledged_space, peer, write_cursor(*cursor));
    else
        transaction.erase_note(acknowledged_space, peer);
}

Result<sync::CarriedSlices> Link::pack(Couriers::Extent extent) {
    if (context_.recovery.active() || (wire_ && session_.view().recalling))
        return fail(Code::unavailable,
                    "this cell's store went back to an older state, and what it forgot is still on its way back: "
                    "what it has now is old. Pack again when that is over, in a minute or two (rule H3)");
    const store::Store& store = context_.store;
    std::string peer = peer_.cell.text();
    sync::Courier courier{.from = store.cell(), .to = peer_.cell};
    auto heads = store.heads();
    for (const store::Cursor& head : heads) courier.history.push_back({head.incarnation, head.number});
    if (courier.history.size() > sync::most_openings)
        courier.history.erase(courier.history.begin(), courier.history.end() - sync::most_openings);
    courier.until[0] = heads.back().number;
    courier.until[1] = store.cursor().number;
    courier.keep_unknown = keeps_unknown();
    courier.recovers = cursor_in(store.note(ahead_space, peer));
    if (auto base = session_.peer_cursor(); base && extent == Couriers::Extent::difference && place(*base) == Place::known &&
                                            std::ranges::any_of(courier.history, [&](const sync::Cursor& head) {
                                                return head.incarnation == base->incarnation && base->number <= head.number;
                                            }))
        courier.base = base;
    if (!store.note(asks_space, peer)) courier.held = cursor_in(store.note(cursor_space, peer));
    return session_.carry(std::move(courier));
}

void Link::take(sync::CarriedSlices carried, Couriers::How how, Applied then) {
    if (how == Couriers::How::look) {
        auto taken = session_.weigh(carried, cursor_in(context_.store.note(status_space, peer_.cell.text())),
                                    may_be_newer(carried.courier));
        if (!taken) return then(std::unexpected(taken.error()));
        return then(Couriers::Outcome{*taken});
    }
    if (carrying_)
        return then(
            fail(Code::unavailable, "another courier file of the same sender is being applied; try again when it is done"));
    carrying_ = std::make_unique<Carrying>(Carrying{.carried = std::move(carried), .then = std::move(then)});
    pump_soon();
}

void Link::carry_on() {
    if (!carrying_ || carrying_->last || applying_ || !queue_.empty()) return;
    if (wire_ && session_.view().recalling) return; // what we forgot comes first; it would be asked for anew
    // A file that has nothing new is no reason to end a wire.
    auto weighed = session_.weigh(carrying_->carried, cursor_in(context_.store.note(status_space, peer_.cell.text())),
                                  may_be_newer(carrying_->carried.courier));
    if (!weighed) return end_carrying(std::unexpected(weighed.error()));
    if (weighed->brings == sync::Brings::nothing && (wire_ || !weighed->is_latest))
        return end_carrying(Couriers::Outcome{.taken = *weighed});
    if (wire_) {
        session_.end("a courier file is applied here; come back");
        while (auto message = session_.take_output(context_.env.clock.now())) wire_->send(std::move(*message));
        drop_wire("a courier file is applied here");
    }
    auto taking = session_.take(carrying_->carried, cursor_in(context_.store.note(status_space, peer_.cell.text())),
                                may_be_newer(carrying_->carried.courier));
    if (!taking) return end_carrying(std::unexpected(taking.error()));
    carrying_->outcome.taken = taking->taken;
    carrying_->last = taking->last;
    carrying_->kept_out_before = kept_out_.size();
    if (!taking->last) return carried_all();
    pump_soon();
}

/// The slices are durable. The acknowledgement in the file, and what we have to say in ours.
void Link::carried_all() {
    const sync::Courier& courier = carrying_->carried.courier;
    sync::Taken& taken = carrying_->outcome.taken;
    std::size_t before = carrying_->kept_out_before;
    carrying_->outcome.refused = kept_out_.size() > before ? kept_out_.size() - before : 0;
    // So that a link shows what only we have of the sender's (rule H3).
    if (carrying_->met_later) session_.load_again();
    if (!taken.is_latest) return end_carrying(carrying_->outcome);
    std::string peer = peer_.cell.text();
    store::Transaction transaction;
    if (taken.brings != sync::Brings::nothing)
        transaction.note(status_space, peer, write_cursor({courier.history.back().incarnation, courier.until[1]}));
    if (taken.lacking > 0 || taken.kept > 0)
        transaction.note(asks_space, peer, "1");
    else if (taken.brings == sync::Brings::news)
        transaction.erase_note(asks_space, peer);
    auto where = courier.held ? place(*courier.held) : Place::none;
    session_.set_peer_cursor(where == Place::known ? courier.held : std::nullopt);
    note_peer_cursor(transaction, session_.peer_cursor());
    if (where == Place::ahead) {
        transaction.note(ahead_space, peer, write_cursor(*courier.held));
        note_behind(transaction);
    } else if (context_.store.note(ahead_space, peer)) {
        transaction.erase_note(ahead_space, peer);
    }
    if (transaction.empty()) return end_carrying(carrying_->outcome);
    context_.store.commit(std::move(transaction), [this, alive = std::weak_ptr(alive_)](Result<store::Number> done) {
        if (alive.expired() || !carrying_) return;
        if (!done) return end_carrying(std::unexpected(done.error()));
        end_carrying(carrying_->outcome);
    });
}

void Link::end_carrying(Result<Couriers::Outcome> outcome) {
    auto carrying = std::move(carrying_);
    if (carrying) carrying->then(std::move(outcome));
}

} // namespace skerry::cell
