#pragma once

#include <string>

namespace google::protobuf {
class MessageLite;
}

namespace skerry::model {

/// The message as its home keeps it (rule L1). The same content gives the same bytes in every process: entries of maps go in the
/// order of their keys, so that what is decided a second time does not differ from what was decided before.
std::string bytes_of(const google::protobuf::MessageLite&);

} // namespace skerry::model
