#pragma once

#include "cell/cell.h"
#include "plan/partition.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Many places: apps become revisions, revisions become allocations over sites, wave by wave; what sites report becomes the apps'
/// status.
namespace skerry::fleet {

struct SiteWish {
    std::string name;
    std::map<std::string, std::string> labels;
    std::map<std::string, std::string> values;
    std::vector<std::string> parents;
    std::optional<std::string> jurisdiction;
    std::optional<std::string> profile; ///< of its only uplink, "wan": lan, dsl, cellular, satellite
    bool region = false;                ///< it has sites below it
};

struct Options {
    std::string own_site;  ///< the site whose loops run in this cell, always in touch; empty: none
    plan::Caution caution; ///< when sites vanish
    /// A site's cell: Apps that are decided there (rule W1) are placed at its own site and nowhere else; that the site is in
    /// touch is its parent's to say.
    bool only_own_site = false;
    /// A region's cell: the name of its own Site. What the parent gave to that is divided among the sites below (rule A3), and
    /// the answers and the Site's status are sums over them.
    std::string region = {};
    std::string version = {}; ///< of the program, and `api`: the address of a region's API, shown in its Site's status
    std::string api = {};
    /// A core that is a site as well makes this one where it is missing, also after somebody deleted it.
    std::optional<SiteWish> makes_site = {};
};

/// Adds the loops "revisions" (with what nobody refers to any more), "rollouts" (with the status of apps), and where there are
/// child sites "sites" (who is in touch) and "decisions" (about Overrides of sites, rule W5). Before Cell::start.
void add_loops(cell::Cell&, Options);

/// A courier file is about to be packed for this site. While it is out of touch its wishes go on by file from now on: condition
/// `ByCourier`, until it is in touch again. A rollout reaches it, and neither counts it nor waits for it (rule A4). May be repeated.
void go_by_courier(cell::Cell&, const std::string& site);

/// Makes the Site object where there is none (home: this cell) and calls `then` with its key once it is durable. A Site that
/// exists keeps everything it has, also where the wish differs. For tokens and for `skerry up`; may be repeated.
void ensure_site(cell::Cell&, SiteWish, std::function<void(Result<store::Key>)> then);

/// In which point a Site that exists is not as wished, for people: "its label tier is bakery, not store". Empty: in none that the
/// wish names, or there is no such Site.
std::string difference(const store::Store&, const SiteWish&);

} // namespace skerry::fleet
