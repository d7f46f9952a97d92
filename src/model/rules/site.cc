#include "base/schedule.h"
#include "base/units.h"
#include "model/node.pb.h"
#include "model/rules/kind_rules.h"
#include "model/rules/rule.h"
#include "model/rules/validate.h"
#include "model/site.pb.h"
#include "model/text/format.h"
#include "model/uplink.h"

#include <algorithm>
#include <set>

namespace skerry::model {

namespace {

constexpr Duration shortest_beat = 100ms, longest_beat = 24h;
constexpr Duration longest_lease = 30 * 24h;
constexpr Duration longest_window = 31 * 24h;

void check_beat(const Uplink& uplink, const std::string& at, Problems& problems) {
    auto beat = parse_duration(uplink.beat());
    if (!uplink.has_beat() || !beat) return;
    if (*beat < shortest_beat)
        problems.add(at + ".beat",
                     quoted(uplink.beat()) + " is shorter than " + skerry::text(shortest_beat) + " (write that or more)");
    if (*beat > longest_beat)
        problems.add(at + ".beat", quoted(uplink.beat()) + " is longer than " + skerry::text(longest_beat) +
                                       " (write that or less; a site without any link goes by courier)");
}

void check_budget(const Uplink& uplink, const std::string& at, Problems& problems) {
    auto budget = parse_bytes(uplink.budget());
    if (!uplink.has_budget() || !budget) return;
    std::uint64_t least = 2 * beats_of_a_day(uplink);
    if (static_cast<std::uint64_t>(budget->count) < least)
        problems.add(at + ".budget", quoted(uplink.budget()) +
                                         " a day is less than twice what the beats of a day take, one each " +
                                         skerry::text(beat_of(uplink)) + " (write " + std::to_string((least + 999) / 1'000) +
                                         "k or more, or a longer beat)");
}

void check_windows(const Uplink& uplink, const std::string& at, Problems& problems) {
    for (int i = 0; i < uplink.windows_size(); ++i) {
        const Window& window = uplink.windows(i);
        std::string where = join(at + ".windows", static_cast<std::size_t>(i));
        if (window.start().empty()) continue; // required
        if (auto start = Schedule::parse(window.start()); !start) problems.add(where + ".start", start.error().message);
        auto lasts = parse_duration(window.lasts());
        if (!lasts) continue;
        if (*lasts < 1min)
            problems.add(where + ".lasts", quoted(window.lasts()) + " is shorter than a minute (write 1m or more)");
        if (*lasts > longest_window)
            problems.add(where + ".lasts", quoted(window.lasts()) +
                                               " is longer than a month (leave the windows out, and bulk may "
                                               "flow at any time)");
    }
}

} // namespace

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
        if (i > 0)
            problems.add(join("spec.uplinks", static_cast<std::size_t>(i)),
                         "a second uplink is not served yet (keep the one that the site uses)");
        check_beat(uplink, join("spec.uplinks", static_cast<std::size_t>(i)), problems);
        check_budget(uplink, join("spec.uplinks", static_cast<std::size_t>(i)), problems);
        check_windows(uplink, join("spec.uplinks", static_cast<std::size_t>(i)), problems);
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
