#pragma once

#include "cell/links/peers.h"
#include "model/conditions.h"

#include <string>
#include <string_view>

namespace skerry::cell {

/// Sets condition `NameTaken` of this cell's own Site: which objects of the parent wait since others here have their names (rule H5).
/// `what`: the word for this cell, "site" or "region".
void report_names_taken(const Peers&, std::string_view what, const std::string& now, model::Conditions&);

} // namespace skerry::cell
