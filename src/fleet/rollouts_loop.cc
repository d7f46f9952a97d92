#include "fleet/rollouts_loop.h"

#include "cell/handover.h"
#include "cell/missing.h"
#include "fleet/app_world.h"
#include "model/allocation.pb.h"
#include "model/app.pb.h"
#include "model/conditions.h"
#include "model/epoch.h"
#include "model/revision.pb.h"

#include <algorithm>
#include <utility>

namespace skerry::fleet {

using model::Kind;
using store::Key;
using store::Part;

bool RolloutsLoop::wakes(const store::Change& change) const {
    switch (change.key.kind) {
    case Kind::app:
    case Kind::revision:
    case Kind::project:
    case Kind::image:
    case Kind::override_:
        return change.changed(Part::wish);
    case Kind::secret:
    case Kind::config:
        return change.changed(Part::wish) && reads_.concern(change.key);
    case Kind::allocation:
    case Kind::site:
        return change.changed(Part::wish) || change.changed(Part::found) || change.changed(Part::seen);
    default:
        return false;
    }
}

void RolloutsLoop::turn() {
    if (!rest_.is_over()) return;
    timer_.reset();
    wake_in_.reset();
    if (!writing_.begin()) return;
    auto& store = cell_.store();
    if (options_.only_own_site && cell::is_leaving(store, options_.own_site))
        return cell_.recovery().planned(name()); // it hands over all of that, and decides none of it any more (rule H6)
    auto rooms = read_rooms(cell_, options_.own_site, options_.region);
    if (options_.only_own_site) std::erase_if(rooms, [&](const auto& room) { return room.first != options_.own_site; });
    judge_sites(rooms);
    std::vector<store::ObjectPtr> own;
    for (auto& object : store.list(Kind::allocation))
        if (object->home == store.cell()) own.push_back(std::move(object));
    if (overtake(own)) return writing_.end(); // the next turn sees it done
    std::map<std::pair<std::string, std::string>, std::vector<store::ObjectPtr>> by_app;
    for (auto& object : own) {
        const auto& app = store::as<model::Allocation>(*object).spec().app();
        by_app[{object->key.project, app}].push_back(std::move(object));
    }
    auto revisions = revisions_by_app(store);
    reads_.begin();
    for (const auto& app : store.list(Kind::app)) {
        if (app->home != store.cell()) continue;
        auto mine = by_app.extract({app->key.project, app->key.name});
        if (cell::in_passage(store, *app)) continue;
        roll(*app, revisions[{app->key.project, app->key.name}], mine ? mine.mapped() : std::vector<store::ObjectPtr>(), rooms);
    }
    for (const auto& [name, given] : given_to(store, options_.region)) {
        auto mine = by_app.extract(name);
        divide({Kind::app, name.first, name.second}, given, mine ? mine.mapped() : std::vector<store::ObjectPtr>(), rooms);
    }
    for (const auto& [name, orphans] : by_app)
        for (const auto& allocation : orphans)
            if (!comes_over(*allocation)) remove(*allocation, rooms);
    if (!options_.region.empty()) report_region(rooms);
    writing_.end([this, given = given_changes_](const Result<void>& done) {
        bool full = !done && done.error().code == Code::exhausted;
        if (full && !std::exchange(disk_is_full_, full)) cell_.wake(name());
        disk_is_full_ = full;
        if (done) cell_.recovery().planned(name());
        if (done && given == given_changes_) cell_.leases().hold(false);
    });
}

/// Rule H6: its App is a copy still, and is on its way from the site that hands both over.
bool RolloutsLoop::comes_over(const store::Object& allocation) const {
    const auto& spec = store::as<model::Allocation>(allocation).spec();
    auto app = cell_.store().get({Kind::app, allocation.key.project, spec.app()});
    return app && app->home != cell_.store().cell() && cell::is_leaving(cell_.store(), spec.site());
}

/// Rules H3 and H4: a site reports a later generation or epoch of an allocation than we ever gave, so our store went back to an older
/// state. What is decided from here on is above that, or the site would not take it. Whether there was any.
bool RolloutsLoop::overtake(const std::vector<store::ObjectPtr>& own) {
    auto is_ahead = [](const store::Object& object) {
        const auto& allocation = store::as<model::Allocation>(object);
        return model::compare(allocation.status().epoch(), allocation.spec().epoch()) > 0;
    };
    std::uint32_t term = 0;
    for (const auto& object : own)
        if (is_ahead(*object)) term = std::max(term, store::as<model::Allocation>(*object).status().epoch().term());
    if (term >= cell_.epochs().term()) writing_.raise_term(term);
    bool any = false;
    for (const auto& object : own) {
        const auto& allocation = store::as<model::Allocation>(*object);
        std::uint32_t seen = allocation.status().observed_generation();
        if (!is_ahead(*object) && seen <= object->generation) continue;
        any = true;
        auto wish = cell::wish_of<model::Allocation>(*object);
        if (is_ahead(*object)) {
            *wish.mutable_spec()->mutable_epoch() = writing_.next_epoch();
            if (allocation.status().epoch().has_above())
                *wish.mutable_spec()->mutable_epoch()->mutable_above() = allocation.status().epoch().above();
        }
        writing_.update(*object, wish, seen);
        cell_.events().record(
            *object, cell::Tone::warning, "HistoryBehind",
            "site " + allocation.spec().site() +
                " knows later wishes of this cell than it knows itself: its store went back to an older state. It goes "
                "on above them; see whether what it wants is what is wanted (rule H3)");
    }
    return any;
}

void RolloutsLoop::wake_in(Duration left) {
    if (wake_in_ && *wake_in_ <= left) return;
    wake_in_ = left;
    timer_ = cell_.env().timers.after(left, [this] { cell_.wake(name()); });
}

/// What takes memory to say of sites: who vanished with many others, who was vouched for lately, and how many may be replaced.
void RolloutsLoop::judge_sites(std::map<std::string, SiteRoom>& rooms) {
    Instant now = cell_.env().clock.now();
    std::map<std::string, Duration> silent;
    std::size_t joined = 0;
    for (const auto& [name, room] : rooms) {
        joined += room.joined ? 1 : 0;
        if (room.joined && !room.in_touch) silent[name] = room.partition.silent;
        if (room.in_touch) pace_.granted.erase(name), testified_.erase(name);
        if (!room.partition.heard_by.empty()) testified_[name] = now;
    }
    auto doubted = plan::vanished_together(silent, joined, options_.caution);
    for (auto& [name, room] : rooms) {
        room.partition.one_of_many = doubted.contains(name);
        // Silence counts from the last word of its own or of a neighbour.
        if (auto at = testified_.find(name); at != testified_.end())
            room.partition.silent = std::min(room.partition.silent, now - at->second);
    }
    std::erase_if(testified_, [&](const auto& entry) { return !rooms.contains(entry.first); });
    double most = options_.caution.per_minute;
    double gained = static_cast<double>((now - allowed_at_) / 1ms) * most / 60'000;
    allowance_ = std::min(most, allowance_ + gained);
    allowed_at_ = now;
    pace_.budget = static_cast<std::size_t>(allowance_);
}

bool RolloutsLoop::paused(const store::Object& object, bool halfway) {
    auto last = last_wave_.find(object.uid);
    if (last == last_wave_.end()) {
        if (!halfway) return false;
        // The wave before went out before this process started: its pause counts from the start.
        last = last_wave_.emplace(object.uid, cell_.peers().listening_since()).first;
    }
    auto pause = parse_duration(store::as<model::App>(object).spec().rollout().pause_between());
    if (!pause) return false;
    Instant now = cell_.env().clock.now();
    if (now - last->second >= *pause) return false;
    wake_in(last->second + *pause - now);
    return true;
}

void RolloutsLoop::roll(const store::Object& object, const RevisionList& revisions,
                        const std::vector<store::ObjectPtr>& allocations, std::map<std::string, SiteRoom>& rooms) {
    const auto& app = store::as<model::App>(object);
    auto app_plan = plan::plan_app(app, revisions.messages, reads_.world(cell_.store(), object.key.project));
    const model::Revision* newest = plan::newest_revision(app, revisions.messages);
    AppFacts facts{.app = &app,
                   .revision = newest,
                   .obstacles = &app_plan.obstacles,
                   .placement = nullptr,
                   .rollout = nullptr,
                   .allocations = &allocations,
                   .rooms = &rooms};
    if (newest) {
        Rolled rolled = roll_out(object, *newest, allocations, rooms, {});
        facts.frozen = rolled.frozen;
        facts.placement = &rolled.placement;
        facts.rollout = &rolled.rollout;
        report(object, facts);
        report_rulings(object, facts);
    } else {
        for (const auto& allocation : allocations) remove(*allocation, rooms);
        report(object, facts);
    }
}

RolloutsLoop::Rolled RolloutsLoop::roll_out(const store::Object& object, const model::Revision& newest,
                                            const std::vector<store::ObjectPtr>& allocations,
                                            std::map<std::string, SiteRoom>& rooms, const Above& above) {
    Rolled rolled;
    const auto& app = store::as<model::App>(object);
    // Those of an earlier app of this name count for nothing: they go.
    std::vector<store::ObjectPtr> own;
    for (const auto& allocation : allocations) {
        Key key{Kind::revision, object.key.project, store::as<model::Allocation>(*allocation).spec().revision()};
        const auto* revision = cell_.store().get<model::Revision>(key);
        bool damaged = cell_.store().missing().contains(key); // most likely ours (rule S5)
        if (damaged || (revision && revision->spec().app_uid() == object.uid.text())) own.push_back(allocation);
    }
    // The sites that an App of the parent is for are the parent's.
    std::string only = object.home == cell_.store().cell() ? cell::only_site_of(app) : std::string();
    rolled.placement = place_app(newest, own, rooms, pace_, plain(), only);
    for (const auto& site : rolled.placement.replaced)
        if (pace_.granted.insert(site).second) allowance_ -= 1;
    pace_.budget = static_cast<std::size_t>(std::max(allowance_, 0.0));
    if (rolled.placement.next) wake_in(*rolled.placement.next);
    auto input = input_for(app, newest, rolled.placement, allocations, rooms);
    auto is_newest = [&](const store::ObjectPtr& allocation) {
        return store::as<model::Allocation>(*allocation).spec().revision() == newest.metadata().name();
    };
    bool halfway = std::ranges::any_of(own, is_newest) && !std::ranges::all_of(own, is_newest);
    input.paused = paused(object, halfway);
    rolled.frozen = input.max_unavailable == 0;
    rolled.rollout = plan::plan_rollout(input);
    apply(object, newest, rolled.rollout, allocations, rooms, above);
    if (rolled.rollout.wave) last_wave_[object.uid] = cell_.env().clock.now();
    return rolled;
}

plan::RolloutInput RolloutsLoop::input_for(const model::App& app, const model::Revision& newest, const Placement& placement,
                                           const std::vector<store::ObjectPtr>& allocations,
                                           const std::map<std::string, SiteRoom>& rooms) const {
    plan::RolloutInput input;
    input.revision = newest.metadata().name();
    input.running = newest.spec().state() == "running";
    input.wanted = placement.wanted;
    std::map<std::string, plan::RolloutSite> sites;
    auto site_state = [&](const std::string& name) {
        auto room = rooms.find(name);
        bool exists = room != rooms.end();
        return plan::RolloutSite{
            .exists = exists, .in_touch = exists && room->second.in_touch, .by_courier = exists && room->second.by_courier};
    };
    for (const auto& wanted : placement.wanted) sites[wanted.site] = site_state(wanted.site);
    for (const auto& object : allocations) {
        const auto& allocation = store::as<model::Allocation>(*object);
        const auto& spec = allocation.spec();
        sites[spec.site()] = site_state(spec.site());
        auto room = rooms.find(spec.site());
        auto answer = answered(*object, room != rooms.end() && room->second.divides);
        plan::FoundAllocation found{.component = spec.component(),
                                    .site = spec.site(),
                                    .replicas = spec.replicas(),
                                    .revision = spec.revision(),
                                    .hash = {},
                                    .foreign = false,
                                    .running = true,
                                    .observed = answer.observed,
                                    .ready = answer.ready,
                                    .updated = answer.updated,
                                    .suffix = suffix_of(*object),
                                    .substitutes = spec.substitutes()};
        const auto* revision = cell_.store().get<model::Revision>(Key{Kind::revision, object->key.project, spec.revision()});
        if (revision) {
            found.foreign = revision->spec().app_uid() != app.metadata().uid();
            found.running = revision->spec().state() == "running";
            for (const auto& closed : revision->spec().components())
                if (closed.component().name() == spec.component()) found.hash = closed.hash();
        }
        input.found.push_back(std::move(found));
    }
    std::int64_t in_touch = 0;
    for (const auto& [name, state] : sites) in_touch += state.in_touch ? 1 : 0;
    input.sites.assign(sites.begin(), sites.end());
    const std::string& text = app.spec().rollout().max_unavailable();
    auto share = parse_share(text.empty() ? "10%" : text, in_touch);
    input.max_unavailable = share ? *share : 1;
    input.halted = app.spec().rollout().halted() || newest.spec().has_revoked();
    if (input.halted) input.settled = settled_revision(app, allocations);
    return input;
}

namespace {

std::string partition_of(const model::Revision& revision, const std::string& component) {
    for (const auto& closed : revision.spec().components())
        if (closed.component().name() == component) return closed.component().partition().policy();
    return "keep";
}

bool is_fenced(const model::Revision& revision, const std::string& component) {
    return partition_of(revision, component) != "keep";
}

} // namespace

/// The revision of this app that most of its replicas have, and that may start; of several the one of the latest generation.
std::string RolloutsLoop::settled_revision(const model::App& app, const std::vector<store::ObjectPtr>& allocations) const {
    std::map<std::string, std::uint32_t> replicas;
    for (const auto& object : allocations) {
        const auto& spec = store::as<model::Allocation>(*object).spec();
        if (spec.replicas() > 0) replicas[spec.revision()] += spec.replicas();
    }
    std::string best;
    std::pair<std::uint32_t, std::uint32_t> most{};
    for (const auto& [name, count] : replicas) {
        const auto* revision = cell_.store().get<model::Revision>(Key{Kind::revision, app.metadata().namespace_(), name});
        if (!revision || revision->spec().has_revoked() || revision->spec().app_uid() != app.metadata().uid()) continue;
        std::pair rank{count, revision->spec().app_generation()};
        if (best.empty() || rank > most) best = name, most = rank;
    }
    return best;
}

bool RolloutsLoop::is_once(const store::Object& allocation) const {
    const auto& spec = store::as<model::Allocation>(allocation).spec();
    const auto* revision = cell_.store().get<model::Revision>(Key{Kind::revision, allocation.key.project, spec.revision()});
    return revision && partition_of(*revision, spec.component()) == "atMostOnce";
}

bool RolloutsLoop::may_run(const store::Object& object, const std::map<std::string, SiteRoom>& rooms) {
    const auto& allocation = store::as<model::Allocation>(object);
    const auto& spec = allocation.spec();
    const auto& status = allocation.status();
    // Whoever speaks for the site now knows nothing of what ran on the machine before (rule H6); its loop wakes this one.
    if (leavers_ && leavers_->holds(spec.site()) && is_once(object)) return true;
    if (spec.replicas() == 0 && status.observed_generation() >= object.generation && status.replicas() == 0) return false;
    auto room = rooms.find(spec.site());
    if (room != rooms.end() && !room->second.joined) return false; // nobody ever came
    // Where there is no room even for the word to stop, deleting comes first.
    if (!is_once(object)) return room != rooms.end() && !(room->second.in_touch && disk_is_full_);
    if (room != rooms.end() && room->second.in_touch) return true;
    auto peer = cell_.peers().child(spec.site(), env::Peer::Role::site);
    Instant now = cell_.env().clock.now();
    if (!peer || !peer->lease_over || *peer->lease_over <= now) return false;
    wake_in(*peer->lease_over - now);
    return true;
}

void RolloutsLoop::remove(const store::Object& object, const std::map<std::string, SiteRoom>& rooms) {
    if (cell::lacks_wishes(cell_.store())) return; // what it belongs to may be among what is missing (rule H3)
    if (!may_run(object, rooms)) return writing_.erase(object);
    const auto& spec = store::as<model::Allocation>(object).spec();
    auto room = rooms.find(spec.site());
    mark_removing(object,
                  room != rooms.end() && room->second.in_touch
                      ? "site " + spec.site() + " has been told to stop it, and has not said yet that nothing of it runs"
                      : "site " + spec.site() + " is out of touch and may run it still; it ends there when the site is back");
    if (spec.replicas() == 0) return;
    auto wish = cell::wish_of<model::Allocation>(object);
    wish.mutable_spec()->set_replicas(0);
    writing_.update(object, wish);
}

void RolloutsLoop::mark_removing(const store::Object& object, const std::string& why) {
    auto seen = cell::part_of<model::Allocation>(object, Part::seen);
    auto& conditions = *seen.mutable_status()->mutable_conditions();
    if (!why.empty())
        model::set_condition(conditions, "Removing", "True", "Removing", why, rfc3339(cell_.env().clock.wall()));
    else if (!model::remove_condition(conditions, "Removing"))
        return;
    cell::report_part(cell_.store(), object, Part::seen, seen);
}

/// Of policy atMostOnce: the Allocations, by component, that are to go and of which something may run still.
std::map<std::string, std::set<Key>> RolloutsLoop::leaving(const store::Object& app, const plan::RolloutPlan& plan,
                                                           const std::vector<store::ObjectPtr>& allocations,
                                                           const std::map<std::string, SiteRoom>& rooms) {
    std::set<Key> erased;
    for (const auto& step : plan.steps)
        if (step.what == plan::RolloutStep::What::erase)
            erased.insert(
                {Kind::allocation, app.key.project, allocation_name(app.key.name, step.component, step.site, step.suffix)});
    std::map<std::string, std::set<Key>> leaving;
    for (const auto& object : allocations) {
        const auto& spec = store::as<model::Allocation>(*object).spec();
        bool goes = spec.replicas() == 0 || erased.contains(object->key);
        if (goes && is_once(*object) && may_run(*object, rooms)) leaving[spec.component()].insert(object->key);
    }
    return leaving;
}

void RolloutsLoop::apply(const store::Object& app, const model::Revision& revision, const plan::RolloutPlan& plan,
                         const std::vector<store::ObjectPtr>& allocations, const std::map<std::string, SiteRoom>& rooms,
                         const Above& above) {
    auto set_above = [&above](model::AllocationSpec& spec) {
        if (auto at = above.find(spec.component()); at != above.end()) *spec.mutable_epoch()->mutable_above() = at->second;
    };
    auto leaves = leaving(app, plan, allocations, rooms);
    for (const auto& step : plan.steps) {
        Key key{Kind::allocation, app.key.project, allocation_name(app.key.name, step.component, step.site, step.suffix)};
        auto object = cell_.store().get(key);
        // What is to run once starts nowhere while something of it may run elsewhere (rules F4, H1); a later turn comes to it.
        bool more = step.what != plan::RolloutStep::What::erase &&
                    (!object || step.replicas > store::as<model::Allocation>(*object).spec().replicas());
        if (auto others = leaves.find(step.component); more && others != leaves.end())
            if (others->second.size() > others->second.count(key)) continue;
        if (step.what == plan::RolloutStep::What::create) {
            if (object) continue; // a foreign one of the same name goes first
            model::Allocation allocation;
            auto& meta = *allocation.mutable_metadata();
            meta.set_name(key.name);
            meta.set_namespace_(key.project);
            (*meta.mutable_labels())["skerry/app"] = app.key.name;
            (*meta.mutable_labels())["skerry/component"] = step.component;
            (*meta.mutable_labels())["skerry/site"] = step.site;
            auto& spec = *allocation.mutable_spec();
            spec.set_site(step.site);
            spec.set_app(app.key.name);
            spec.set_component(step.component);
            spec.set_revision(step.revision);
            spec.set_replicas(step.replicas);
            spec.set_substitutes(step.substitutes);
            // Fencing numbers are counted where somebody may have to be kept from acting on an earlier one (rule H4).
            if (step.raise || is_fenced(revision, step.component)) {
                *spec.mutable_epoch() = writing_.next_epoch();
            } else {
                spec.mutable_epoch()->set_term(cell_.epochs().term());
                spec.mutable_epoch()->set_count(1);
            }
            set_above(spec);
            writing_.create(Kind::allocation, allocation);
        } else if (object && step.what == plan::RolloutStep::What::erase) {
            remove(*object, rooms);
        } else if (object) {
            mark_removing(*object, {});
            auto wish = cell::wish_of<model::Allocation>(*object);
            // One that was to go and is wanted again is as good as a new one.
            bool anew = wish.spec().replicas() == 0 && is_fenced(revision, step.component);
            wish.mutable_spec()->set_revision(step.revision);
            wish.mutable_spec()->set_replicas(step.replicas);
            wish.mutable_spec()->set_substitutes(step.substitutes);
            if (step.raise || anew) *wish.mutable_spec()->mutable_epoch() = writing_.next_epoch();
            set_above(*wish.mutable_spec());
            writing_.update(*object, wish);
        }
    }
}

namespace {

/// Reasons that every start and update goes through: a condition while they last, no event.
bool is_passing(std::string_view reason) {
    static constexpr std::string_view passing[] = {"NoRevision", "Waiting",  "Fetching", "Starting",
                                                   "Running",    "Stopping", "Stopped",  "Complete"};
    return std::find(std::begin(passing), std::end(passing), reason) != std::end(passing);
}

} // namespace

void RolloutsLoop::report(const store::Object& object, const AppFacts& facts) {
    auto report = cell::part_of<model::App>(object, Part::found);
    auto& status = *report.mutable_status();
    auto words = [&] {
        std::map<std::string, std::pair<std::string, std::string>> map;
        for (const auto& condition : status.conditions()) map[condition.type()] = {condition.reason(), condition.message()};
        return map;
    };
    auto before = words();
    summarise_app(facts, rfc3339(cell_.env().clock.wall()), status);
    summarise_overrides(cell_.store(), object, rfc3339(cell_.env().clock.wall()), status);
    report_name(object, *status.mutable_conditions());
    for (const auto& condition : status.conditions()) {
        bool news = before[condition.type()] != std::pair(condition.reason(), condition.message());
        if (!news || condition.message().empty()) continue;
        if (condition.type() == "Progressing" && condition.reason() == "Complete")
            cell_.events().record(object, cell::Tone::normal, condition.reason(), condition.message());
        else if (condition.status() == "False" && !is_passing(condition.reason()))
            cell_.events().record(object, cell::Tone::warning, condition.reason(), condition.message());
    }
    cell::report_part(cell_.store(), object, Part::found, report);
}

/// Rule H5: a site's own App that the parent does not take in says so here, at its home.
void RolloutsLoop::report_name(const store::Object& app, model::Conditions& conditions) const {
    auto parent = cell_.peers().parent();
    if (!parent || app.home != cell_.store().cell()) return;
    if (std::ranges::count(parent->names_taken_there, app.key.text()) > 0)
        model::set_condition(conditions, "NameTaken", "True", "NameTaken",
                             "the parent has another " + app.key.text() +
                                 " and does not show this one, which runs on here; delete or rename one of the two",
                             rfc3339(cell_.env().clock.wall()));
    else if (parent->in_agreement)
        model::remove_condition(conditions, "NameTaken");
}

/// Each allocation says how the partition policies see it; a change of that is an event of the app.
void RolloutsLoop::report_rulings(const store::Object& app, const AppFacts& facts) {
    std::map<std::pair<std::string, std::string>, const Placement::Ruling*> rulings;
    for (const auto& ruling : facts.placement->rulings) rulings[{ruling.component, ruling.verdict.site}] = &ruling;
    std::string now = rfc3339(cell_.env().clock.wall());
    for (const auto& before_turn : *facts.allocations) {
        auto object = cell_.store().get(before_turn->key); // this turn may have marked it
        if (!object || object->uid != before_turn->uid) continue;
        const auto& spec = store::as<model::Allocation>(*object).spec();
        auto report = cell::part_of<model::Allocation>(*object, Part::seen);
        auto& conditions = *report.mutable_status()->mutable_conditions();
        if (model::holds(conditions, "Removing")) continue;
        auto ruling = rulings.find({spec.component(), spec.site()});
        bool ruled = ruling != rulings.end() && spec.substitutes().empty();
        const auto* before = model::find_condition(conditions, "InTouch");
        std::string was = before ? before->reason() : "Heard";
        std::string reason = ruled ? ruling->second->verdict.reason : "Heard";
        if (!ruled && !before) continue;
        std::string message = ruled ? ruling->second->verdict.message : "";
        model::set_condition(conditions, "InTouch", !ruled || ruling->second->in_touch ? "True" : "Unknown", reason, message,
                             now);
        cell::report_part(cell_.store(), *object, Part::seen, report);
        if (reason == was) continue;
        std::string where = "component " + spec.component() + " at " + spec.site() + ": ";
        bool bad = reason == "Frozen" || reason == "NoSubstitute";
        if (reason == "Heard")
            cell_.events().record(app, cell::Tone::normal, "InTouch",
                                  where + "in touch again; it ran on, and nothing was restarted for that");
        else
            cell_.events().record(app, bad ? cell::Tone::warning : cell::Tone::normal, reason, where + message);
    }
}

} // namespace skerry::fleet
