#pragma once

#include "base/time.h"
#include "model/kind.h"

#include <span>
#include <string>
#include <string_view>

namespace skerry::model {

/// One column of what `get` prints, in the API's Table answers and on the command line.
struct Column {
    std::string_view name; ///< as kubectl prints it before upper-casing: "Ready"
    std::string_view type; ///< "string" or "integer", as in a TableColumnDefinition
    std::string_view description;
    bool wide; ///< only with -o wide
    std::string (*text)(const google::protobuf::Message&, WallTime now);
};

/// Name first (for Events when last seen), Age behind the other narrow ones. Where something that is wanted does not run, Status,
/// Phase or Reason is the reason that its conditions give.
std::span<const Column> columns(Kind);

} // namespace skerry::model
