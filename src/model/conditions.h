#pragma once

#include <string_view>

namespace google::protobuf {
template<typename T>
class RepeatedPtrField;
}

namespace skerry::model {

class Condition;
using Conditions = google::protobuf::RepeatedPtrField<Condition>;

/// Sets or adds the condition of this type. `now` (RFC 3339) becomes its last transition only if the status changed; returns
/// whether anything changed. Conditions stay in the order in which they first appeared.
bool set_condition(Conditions&, std::string_view type, std::string_view status, std::string_view reason, std::string_view message,
                   std::string_view now);
bool remove_condition(Conditions&, std::string_view type);

/// Null where there is none.
const Condition* find_condition(const Conditions&, std::string_view type);
/// Status "True". False where there is none.
bool holds(const Conditions&, std::string_view type);

} // namespace skerry::model
