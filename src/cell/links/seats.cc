#include "cell/links/seats.h"

#include "cell/slices/closure.h"

#include <fmt/format.h>

namespace skerry::cell {

namespace {

constexpr std::string_view seat_space = "seat";

} // namespace

store::Key seat_object(env::Peer::Role role, std::string_view name) {
    return {role == env::Peer::Role::node ? model::Kind::node : model::Kind::site, "", std::string(name)};
}

/// A note is the object's uid and the cell's id, 16 bytes each.
std::optional<Seat> seat_of(const store::Store& store, env::Peer::Role role, std::string_view name) {
    auto note = store.note(seat_space, peer_tag(role, name));
    if (!note || note->size() != 32) return {};
    auto object = Id::from_bytes(std::string_view(*note).substr(0, 16)),
         cell = Id::from_bytes(std::string_view(*note).substr(16));
    if (!object || !cell) return {};
    return Seat{Uid(*object), CellId(*cell)};
}

void take_seat(store::Transaction& transaction, env::Peer::Role role, std::string_view name, const Seat& seat) {
    transaction.note(seat_space, peer_tag(role, name), seat.object.bytes() + seat.cell.bytes());
    transaction.erase_note(left_space, seat.cell.text());
}

void keep_seat(store::Transaction& transaction, const store::Store& store, const store::Key& key, Uid uid) {
    bool is_node = key.kind == model::Kind::node;
    if ((!is_node && key.kind != model::Kind::site) || !store.missing().contains(key)) return;
    auto role = is_node ? env::Peer::Role::node : env::Peer::Role::site;
    if (auto seat = seat_of(store, role, key.name)) take_seat(transaction, role, key.name, {.object = uid, .cell = seat->cell});
}

Result<void> may_speak(const store::Store& store, const env::Peer& peer) {
    if (peer.role == env::Peer::Role::core) return {};
    auto seat = seat_of(store, peer.role, peer.name);
    if (!seat) return {};
    bool is_node = peer.role == env::Peer::Role::node;
    std::string title = (is_node ? "node " : "site ") + peer.name;
    auto refuse = [&](std::string_view why, std::string_view flag) {
        return fail(
            Code::unauthenticated,
            fmt::format("{}; to take this machine in again, make a token (skerry token create --{} {}{}) and start it with "
                        "--join TOKEN",
                        why, is_node ? "node" : "site", peer.name, flag));
    };
    store::Key key = seat_object(peer.role, peer.name);
    auto object = store.get(key);
    // From a damaged row nothing follows (rule S5).
    if (!object && !store.missing().contains(key)) return refuse(title + " was deleted here", "");
    if (object && object->uid != seat->object)
        return refuse(title + " was deleted here and made anew since this machine joined", "");
    if (seat->cell != peer.cell) return refuse("another machine has joined as " + title + " since", " --replace");
    return {};
}

bool has_left(const store::Store& store, std::string_view site, CellId cell) {
    auto seat = seat_of(store, env::Peer::Role::site, site);
    if (!seat) return false;
    store::Key key = seat_object(env::Peer::Role::site, site);
    auto object = store.get(key);
    if (!object && store.missing().contains(key)) return false;
    return !object || seat->cell != cell || seat->object != object->uid;
}

std::optional<std::string> left_site(const store::Store& store, CellId cell) { return store.note(left_space, cell.text()); }

} // namespace skerry::cell
