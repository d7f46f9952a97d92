#pragma once

#include "base/result.h"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace skerry {

/// 128 random bits. Printed as 32 hexadecimal digits; all zero means "none".
struct Id {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    explicit operator bool() const { return (high | low) != 0; }
    auto operator<=>(const Id&) const = default;

    std::string text() const;
    /// 16 bytes, big-endian, as written on links and disks.
    std::string bytes() const;
    static Result<Id> parse(std::string_view text);
    static Result<Id> from_bytes(std::string_view bytes);
};

/// Distinct ids of one shape, which the compiler keeps apart.
template<class Tag>
struct TypedId : Id {
    TypedId() = default;
    explicit TypedId(Id id) : Id(id) {}
    auto operator<=>(const TypedId&) const = default;
};

/// One `skerry` store, for as long as it exists: where the specs of its objects are decided ("home"). Never a name.
using CellId = TypedId<struct CellTag>;
/// One object, for as long as it exists; a reused name gets a new one.
using Uid = TypedId<struct UidTag>;
/// One opening of a store (rule S2).
using IncarnationId = TypedId<struct IncarnationTag>;

} // namespace skerry

template<>
struct std::hash<skerry::Id> {
    std::size_t operator()(const skerry::Id& id) const noexcept { return id.high ^ (id.low * 0x9e3779b97f4a7c15ULL); }
};
template<class Tag>
struct std::hash<skerry::TypedId<Tag>> : std::hash<skerry::Id> {};
