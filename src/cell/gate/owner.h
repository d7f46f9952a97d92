#pragma once

#include "model/kind.h"
#include "trust/tokens/rights.h"

namespace skerry::cell {

/// The object as rights see it: whose it is, by its site and node.
trust::Target target_of(model::Kind, const google::protobuf::Message&);

} // namespace skerry::cell
