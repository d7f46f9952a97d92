#pragma once

#include "base/json.h"
#include "base/result.h"
#include "cli/line/command.h"

#include <string>
#include <vector>

namespace skerry::cli {

struct Manifest {
    std::string source; ///< "till.yaml", "standard input"
    Json content;
};

/// -f FILE|DIR|-, -R.
std::vector<Option> manifest_options();
/// Everything that the -f options name, in order; in folders *.yaml, *.yml and *.json by name.
Result<std::vector<Manifest>> read_manifests(const Invocation&);

} // namespace skerry::cli
