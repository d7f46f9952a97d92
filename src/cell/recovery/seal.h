#pragma once

#include "store/store.h"
#include "sync/item.h"

#include <string>

namespace skerry::cell {

/// How a cell knows its own objects again when its children give them back (rule H3).
///
/// A cell whose store went back to an older state has forgotten what it decided since; its children hold it. But a child may be
/// in wrong hands, and whoever could make the core take in an App could run it everywhere. So each wish that goes to a child
/// carries a code that only its home can make: HMAC-SHA-256 (RFC 2104), cut to 16 bytes, over the child and the whole item, under
/// a key that never leaves the home's store. The child keeps it beside the object, and returns it with it:
///
///     notes space "seal":     "own" → the key, made at the first opening, and in every backup since
///     notes space "sealed":   "<kind> <project>/<name>" → the parent's code for what is held of it
///
/// What comes back is believed only with the code for that very child: so a child can return what it was sent, whole, and
/// nothing else.
class Seals {
public:
    explicit Seals(store::Store&, env::Chance&);

    std::string seal(CellId child, const sync::ItemKey&, std::uint32_t generation, std::string_view bytes) const;
    /// In time that does not depend on where they differ.
    bool is_ours(CellId child, const sync::Item&) const;

    static constexpr std::size_t size = 16;

private:
    std::string key_;
};

} // namespace skerry::cell
