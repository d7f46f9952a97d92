#pragma once

#include "base/result.h"
#include "base/time.h"
#include "main/machine/claim.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skerry::main {

/// What one `skerry` process is to be. The same code runs all of them; roles only decide which loops and doors are added.
struct DaemonOptions {
    enum class Role : std::uint8_t {
        up,     ///< core, site and node in one cell
        core,   ///< many places
        region, ///< many places below a core, as one of its sites
        site,   ///< one place, with its own machine as a node
        node,   ///< one more machine of a site
    };
    Role role = Role::up;
    Claim::Options claim;
    std::optional<std::string>
        name; ///< of the core; of the site for `up`; absent: as the state has it, at first "core" or the host's
    std::vector<std::string> listen;           ///< host:port; empty: the role's default
    std::vector<std::string> advertise;        ///< where children reach it, host or host:port; empty: the machine's addresses
    std::optional<std::string> join;           ///< text of a token
    std::map<std::string, std::string> labels; ///< of the Site that `up` makes
    bool with_node = true;                     ///< a site whose own machine runs nothing: false
    bool restored = false;                     ///< its store was put back from a backup
    std::uint32_t freeze_share = 30;           ///< of a core: percent of sites which, vanishing at once, make it doubt itself
    std::uint32_t replace_rate = 6;            ///< of a core: sites a minute that may get their first substitutes
    Duration certificate_life = 24h * 90;      ///< of the sites and nodes that join here
};

/// Runs until SIGINT or SIGTERM; what runs in instances runs on. Returns an exit status.
///
/// What is under way on workers then (a start, a blob's last bytes) gets two seconds to end. What takes longer, as a stop whose
/// container uses its grace, is left as a crash would leave it: the process ends at once, with the state's lock, and the next start
/// adopts the container and asks it to stop again.
int run_daemon(const DaemonOptions&);

} // namespace skerry::main
