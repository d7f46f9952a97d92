#include "model/format.h"
#include "model/kind_rules.h"
#include "model/node.pb.h"
#include "model/rule.h"
#include "model/site.pb.h"
#include "model/uplink.h"
#include "model/validate.h"

#include <algorithm>
#include <set>

namespace skerry::model {

namespace {
constexpr Duration longest_lease = 30 * 24h;
}

void check(const Site& site, Problems& problems) {
    const std::string& name = site.metadata().name();
    if (is_name(name) && !is_label(name)) problems.add("metadata.name", quoted(name) + " " + format_problem("label", name));
    std::set<std::string> seen;
    for (int i = 0; i < site.spec().parents_size(); ++i) {
        const std::string& parent = site.spec().parents(i);
        std::string at = join("spec.parents", static_cast<std::size_t>(i));
        if (parent == name) problems.add(at, quoted(parent) + " is the site itself (remove it)");
        if (!seen.insert(parent).second) problems.add(at, quoted(parent) + " is there twice (remove one)");
    }
    for (int i = 0; i < site.spec().peers_size(); ++i)
        if (site.spec().peers(i).name() == name)
            problems.add(join("spec.peers", static_cast<std::size_t>(i)) + ".name",
                         quoted(name) + " is the site itself (remove it)");
    for (int i = 0; i < site.spec().uplinks_size(); ++i) {
        const Uplink& uplink = site.spec().uplinks(i);
        auto lease = parse_duration(uplink.lease());
        if (!uplink.has_lease() || !lease) continue;
        std::string at = join("spec.uplinks", static_cast<std::size_t>(i)) + ".lease";
        Duration least = std::max<Duration>(3 * beat_of(uplink), 1s);
        if (*lease < least)
            problems.add(at, quoted(uplink.lease()) + " is over before three beats of " + skerry::text(beat_of(uplink)) +
                                 " could renew it (write " + skerry::text(least) + " or more, or a shorter beat)");
        if (*lease > longest_lease)
            problems.add(at, quoted(uplink.lease()) + " is longer than " + skerry::text(longest_lease) + " (write that or less)");
    }
    const Location& place = site.spec().location();
    if (place.has_latitude() != place.has_longitude())
        problems.add("spec.location", place.has_latitude() ? "has a latitude without a longitude (write both)"
                                                           : "has a longitude without a latitude (write both)");
}

void check(const Node& node, Problems& problems) {
    const std::string& name = node.metadata().name();
    const std::string& site = node.spec().site();
    if (name.empty() || site.empty() || name == site) return;
    if (!name.starts_with(site + ".") || !is_label(std::string_view(name).substr(site.size() + 1)))
        problems.add("metadata.name",
                     quoted(name) + " does not name a node of site " + site + " (use " + site + " or " + site + ".NODE)");
}

} // namespace skerry::model
