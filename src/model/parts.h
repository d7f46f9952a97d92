#pragma once

#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
template<typename T>
class RepeatedPtrField;
} // namespace google::protobuf

/// What the messages of all kinds have in common, reached by reflection. The message must be one of a kind.
namespace skerry::model {

class Meta;
class Condition;

const Meta& metadata(const google::protobuf::Message&);
Meta& metadata(google::protobuf::Message&);

/// The first field that is set and is not the status; empty where there is none. What a peer reports must have none (rule H2).
std::string field_beside_status(const google::protobuf::Message&);

/// Of status; null where the kind has none or the status is absent.
const google::protobuf::RepeatedPtrField<Condition>* conditions(const google::protobuf::Message&);

} // namespace skerry::model
