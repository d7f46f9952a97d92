#pragma once

#include "base/json.h"
#include "model/kind.h"
#include "model/rules/problems.h"

#include <cstdint>
#include <memory>
#include <string_view>

/// JSON to messages and back, by descriptor, strictly.
///
/// Names are the API's (`matchLabels`); `null` means absent; a scalar that is present stays present, also when it is zero. Fields
/// whose rule says quantity, duration or share take a number too and keep it as text. `bytes` are base64. Integers must be
/// integral and in range.
namespace skerry::model {

/// What to do about fields that the schema does not have (the API's `fieldValidation`: Strict, Warn, Ignore).
enum class Unknown { refuse, warn, ignore };

inline constexpr std::string_view api_version = "skerry/v1";

/// Adds to `message` what `json` says. Each thing wrong becomes a problem; the rest is still read. `at` is the path of `json`
/// itself.
void from_json(const Json& json, google::protobuf::Message& message, Problems&, Unknown = Unknown::refuse,
               std::string_view at = {});

/// Absent fields, empty lists and empty maps are omitted; maps are in order of their keys, so equal messages give equal text.
/// Plain (non-optional) numbers and booleans are shown also when they are zero, except in metadata.
Json to_json(const google::protobuf::Message&);

/// A whole object: `{apiVersion, kind, metadata, ...}`. Whoever holds one includes <google/protobuf/message.h> or a kind's .pb.h.
struct Parsed {
    const KindFacts* kind = nullptr;                    ///< null: the kind is missing or unknown
    std::unique_ptr<google::protobuf::Message> message; ///< null exactly when `kind` is
};

/// Reads an object; usable only if `problems` stayed empty. Rules of values are not checked here: see validate.h.
Parsed parse_object(const Json&, Unknown, Problems&);

/// apiVersion, kind, metadata, spec or data, status, in this order. `resource_version` becomes metadata.resourceVersion unless 0.
Json write_object(Kind, const google::protobuf::Message&, std::uint64_t resource_version = 0);

/// An empty message of the kind.
std::unique_ptr<google::protobuf::Message> new_message(Kind);

} // namespace skerry::model
