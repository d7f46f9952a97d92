#pragma once

#include "base/result.h"
#include "main/folders.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skerry::main {

/// What one `skerry` process is to be. The same code runs all of them; roles only decide which loops and doors are added.
struct DaemonOptions {
    enum class Role : std::uint8_t {
        up,   ///< core, site and node in one cell
        core, ///< many places
        site, ///< one place, with its own machine as a node
        node, ///< one more machine of a site
    };
    Role role = Role::up;
    Folders folders;
    /// Of the core; of the site for `up`; empty: as before, or the default. Sites and nodes are named by their tokens.
    std::string name;
    std::vector<std::string> listen;           ///< host:port; empty: the role's default
    std::vector<std::string> advertise;        ///< where children reach it, host or host:port; empty: the machine's addresses
    std::optional<std::string> join;           ///< text of a token
    std::map<std::string, std::string> labels; ///< of the Site that `up` makes
    bool with_node = true;                     ///< a site whose own machine runs nothing: false
    std::optional<std::string> prefix;         ///< of network devices, rules and cgroups; none: as before, or "skerry"
};

/// Runs until SIGINT or SIGTERM; what runs in instances runs on. Returns an exit status.
int run_daemon(const DaemonOptions&);

} // namespace skerry::main
