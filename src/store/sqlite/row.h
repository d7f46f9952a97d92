#pragma once

#include "store/backend.h"

#include <optional>
#include <string>
#include <string_view>

namespace skerry::store {

/// The bytes of one row: a digest of its identity (the other columns) and its payload, then the payload. Integers are
/// little-endian.
///
///     object     0, generation u32, uid 16, home 16, then per part present: part + 1 u8, number u64, from 16, length u32, bytes
///     tombstone  1, number u64, uid 16, home 16
///
/// Reading checks the digest first; what it returns is as it was written, unless somebody forged it (bounds are checked all the
/// same). None: damaged.
std::string write_row(const Object&);
std::string write_row(const Backend::Tombstone&);
std::optional<ObjectPtr> read_object(const Key&, std::string_view row);
std::optional<Backend::Tombstone> read_tombstone(const Key&, std::string_view row);

/// The same for rows that are only bytes, under an identity of the caller's.
std::string seal(std::string_view identity, std::string_view payload);
std::optional<std::string_view> unseal(std::string_view identity, std::string_view row);

std::string write_incarnation(const Backend::Incarnation&);
std::optional<Backend::Incarnation> read_incarnation(std::string_view row);

} // namespace skerry::store
