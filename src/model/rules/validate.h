#pragma once

#include "model/kind.h"
#include "model/rules/problems.h"

#include <string_view>

namespace skerry::model {

/// Checks an object against the rules of its schema (rule.proto) and those of its kind; adds every problem found. Works before
/// and after presets were applied. Metadata that only loops write (uid, generation, home) and status are checked for form alone.
void validate(Kind, const google::protobuf::Message&, Problems&);

/// What an update must leave as it was: fields marked `immutable`.
void validate_update(Kind, const google::protobuf::Message& before, const google::protobuf::Message& after, Problems&);

/// Largest object, as bytes of its message. Leaves room for the rest of a transaction (rule S4).
inline constexpr std::size_t largest_object = 768 << 10;
/// Largest sum of keys and values of a Secret or Config.
inline constexpr std::size_t largest_data = 512 << 10;

/// Empty if `text` has the format (a word of Rule.format), else what is wrong with it and an example: `is not a duration (try 30s
/// or 10m)`.
std::string format_problem(std::string_view format, std::string_view text);

} // namespace skerry::model
