#pragma once

namespace google::protobuf {
class Message;
}

namespace skerry::model {

/// Writes what absent fields mean into the object (Rule.preset), so that a later build with other presets changes nothing that
/// was admitted. Goes into submessages that are present, and makes those whose preset is `{}`. Moves Secret.stringData into data.
/// Applying it again changes nothing.
void apply_presets(google::protobuf::Message&);

} // namespace skerry::model
