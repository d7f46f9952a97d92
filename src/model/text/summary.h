#pragma once

#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace skerry::model {

/// An object's conditions in one word for people: `good` where nothing is wrong, else the reason of what is.
///
/// Conditions that claim a fault (`is_fault`) count when they are True, all others when they are not; FencedByLeaseOnly never
/// does. Ready is asked last, since the others say why. Without conditions: "Pending".
std::string summary(const google::protobuf::Message&, std::string_view good);

/// NameTaken, Removing, Halted, Revoked, Conflict, Detached.
bool is_fault(std::string_view condition_type);

} // namespace skerry::model
