#include "plan/site.h"

#include "place/place.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace skerry::plan {

namespace {

/// A node and what is promised of it so far.
struct Seat {
    const SiteNode* node = nullptr;
    MilliCpu cpu_left;
    Bytes memory_left;
    std::vector<model::NodePort> ports;
    std::size_t instances = 0;

    void take(const SiteAllocation& allocation) {
        cpu_left.count -= allocation.cpu.count;
        memory_left.count -= allocation.memory.count;
        ++instances;
        ports.insert(ports.end(), allocation.ports.begin(), allocation.ports.end());
    }
    void give_back(const SiteAllocation& allocation) {
        cpu_left.count += allocation.cpu.count;
        memory_left.count += allocation.memory.count;
        --instances;
        for (model::NodePort port : allocation.ports) {
            auto found = std::find(ports.begin(), ports.end(), port);
            if (found != ports.end()) ports.erase(found);
        }
    }
};

class Planning {
public:
    Planning(const std::vector<SiteAllocation>& allocations, const std::vector<SiteNode>& nodes) : allocations_(allocations) {
        for (const SiteNode& node : nodes) seats_[node.name] = {&node, node.cpu, node.memory, {}, 0};
        for (const SiteAllocation& allocation : allocations)
            for (const SiteInstance& instance : allocation.instances)
                if (Seat* seat = seat_of(instance)) seat->take(allocation);
    }

    SitePlan run() {
        plan_.shortages.resize(allocations_.size());
        room_.resize(allocations_.size());
        // All that goes, before anything that comes: it makes room.
        std::vector<std::vector<const SiteInstance*>> kept;
        for (std::size_t i = 0; i < allocations_.size(); ++i) kept.push_back(allocations_[i].once ? retire(i) : drain(i));
        for (std::size_t i = 0; i < allocations_.size(); ++i) {
            if (!allocations_[i].resolved) continue;
            update(i, kept[i]);
            grow(i, kept[i]);
        }
        return std::move(plan_);
    }

private:
    Seat* seat_of(const SiteInstance& instance) {
        auto found = seats_.find(instance.node);
        return found == seats_.end() || !found->second.node->exists ? nullptr : &found->second;
    }
    bool is_silent(const SiteInstance& instance) {
        Seat* seat = seat_of(instance);
        return !seat || seat->node->silent;
    }

    void erase(std::size_t index, const SiteInstance& instance) {
        plan_.changes.push_back({InstanceChange::What::erase, index, instance.name, {}});
        if (Seat* seat = seat_of(instance)) seat->give_back(allocations_[index]);
    }

    /// Of policy atMostOnce: tells to stop what has lost its node and what is too much, erases what is known not to run; returns
    /// what counts, and finds how many more may be made.
    std::vector<const SiteInstance*> retire(std::size_t index) {
        const SiteAllocation& allocation = allocations_[index];
        std::vector<const SiteInstance*> counted, idle;
        std::uint32_t may_run = allocation.others;
        for (const SiteInstance& instance : allocation.instances) {
            bool stopping = instance.state == "stopped" && allocation.state == "running";
            Seat* seat = seat_of(instance);
            bool lost = !seat || (seat->node->silent && !seat->node->leased && instance.fenced);
            if (stopping && instance.gone) {
                idle.push_back(&instance);
            } else if (stopping || (lost && allocation.resolved)) {
                ++may_run;
                if (!stopping) plan_.changes.push_back({InstanceChange::What::stop, index, instance.name, {}});
            } else {
                counted.push_back(&instance);
            }
        }
        keep_best(allocation, counted, [&](const SiteInstance& instance) {
            if (instance.gone) return erase(index, instance);
            ++may_run;
            if (instance.state != "stopped") plan_.changes.push_back({InstanceChange::What::stop, index, instance.name, {}});
        });
        std::uint32_t there = static_cast<std::uint32_t>(counted.size()) + may_run;
        room_[index] = there < allocation.replicas ? allocation.replicas - there : 0;
        for (const SiteInstance* instance : idle) {
            Seat* seat = seat_of(*instance);
            bool good = seat && seat->node->in_touch && !seat->node->silent;
            if (good && room_[index] > 0 && allocation.resolved) {
                --room_[index];
                counted.push_back(instance);
            } else if (!seat || counted.size() >= allocation.replicas) {
                erase(index, *instance);
            }
        }
        return counted;
    }

    /// Erases what has no node any more and what is too much; returns what counts.
    std::vector<const SiteInstance*> drain(std::size_t index) {
        const SiteAllocation& allocation = allocations_[index];
        std::vector<const SiteInstance*> counted;
        for (const SiteInstance& instance : allocation.instances) {
            // Of an allocation that goes, each stays as an object until it is known not to run, since its home waits for that.
            bool seen_off = is_silent(instance) || instance.gone;
            if (!seat_of(instance) || (allocation.replicas == 0 && seen_off))
                erase(index, instance);
            else if (allocation.replicas == 0 && instance.state != "stopped")
                plan_.changes.push_back({InstanceChange::What::stop, index, instance.name, {}});
            // One on a silent node does not count, and is not touched: when the node returns, whichever is too much goes.
            else if (allocation.replicas > 0 && !is_silent(instance))
                counted.push_back(&instance);
        }
        keep_best(allocation, counted, [&](const SiteInstance& instance) { erase(index, instance); });
        return counted;
    }

    /// Lets go of those that are too much.
    template<class LetGo>
    static void keep_best(const SiteAllocation& allocation, std::vector<const SiteInstance*>& counted, LetGo&& let_go) {
        std::map<std::string, int> per_node;
        for (const SiteInstance* instance : counted) ++per_node[instance->node];
        // Best to keep first: ready, up to date, alone on its node, made later.
        std::sort(counted.begin(), counted.end(), [&](const SiteInstance* a, const SiteInstance* b) {
            auto rank = [&](const SiteInstance* one) {
                bool current = one->hash == allocation.hash;
                return std::tuple(!one->ready, !current, per_node[one->node]);
            };
            auto left = rank(a), right = rank(b);
            if (left != right) return left < right;
            return std::tie(a->made, a->name) > std::tie(b->made, b->name);
        });
        while (counted.size() > allocation.replicas) {
            let_go(*counted.back());
            counted.pop_back();
        }
    }

    void update(std::size_t index, const std::vector<const SiteInstance*>& kept) {
        const SiteAllocation& allocation = allocations_[index];
        std::size_t not_ready = 0;
        for (const SiteInstance* instance : kept) not_ready += instance->ready && !restarting(allocation, *instance) ? 0 : 1;
        std::size_t budget = std::max<std::size_t>(1, allocation.replicas / 4);
        auto update = [&](const SiteInstance& instance) {
            plan_.changes.push_back({InstanceChange::What::update, index, instance.name, {}});
        };
        for (const SiteInstance* instance : kept) {
            if (instance->revision == allocation.revision && instance->state == allocation.state && instance->current) continue;
            bool restarts = instance->hash != allocation.hash && instance->state == "running" && allocation.state == "running";
            if (!restarts || !instance->ready) {
                update(*instance);
            } else if (not_ready < budget) {
                ++not_ready;
                update(*instance);
            }
        }
        // On silent nodes too: they learn of it when they return.
        for (const SiteInstance& instance : allocation.instances)
            if (!allocation.once && is_silent(instance) && seat_of(instance) && allocation.replicas > 0 &&
                instance.state != allocation.state)
                update(instance);
    }

    /// Told to run the new revision, still reporting the old one as ready.
    static bool restarting(const SiteAllocation& allocation, const SiteInstance& instance) {
        return instance.revision == allocation.revision && instance.state == "running" && instance.hash != allocation.hash;
    }

    void grow(std::size_t index, const std::vector<const SiteInstance*>& kept) {
        const SiteAllocation& allocation = allocations_[index];
        if (kept.size() >= allocation.replicas) return;
        std::size_t missing = allocation.replicas - kept.size();
        if (allocation.once && room_[index] < missing) {
            missing = room_[index];
            auto& shortage = plan_.shortages[index];
            shortage.reason = "LeaseNotOver";
            shortage.message =
                "what stood here before may still run: its node has not said that it stopped, and has a lease (policy "
                "atMostOnce, rule F7)";
        } else if (!allocation.once && allocation.others > 0) {
            missing -= std::min<std::size_t>(missing, allocation.others);
            plan_.shortages[index] = {"OldOneStops",
                                      "what an App of the same name left behind has been told to stop, and is waited "
                                      "for (rule H1)"};
        }
        // One node at a time: a port is published once on each, and the next choice sees the room that is left.
        for (; missing > 0; --missing) {
            if (created_ == most_new) return;
            place::Snapshot snapshot;
            std::map<std::string, std::uint32_t> here;
            for (const SiteInstance* instance : kept) ++here[instance->node];
            for (const auto& change : plan_.changes)
                if (change.allocation == index && change.what == InstanceChange::What::create) ++here[change.node];
            std::uint32_t there = 0;
            std::vector<std::string> names;
            for (auto& [name, seat] : seats_) {
                if (!seat.node->exists) continue;
                place::Snapshot::Candidate candidate;
                candidate.name = name;
                candidate.cpu_free = seat.cpu_left;
                candidate.memory_free = seat.memory_left;
                candidate.used_ports = seat.ports;
                candidate.open = seat.node->in_touch && !seat.node->silent && seat.instances < most_on_a_node &&
                                 (allocation.only.empty() || allocation.only == name);
                candidate.holds_image = std::count(seat.node->images.begin(), seat.node->images.end(), allocation.image) > 0;
                candidate.replicas = here[name];
                there += here[name];
                // Its own replicas' ports are counted by the snapshot.
                for (model::NodePort port : allocation.ports)
                    for (std::uint32_t n = here[name]; n > 0; --n) {
                        auto own = std::find(candidate.used_ports.begin(), candidate.used_ports.end(), port);
                        if (own != candidate.used_ports.end()) candidate.used_ports.erase(own);
                    }
                snapshot.add(std::move(candidate));
                names.push_back(name);
            }
            auto proposal = place::propose(
                snapshot, {.replicas = there + 1, .cpu = allocation.cpu, .memory = allocation.memory, .ports = allocation.ports});
            const std::string* chosen = nullptr;
            for (const auto& assignment : proposal.assignments)
                if (assignment.replicas > here[names[assignment.row]]) chosen = &names[assignment.row];
            if (!chosen) {
                explain(index, missing, proposal);
                return;
            }
            plan_.changes.push_back({InstanceChange::What::create, index, {}, *chosen});
            ++created_;
            seats_[*chosen].take(allocation);
        }
    }

    void explain(std::size_t index, std::size_t missing, const place::Proposal& proposal) {
        auto& shortage = plan_.shortages[index];
        std::size_t open = 0, full = 0;
        for (const auto& [name, seat] : seats_) {
            open += seat.node->exists && seat.node->in_touch && !seat.node->silent ? 1 : 0;
            full += seat.node->exists && seat.instances >= most_on_a_node ? 1 : 0;
        }
        bool port = !proposal.reasons.empty() && proposal.reasons.front().why == place::Why::port;
        shortage.reason = open == 0 ? "NoNode" : port ? "PortTaken" : "NoRoom";
        std::string count = std::to_string(missing) + (missing == 1 ? " replica has" : " replicas have") + " no node: ";
        std::string remedy;
        if (open == 0)
            remedy = "; no node of the site is in touch: start one, or join one with skerry node --join TOKEN";
        else if (port)
            remedy = "; a port can be published once on each node: stop what holds it (skerry get instances -o wide), choose "
                     "another, or add a node";
        else if (full > 0)
            remedy = "; a node takes at most " + std::to_string(most_on_a_node) +
                     " instances: ask for fewer replicas, or add a node: skerry token create --node NAME";
        else
            remedy = "; free some, ask for less in resources, or add a node: skerry token create --node NAME";
        if (const auto& only = allocations_[index].only; !only.empty())
            remedy += "; it goes to node " + only + " alone, since the lease of another ends with the one of the parent";
        shortage.message = count + proposal.text("node") + remedy;
    }

    const std::vector<SiteAllocation>& allocations_;
    std::map<std::string, Seat> seats_;
    std::vector<std::uint32_t> room_; ///< of those with `once`: how many more may be made
    SitePlan plan_;
    std::size_t created_ = 0;
};

} // namespace

SitePlan plan_site(const std::vector<SiteAllocation>& allocations, const std::vector<SiteNode>& nodes) {
    return Planning(allocations, nodes).run();
}

} // namespace skerry::plan
