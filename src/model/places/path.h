#pragma once

#include "base/json.h"
#include "base/result.h"

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Descriptor;
class FieldDescriptor;
class Message;
} // namespace google::protobuf

namespace skerry::model {

/// A place within a message, in the API's spelling (rule W2): `spec.components[name=pos].env[name=STORE].value`,
/// `metadata.labels[tier]`. Items of a list are addressed by the field that tells them apart; a list without such a field is one
/// value, and so is any message as a whole. Bounded: 1024 bytes, 16 steps.
class Path {
public:
    struct Step {
        const google::protobuf::FieldDescriptor* field = nullptr;
        std::optional<std::string> key; ///< of an item of a list with keys, or of an entry of a map
        bool operator==(const Step&) const = default;
    };

    Path() = default;
    explicit Path(std::vector<Step> steps) : steps_(std::move(steps)) {}
    /// `invalid`, with the words that are known where one is not.
    static Result<Path> parse(const google::protobuf::Descriptor*, std::string_view text);

    std::string text() const;
    const std::vector<Step>& steps() const { return steps_; }
    Path with(Step) const;
    /// Whether the other is this or lies within it.
    bool holds(const Path& other) const;
    bool operator==(const Path&) const = default;

private:
    std::vector<Step> steps_;
};

/// What is there; none where nothing is.
std::optional<Json> get(const google::protobuf::Message&, const Path&);
/// Whether everything above the last step is there, so that a value has a place: messages that are absent count as there, items
/// of lists do not.
bool leads_somewhere(const google::protobuf::Message&, const Path&);
/// Puts a value there, or takes it away. `not_found` where the path leads nowhere; `invalid` where the value does not fit, with
/// the field; the message is then as it was. A message that becomes empty by taking away goes as well.
Result<void> set(google::protobuf::Message&, const Path&, const std::optional<Json>& value);

/// Every place where the second differs from the first, as deep as keys reach, none within another. `get(to, path)` at each makes
/// the first like the second but for the order of items that have keys, and for messages without content.
std::vector<Path> differences(const google::protobuf::Message& from, const google::protobuf::Message& to);

} // namespace skerry::model
