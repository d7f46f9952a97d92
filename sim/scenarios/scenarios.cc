#include "sim/scenario.h"

#include <algorithm>

namespace skerry::sim {

const std::vector<Scenario>& scenarios() {
    static const std::vector<Scenario> list = {
        {"cut-site-keeps-running",
         "a site is cut off while its app is updated at the core; its process and its instances die and come back",
         play_cut_site},
        {"core-crash-during-rollout", "the core dies again and again, also in the middle of writes, while apps are rolled out",
         play_core_crash},
        {"site-reboot-while-cut", "a site without its link loses power, more than once", play_reboot_while_cut},
        {"node-loss-in-cut-site", "a node of a cut-off site dies; the site heals itself", play_node_loss},
        {"partition-policies",
         "sites are cut off, alone and many at once, under each policy; substitutes come, and go or stay by onHeal",
         play_partition_policies},
        {"revoked-and-halted", "a revision is revoked, a rollout halted, while sites are away and lose power", play_revoked},
        {"leases",
         "work of policy atMostOnce under cuts of sites and of nodes, crashes, stopped daemons, restarts and drifting clocks",
         play_leases},
        {"moves",
         "a site with work of policy atMostOnce is cut off, the core restarts, people want it elsewhere: the work moves, once",
         play_moves},
        {"tiers",
         "a region between the core and sites: cut off while its sites fail and the core changes its mind; it heals itself, and "
         "what may run once moves between sites and regions, once",
         play_tiers},
        {"leaving",
         "Sites are deleted and join again, with cuts and crashes around it; what may run once never runs twice meanwhile",
         play_leaving},
        {"decommission",
         "a site hands over all that it decides, with cuts and crashes around it; then it is deleted, and joins again",
         play_decommission},
        {"wrong-clocks", "wall clocks of 1970 and 2100, and clocks that jump: told twice, with wrong clocks and right ones",
         play_clocks},
        {"writes-while-cut",
         "a cut-off site makes an app of its own and changes one of the core's; the core does the same and decides",
         play_writes_while_cut},
        {"budgets", "more is said and fetched over two links than their budgets and windows let through; processes die meanwhile",
         play_budgets},
        {"couriers",
         "sites without a link live on courier files, which are lost, applied again and in any order, while cells die",
         play_couriers},
        {"restored",
         "disks of the core and of a site are put back from old backups: what they had forgotten comes back, nothing restarts, "
         "and nothing promised is promised twice",
         play_restored},
        {"weather", "everything drawn from the seed: shape of the fleet, links, people, cuts, crashes, drivers", play_weather},
        {"partitions", "small fleets whose links are cut and healed all the time, at any moment of anything", play_partitions},
        {"children", "100,000 children of one parent vanish and return at once; a child is a real sync session without a store",
         play_children, false},
        {"speed", "an idle fleet for a day: 200 sites, 20 of them with two more nodes", play_speed, false},
    };
    return list;
}

const Scenario* find_scenario(std::string_view name) {
    auto found = std::find_if(scenarios().begin(), scenarios().end(), [&](const Scenario& one) { return one.name == name; });
    return found == scenarios().end() ? nullptr : &*found;
}

} // namespace skerry::sim
