#pragma once

#include <string>

namespace google::protobuf {
template<typename T>
class RepeatedPtrField;
}

namespace skerry::model {

class ClosedComponent;
class Pin;

/// Hash of exactly what makes a running instance of the component out of date (rule A6), as 32 hexadecimal digits: runtime, image
/// digest, command, args, working directory, user, resources, ports, environment, and uid and generation of the Secrets and
/// Configs that the environment reads. Not in it: the image's tag, health, placement, partition, stop grace, and other
/// components.
///
/// Equal meaning gives equal hashes: `1` and `1000m`, a preset and its absence, any order of pins. A later build that adds an
/// optional field gives the same hash where the field is absent.
std::string component_hash(const ClosedComponent&, const google::protobuf::RepeatedPtrField<Pin>& pins);

} // namespace skerry::model
