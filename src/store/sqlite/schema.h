#pragma once

#include "base/result.h"
#include "store/sqlite/database.h"

namespace skerry::store {

/// Makes the tables in an empty database, or makes sure that the tables there are ours and of this format, before anything is
/// written. Returns the format version found; 0: they were just made.
Result<std::uint32_t> ensure_schema(Database&, const std::string& path);
/// The index over the objects' names, where it was dropped.
Result<void> make_key_index(Database&);

} // namespace skerry::store
