#pragma once

#include "cell/cell.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

/// One place: its allocations become instances on its nodes; it heals itself, and says up the tree how it is. All of it also with
/// no parent in touch: the store holds what the site was told.
namespace skerry::site {

struct Options {
    std::string name;       ///< of the Site object
    std::string own_node;   ///< the node whose loop runs in this cell; empty: none (it is then never silent)
    std::string version;    ///< of the program, shown in the Site's status
    std::string api;        ///< address of the site's own API, host:port; may be empty
    Duration silence = 10s; ///< after which a node's instances are replaced (rule F7)
    std::function<std::vector<std::string>()> hears; ///< neighbours that are heard now, see neighbours.h; null: none
};

/// Adds the loop "site" (placing, healing, what is found: one difference) and "own-node", which makes the Node object of
/// `own_node`. Before Cell::start. The Site object comes from its home: over the link, or from `fleet::ensure_site` in the same
/// cell.
void add_loops(cell::Cell&, Options);

/// Makes the Node object where there is none (home: this cell) and calls `then` once it is durable, with its key. One that stands
/// in another site is `exists`. For joining machines; may be repeated.
void ensure_node(cell::Cell&, const std::string& site, const std::string& name, std::map<std::string, std::string> labels,
                 std::function<void(Result<store::Key>)> then);

/// In which label a Node that exists is not as wished, for people; empty: in none, or there is no such Node.
std::string difference(const store::Store&, const std::string& node, const std::map<std::string, std::string>& labels);

} // namespace skerry::site
