#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "env/env.h"
#include "store/store.h"

#include <optional>
#include <string_view>

namespace skerry::cell {

/// Which cell speaks for a child's name, and for which Site or Node (rule H6): the one that joined last, as long as the very object
/// lives that it joined for. Deleting the object is all that it takes to let the cell go, and one of the same name made later has
/// another uid; so there is no second line that a crash could leave out.
///
/// Notes of the store: space "seat", by tag of the child. Where there is none (nobody joined, or before seats were noted), whoever has
/// the keys speaks.
struct Seat {
    Uid object;
    CellId cell;
    bool operator==(const Seat&) const = default;
};
/// The Site or Node of that name.
store::Key seat_object(env::Peer::Role, std::string_view name);
std::optional<Seat> seat_of(const store::Store&, env::Peer::Role, std::string_view name);
void take_seat(store::Transaction&, env::Peer::Role, std::string_view name, const Seat&);

/// A Site or Node whose row is damaged is made again: whoever spoke for it does (rule S5).
void keep_seat(store::Transaction&, const store::Store&, const store::Key&, Uid);

/// Whether this child may link and read here: `unauthenticated`, with the remedy, where its Site or Node is gone or another's.
Result<void> may_speak(const store::Store&, const env::Peer&);
/// Whether `cell` spoke for this site and does no more. False where no seat says so: from what a restored store does not know nothing
/// follows (rule H3).
bool has_left(const store::Store&, std::string_view site, CellId cell);

/// Notes of space "left", by cell: the site that it spoke for. Written when what it had reported went, erased when it joins anew: until
/// then nobody but the parent decides what it had decided.
inline constexpr std::string_view left_space = "left";
std::optional<std::string> left_site(const store::Store&, CellId);

} // namespace skerry::cell
