#include "plan/partition.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace skerry::plan {

namespace {

using Held = HeldAllocation;

bool is_ready(const Held& held) { return held.observed && held.replicas > 0 && held.ready >= held.replicas; }

std::string replicas(std::uint32_t count) { return std::to_string(count) + (count == 1 ? " replica" : " replicas"); }

/// Clocks of sites may be wrong by decades: a time that cannot be true is none.
std::optional<WallTime> believed(const std::string& text) {
    auto time = parse_rfc3339(text);
    constexpr std::int64_t year_2020 = 1'577'836'800, year_2100 = 4'102'444'800;
    if (!time || time->seconds < year_2020 || time->seconds > year_2100) return {};
    return *time;
}

/// One site and all that concerns it.
class Deciding {
public:
    Deciding(const PartitionInput& input, const std::string& name, std::size_t& budget, PartitionPlan& plan)
        : input_(input), name_(name), budget_(budget), plan_(plan), state_(state_of(name)) {
        verdict_.site = name;
        for (const Held& held : input.held) {
            if (held.substitutes.empty() && held.site == name) wanted_ += held.replicas, own_.push_back(&held);
            if (held.substitutes == name) substitutes_.push_back(&held);
        }
    }

    void run() {
        for (const Held* held : substitutes_) keep(*held, held->replicas);
        if (wanted_ == 0)
            drain_all();
        else if (state_.in_touch)
            heal();
        else
            away();
        if (!verdict_.reason.empty()) plan_.verdicts.push_back(std::move(verdict_));
    }

private:
    PartitionSite state_of(const std::string& site) const {
        auto found = input_.sites.find(site);
        return found == input_.sites.end() ? PartitionSite{} : found->second;
    }
    void say(std::string reason, std::string message) {
        verdict_.reason = std::move(reason);
        verdict_.message = std::move(message);
    }
    void wake_in(Duration left) {
        if (left > Duration(0)) plan_.next = std::min(plan_.next.value_or(left), left);
    }
    void keep(const Held& held, std::uint32_t replicas) { plan_.substitutes[{held.site, held.suffix}] = replicas; }
    void drain_all() {
        for (const Held* held : substitutes_) keep(*held, 0);
    }
    std::string places() const {
        std::set<std::string> names;
        for (const Held* held : substitutes_)
            if (plan_.substitutes.at({held->site, held->suffix}) > 0) names.insert(held->site);
        std::string text;
        for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
        return text;
    }
    bool ready_now(const Held& held) const { return state_of(held.site).in_touch && is_ready(held); }

    void away() {
        std::uint32_t missing = wanted_ - std::min(wanted_, trim());
        if (input_.policy == PartitionPolicy::keep) {
            say("Keep", "out of touch; policy keep: what it runs it goes on running, and nothing is placed elsewhere (for a "
                        "substitute after a while set partition.policy: atLeastOnce)");
        } else if (input_.policy == PartitionPolicy::at_most_once) {
            move();
        } else if (!substitutes_.empty()) {
            verdict_.missing = input_.running ? missing : 0;
            say("Substituted", silence() + replicas(wanted_ - missing) + (wanted_ - missing == 1 ? " stands" : " stand") +
                                   " in for it at " + places() + "; on its return " + on_return());
        } else {
            substitute();
        }
    }

    std::string silence() const { return "silent for more than " + text(input_.replace_after) + "; policy atLeastOnce: "; }
    std::string on_return() const {
        if (input_.on_heal == OnHeal::keep_original) return "its own stay and these drain (onHeal keepOriginal)";
        if (input_.on_heal == OnHeal::keep_substitute) return "these stay and its own drain (onHeal keepSubstitute)";
        return "those stay that run longest, and the others drain (onHeal longestRunning)";
    }

    /// Of its substitutes those go that are too much, ready ones last; returns the replicas that are left. One at a site that is
    /// lost in turn stays and does not count.
    std::uint32_t trim() {
        std::vector<const Held*> live;
        for (const Held* held : substitutes_) {
            PartitionSite at = state_of(held->site);
            bool lost = !at.in_touch && at.silent >= input_.replace_after && at.heard_by.empty() && !at.one_of_many;
            if (!lost) live.push_back(held);
            if (!at.in_touch && !lost) wake_in(input_.replace_after - at.silent);
        }
        std::sort(live.begin(), live.end(), [&](const Held* a, const Held* b) {
            return std::tuple(!ready_now(*a), a->site, a->suffix) < std::tuple(!ready_now(*b), b->site, b->suffix);
        });
        std::uint32_t left = wanted_;
        for (const Held* held : live) {
            std::uint32_t kept = std::min(held->replicas, left);
            keep(*held, kept);
            left -= kept;
        }
        return wanted_ - left;
    }

    void substitute() {
        if (!state_.heard_by.empty())
            return say("HeardByNeighbour",
                       "out of touch; policy atLeastOnce: its neighbour " + state_.heard_by +
                           " hears it, so it is alive and runs what it ran, only its way here is cut; there is "
                           "no substitute while that is so; mend its uplink");
        if (state_.silent < input_.replace_after || !input_.running || input_.bound) {
            wake_in(input_.replace_after - state_.silent);
            return say("Waiting",
                       "out of touch; policy atLeastOnce: what it runs it goes on running; a substitute is placed when it "
                       "has been silent for " +
                           text(input_.replace_after));
        }
        if (held_back(silence())) return;
        verdict_.missing = wanted_;
        say("Substituted", silence() + replicas(wanted_) + (wanted_ == 1 ? " is" : " are") + " to stand in for it");
    }

    void move() {
        // Nothing of this site may run elsewhere while something of it may still run there (rule F4).
        if (!state_.lease_left || *state_.lease_left > Duration(0)) {
            if (state_.lease_left) wake_in(*state_.lease_left);
            return say("LeaseRuns",
                       "out of touch; policy atMostOnce: what it runs stops when its lease ends; only after that, and a "
                       "margin, is it placed elsewhere");
        }
        std::string gone = "out of touch, and its lease is over, so that nothing of it runs there; policy atMostOnce: ";
        if (!input_.running) return say("LeaseOver", gone + "the app is not to run");
        if (input_.bound)
            return say("LeaseOver", gone + "it belongs to that site (placement mode each), so that nothing is placed elsewhere");
        if (held_back(gone)) return;
        verdict_.missing = wanted_;
        verdict_.moves = true;
        say("Moving", gone + replicas(wanted_) + (wanted_ == 1 ? " is" : " are") +
                          " placed elsewhere with a higher epoch; what returns with a lower one is refused");
    }

    /// Frozen, or too many at a time.
    bool held_back(const std::string& why) {
        if (state_.one_of_many) {
            say("Frozen", why +
                              "but so many sites vanished at once that the fault is rather here, and substitutes are frozen; see "
                              "what the network of this cell has lost, or delete the Site if it is gone for good");
            return true;
        }
        if (input_.granted.contains(name_)) return false;
        if (budget_ > 0) {
            --budget_;
            return false;
        }
        say("Paced", why + "others are replaced first, only so many a minute; its turn comes");
        wake_in(5s);
        return true;
    }

    void heal() {
        if (!input_.running) return drain_all();
        bool recalled = std::all_of(own_.begin(), own_.end(), [](const Held* held) { return held->recalled; });
        bool answered = recalled && std::all_of(own_.begin(), own_.end(), [](const Held* held) { return held->observed; });
        bool own_ready = answered && std::all_of(own_.begin(), own_.end(), [](const Held* held) { return is_ready(*held); });
        std::uint32_t ready = 0;
        for (const Held* held : substitutes_) ready += ready_now(*held) ? held->replicas : 0;
        bool substitutes_ready = ready >= wanted_;
        OnHeal rule = input_.policy == PartitionPolicy::at_least_once ? input_.on_heal : OnHeal::keep_original;
        std::string back = "back in touch; ";
        if (rule == OnHeal::keep_substitute) return settle(back);
        if (rule == OnHeal::longest_running) {
            // Who runs is known once the site has answered after its return.
            if (!answered && substitutes_ready) {
                verdict_.recall = !recalled;
                return say("Returning", back + "its answer decides who runs longest and stays (onHeal longestRunning)");
            }
            if (substitutes_ready && substitutes_run_longer()) return settle(back);
        }
        verdict_.recall = !recalled;
        if (!own_ready)
            return say("Returning", back + "its own stays (" + name_of_rule() + "), and what stands in for it at " + places() +
                                        " drains as soon as that is known to be ready");
        drain_all();
        say("Returned", back + "its own is ready and stays (" + name_of_rule() + "), what stood in for it drains");
    }

    /// Its own give way to as many as are ready elsewhere, be it all or some of them.
    void settle(const std::string& back) {
        for (const Held* held : substitutes_) {
            if (!ready_now(*held)) continue;
            plan_.settled.insert({held->site, held->suffix});
            verdict_.gives = std::min(wanted_, verdict_.gives + held->replicas);
        }
        std::string stays = back + "what stands in for it at " + places() + " stays (" + name_of_rule() + "), ";
        if (verdict_.gives == 0) return say("Returning", stays + "and its own drains as soon as that is ready");
        say("Returned", stays + (verdict_.gives == wanted_ ? "its own drains" : "and as much of its own drains"));
    }

    std::string name_of_rule() const {
        if (input_.policy != PartitionPolicy::at_least_once) return "the policy is not atLeastOnce any more";
        if (input_.on_heal == OnHeal::keep_original) return "onHeal keepOriginal";
        return input_.on_heal == OnHeal::keep_substitute ? "onHeal keepSubstitute" : "onHeal longestRunning";
    }

    /// By the clocks of sites; where one is not to be believed, the original stays.
    bool substitutes_run_longer() const {
        std::optional<WallTime> own, others;
        for (const Held* held : own_)
            if (auto time = believed(held->running_since)) own = std::min(own.value_or(*time), *time);
        for (const Held* held : substitutes_)
            if (auto time = believed(held->running_since)) others = std::min(others.value_or(*time), *time);
        bool own_runs = std::any_of(own_.begin(), own_.end(), [](const Held* held) { return held->ready > 0; });
        return !own_runs || (own && others && *others < *own);
    }

    const PartitionInput& input_;
    const std::string& name_;
    std::size_t& budget_;
    PartitionPlan& plan_;
    PartitionSite state_;
    Verdict verdict_;
    std::vector<const Held*> own_, substitutes_;
    std::uint32_t wanted_ = 0;
};

} // namespace

PartitionPlan plan_partition(const PartitionInput& input) {
    PartitionPlan plan;
    std::size_t budget = input.budget;
    std::set<std::string> concerned;
    for (const Held& held : input.held) {
        auto site = input.sites.find(held.site);
        bool away = site == input.sites.end() || !site->second.in_touch;
        if (!held.substitutes.empty())
            concerned.insert(held.substitutes);
        else if (away && held.replicas > 0)
            concerned.insert(held.site);
    }
    for (const std::string& name : concerned) Deciding(input, name, budget, plan).run();
    return plan;
}

std::set<std::string> vanished_together(const std::map<std::string, Duration>& silent, std::size_t all, const Caution& caution) {
    std::vector<std::pair<Duration, std::string>> order;
    for (const auto& [name, since] : silent) order.emplace_back(since, name);
    std::sort(order.begin(), order.end());
    std::set<std::string> doubted;
    for (std::size_t begin = 0; begin < order.size();) {
        std::size_t end = begin + 1;
        while (end < order.size() && order[end].first - order[end - 1].first <= caution.together) ++end;
        std::size_t count = end - begin;
        if (count >= caution.least && count * 100 > all * caution.share)
            for (std::size_t i = begin; i < end; ++i) doubted.insert(order[i].second);
        begin = end;
    }
    return doubted;
}

} // namespace skerry::plan
