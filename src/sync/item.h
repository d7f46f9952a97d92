#pragma once

#include "base/digest.h"
#include "base/ids.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace skerry::sync {

using Number = std::uint64_t;
using Blob = std::shared_ptr<const std::string>;

/// The two slices in each direction of a link, in order of priority (rule L6). `desired` keeps a durable cursor, `status` one in
/// memory (rule L4).
enum class Lane : std::uint8_t { desired, status };
inline constexpr std::size_t lanes = 2;

/// Names one part of one object for as long as that object exists anywhere (rule H1).
struct ItemKey {
    std::uint32_t kind = 0; ///< number of the kind; batches carry lower ones first (rule L2)
    std::string project;
    std::string name;
    Uid uid;
    CellId home;
    std::uint8_t part = 0;

    auto operator<=>(const ItemKey&) const = default;
    /// For messages: `kind 9 retail/till`.
    std::string text() const;
};

/// One part of one object, as the bytes its home made (rule L1).
struct Item {
    ItemKey key;
    std::uint32_t generation = 0; ///< 0 for soft parts, which are compared by value (rule L4)
    Blob bytes;
    std::string seal = {}; ///< by which its home knows it again (rule H3); empty: none
};

/// A place in the history of the cell that sends a slice (rule S3).
struct Cursor {
    IncarnationId incarnation;
    Number number = 0;
    auto operator<=>(const Cursor&) const = default;
};

/// The key of all digests on the link of these two; the same after every reconnect, so digests stay valid.
std::uint64_t link_key(CellId parent, CellId child);

Digest key_hash(std::uint64_t link_key, const ItemKey&);
/// Of home, kind, project, name, uid, part, generation and bytes; never of local numbers (rule L1). Never zero.
Digest item_digest(std::uint64_t link_key, const ItemKey&, std::uint32_t generation, std::string_view bytes);

struct DigestHash {
    std::size_t operator()(const Digest& digest) const noexcept { return digest.low; }
};

} // namespace skerry::sync
