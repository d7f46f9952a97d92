#pragma once

#include "base/result.h"
#include "trust/identity.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::trust {

enum class Verb : std::uint8_t { get, list, watch, create, update, patch, remove, status, logs, exec };
std::string_view name(Verb);
/// Kubernetes' verbs (`delete` is `remove`).
std::optional<Verb> parse_verb(std::string_view);

/// What is touched. `site` and `node` are the object's owner: the site it belongs to (of a Site: its own name), the node it is
/// on.
struct Target {
    std::string kind; ///< "Instance"
    std::string project;
    std::string name;
    std::string site;
    std::string node;
};

/// Who may do what, until Roles decide:
///
/// - users of `system:masters` everything, of `skerry:viewers` get, list, watch and logs of all but Secrets; others nothing;
/// - a core, at a child: get, list, watch, logs and exec (its wishes come as a slice, not as calls);
/// - a site: reads what belongs to it; writes its Nodes, Instances and Events; the status of its Site and Allocations;
/// - a node: reads itself and what is on it, writes their status and its Events.
///
/// `forbidden`, naming who, what, and which right would be needed.
Result<void> may(const Identity&, Verb, const Target&);

/// What stands below a cell: sites below a core or region, nodes below a site, both where core and site are one cell.
enum class Below : std::uint8_t { none, sites, nodes, both };

/// Whether this cell may be a child by link of that one: a site of a core or region, a node of the site that it stands in. A
/// certificate that leads to the same root is not enough, or a captured site could speak at its neighbours. `forbidden` otherwise.
Result<void> may_link(const Identity& child, const Identity& parent, Below);

} // namespace skerry::trust
