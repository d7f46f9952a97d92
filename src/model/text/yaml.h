#pragma once

#include "base/json.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::model {

struct YamlLimits {
    std::size_t bytes = 4 << 20;
    std::size_t depth = 64;
    std::size_t values = 400'000;          ///< with every alias written out
    std::size_t expanded_bytes = 16 << 20; ///< of all text, with every alias written out
    std::size_t documents = 10'000;
};

/// The documents of a YAML stream as JSON values; empty documents are left out. Plain scalars by the core schema of YAML 1.2
/// (`yes` and `on` are strings, 0o17 and 0x1f numbers), quoted ones are strings. Keys become strings as they are written.
/// Refused: duplicate keys, merge keys, keys that are no scalars, tags other than the core's, recursive aliases, anything beyond
/// the limits. Errors name the line.
Result<std::vector<Json>> parse_yaml(std::string_view text, YamlLimits limits = {});

/// The objects of a manifest in JSON or YAML, `kind: List` taken apart.
Result<std::vector<Json>> parse_manifest(std::string_view text);

/// One document in block style, as `-o yaml` prints it, without `---`. Reads back to an equal value (non-finite numbers apart).
std::string write_yaml(const Json&);

} // namespace skerry::model
