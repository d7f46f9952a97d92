#include "site/site_loop.h"

#include "cell/names_taken.h"
#include "cell/wall_clock.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/epoch.h"
#include "model/instance.pb.h"
#include "model/node.pb.h"
#include "model/revision.pb.h"
#include "model/site.pb.h"
#include "plan/summary.h"

#include <algorithm>
#include <set>
#include <utility>

/// What the site says: of its allocations, of its nodes, of itself.
namespace skerry::site {

using model::Kind;
using store::Part;

void SiteLoop::report_allocations(const plan::SitePlan& plan, const World& world,
                                  const std::vector<plan::SiteAllocation>& allocations, const std::vector<bool>& refused) {
    std::set<std::size_t> moving;
    for (const auto& change : plan.changes) moving.insert(change.allocation);
    for (std::size_t i = 0; i < world.allocations.size(); ++i) {
        const auto& object = *world.allocations[i];
        const auto& allocation = store::as<model::Allocation>(object);
        std::vector<plan::CountedInstance> counted;
        auto instances = world.instances.find({object.key.project, object.key.name});
        if (instances != world.instances.end())
            for (const auto& [name, instance] : instances->second) {
                const auto& message = store::as<model::Instance>(*instance);
                if (message.spec().allocation_uid() == object.uid.text())
                    counted.push_back({&message, is_silent(world, message.spec().node())});
            }
        plan::SitePlan::Shortage shortage = plan.shortages[i];
        const auto& effective = world.effective[i];
        bool taken = is_name_taken(object);
        bool resolved = (effective.object || effective.revoked) && effective.obstacle.empty() && !taken;
        if (taken)
            shortage = {"NameTaken", "App " + object.key.project + "/" + allocation.spec().app() + " is one of site " +
                                         options_.name + " itself there; this one waits: delete or rename one of the two"};
        else if (!effective.obstacle.empty())
            shortage = {"OverrideInvalid", effective.obstacle + "; what runs stays as it is (skerry override list)"};
        else if (effective.revoked && counted.size() < allocation.spec().replicas())
            shortage = {"Revoked", "revision " + effective.revision + " is revoked and is started nowhere any more (" +
                                       *effective.revoked + "); change the app, which makes another revision"};
        else if (!effective.object && !effective.to_make)
            shortage = {"RevisionMissing", "revision " + allocation.spec().revision() +
                                               " has not arrived; it comes with the next batch of the parent"};
        if (auto lost = missing_instance(object); !lost.empty())
            shortage = {"InstanceDamaged",
                        "the row of instance " + lost +
                            " is damaged on this cell's disk; what runs of it runs on, and nothing is changed here until it is "
                            "known again (skerry delete instance " +
                            lost + " gives it up)"};
        auto epoch = accepted(object);
        if (refused[i])
            shortage = {"EpochRefused",
                        "its epoch " + model::text(allocation.spec().epoch()) + " is below " + model::text(epoch) +
                            ", which this site has accepted; its home recovers, and sends a higher one (rule H4)"};
        auto report = cell::part_of<model::Allocation>(object, Part::found);
        auto& status = *report.mutable_status();
        *status.mutable_epoch() = epoch;
        if (allocations[i].once)
            model::set_condition(*status.mutable_conditions(), "FencedByLeaseOnly", "True", "NothingChecksEpochs",
                                 "that it runs once rests on leases alone (rule F6)", wall());
        else
            model::remove_condition(*status.mutable_conditions(), "FencedByLeaseOnly");
        // Held against what instances here should have; told as what the parent asked for.
        model::Allocation as_here = allocation;
        as_here.mutable_spec()->set_revision(effective.revision);
        plan::summarise_allocation(as_here, counted, shortage, resolved && !refused[i] && !moving.contains(i), wall(), status);
        if (status.revision() == effective.revision) status.set_revision(allocation.spec().revision());
        if (taken)
            model::set_condition(*status.mutable_conditions(), "NameTaken", "True", "NameTaken", shortage.message, wall());
        else
            model::remove_condition(*status.mutable_conditions(), "NameTaken");
        cell::report_part(cell_.store(), object, Part::found, report);
    }
}

void SiteLoop::report_nodes(const World& world) {
    for (std::size_t i = 0; i < world.nodes.size(); ++i) {
        const auto& object = *world.nodes[i];
        Touch touch = touch_of(object.key.name);
        auto report = cell::part_of<model::Node>(object, Part::seen);
        auto& status = *report.mutable_status();
        std::string last = status.last_heard();
        if (touch.in_touch) {
            model::set_condition(*status.mutable_conditions(), "InTouch", "True", "Heard", "", wall());
            status.clear_last_heard();
        } else if (touch.silent) {
            bool joined = !store::as<model::Node>(object).status().cell().empty();
            // When it fell silent, once: each later look at the clock would be a write.
            if (model::holds(status.conditions(), "InTouch") && last.empty()) status.set_last_heard(wall());
            model::set_condition(
                *status.mutable_conditions(), "InTouch", "False", joined ? "Silent" : "NotJoined",
                joined ? "nothing heard for " + text(options_.silence) +
                             " or more; its instances are replaced where there is room; see whether " + object.key.name +
                             " has power and network"
                       : "it has not joined yet: skerry node --join TOKEN on the machine (skerry token create --node " +
                             object.key.name + ")",
                wall());
        } else {
            continue; // just started: not known yet
        }
        cell::report_part(cell_.store(), object, Part::seen, report);
    }
}

void SiteLoop::report_site(const World& world, const std::vector<plan::SiteAllocation>& allocations) {
    auto object = cell_.store().get({Kind::site, "", options_.name});
    if (!object) return;
    plan::SiteTotals totals;
    std::set<std::string> ready;
    for (const auto& seat : world.seats) {
        ++totals.nodes;
        if (!seat.in_touch) continue;
        ++totals.ready_nodes;
        ready.insert(seat.name);
        totals.cpu.count += seat.cpu.count;
        totals.memory.count += seat.memory.count;
    }
    totals.cpu_free = totals.cpu;
    totals.memory_free = totals.memory;
    for (const auto& allocation : allocations)
        for (const auto& instance : allocation.instances) {
            if (!ready.contains(instance.node)) continue;
            totals.cpu_free.count -= allocation.cpu.count;
            totals.memory_free.count -= allocation.memory.count;
            totals.used_ports.insert(totals.used_ports.end(), allocation.ports.begin(), allocation.ports.end());
        }
    auto report = cell::part_of<model::Site>(*object, Part::found);
    auto& status = *report.mutable_status();
    status.set_cell(cell_.store().cell().text());
    status.set_version(options_.version);
    status.set_api(options_.api);
    plan::summarise_site(totals, status);
    status.clear_hears();
    if (options_.hears)
        for (auto& name : options_.hears()) status.add_hears(std::move(name));
    bool is_ready = totals.ready_nodes > 0;
    std::string message = is_ready            ? ""
                          : totals.nodes == 0 ? "it has no node: join one with skerry node --join TOKEN"
                                              : "none of its nodes is in touch and ready: skerry get nodes";
    model::set_condition(*status.mutable_conditions(), "Ready", is_ready ? "True" : "False", is_ready ? "Ready" : "NoNode",
                         message, wall());
    cell::report_clock(cell_.env().clock, *status.mutable_conditions());
    cell::report_names_taken(cell_.peers(), "site", wall(), *status.mutable_conditions());
    cell::report_part(cell_.store(), *object, Part::found, report);
}

} // namespace skerry::site
