#pragma once

#include "cell/links/link.h"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::model {
class Meta;
}

namespace skerry::cell {

/// Notes under which a cell keeps how far it has each peer's history: key is the peer's cell.
inline constexpr std::string_view cursor_space = "cursor";
/// Some of a batch, or of a file, is durable, and its end is not: our own number before it, and as of where it is in the history of
/// the peer.
inline constexpr std::string_view open_space = "link.open";
std::string write_cursor(const sync::Cursor&);
std::optional<sync::Cursor> read_cursor(std::string_view);

/// At a child: the parent's seals of what it holds (`recovery/seal.h`).
inline constexpr std::string_view sealed_space = "sealed";

/// Why these cannot be names; empty: they can.
std::string_view form_problem(const sync::ItemKey&);
/// The bytes must say the same as the key that the slice knows them by.
bool matches(const model::Meta&, const sync::Item&);

/// The frame that is being made durable.
struct Link::Applying {
    sync::Apply apply;
    std::vector<sync::Item> reports; ///< soft parts, behind the transaction
    std::unordered_set<store::Key> put;
    int tries = 0;
};

} // namespace skerry::cell
