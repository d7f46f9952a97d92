#include "cell/links/meters.h"

#include "base/log.h"
#include "base/units.h"
#include "cell/slices/closure.h"
#include "model/conditions.h"
#include "model/site.pb.h"
#include "model/uplink.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace skerry::cell {

namespace {

constexpr std::string_view use_space = "link.use";
constexpr std::string_view site_prefix = "site/", outside_window = "OutsideWindow";

std::string clock_time(WallTime time) { return rfc3339(time).substr(0, 10) + " " + rfc3339(time).substr(11, 5) + " UTC"; }

} // namespace

Meters::Meters(env::Env env, store::Store& store, std::string own_site, bool has_parent)
    : env_(env), store_(store), own_site_(std::move(own_site)), has_parent_(has_parent) {}
Meters::~Meters() = default;

std::string Meters::site_of(const std::string& tag) const {
    if (tag == parent_tag) return own_site_;
    return tag.starts_with(site_prefix) ? tag.substr(site_prefix.size()) : std::string();
}

/// Rule T1: the clock of a root, which nobody can correct, counts; another's from when its parent has told the time.
sync::Meter::Now Meters::now() const {
    using Level = env::ClockTrust::Level;
    Level level = env_.clock.trust().level;
    bool trusted = level == Level::confirmed || (level == Level::own && !has_parent_);
    return {.at = env_.clock.now(), .wall = trusted ? std::optional(env_.clock.wall()) : std::nullopt};
}

sync::Terms Meters::terms_of(const std::string& tag) const {
    sync::Terms terms;
    std::string name = site_of(tag);
    if (name.empty()) return terms;
    const auto* site = store_.get<model::Site>({model::Kind::site, "", name});
    if (!site || site->spec().uplinks().empty()) return terms;
    const auto& uplink = site->spec().uplinks(0);
    terms.beats = model::beats_of_a_day(uplink);
    if (auto budget = parse_bytes(uplink.budget()); uplink.has_budget() && budget)
        terms.budget = static_cast<std::uint64_t>(budget->count);
    for (const auto& window : uplink.windows()) {
        auto start = Schedule::parse(window.start());
        auto lasts = parse_duration(window.lasts());
        if (start && lasts) terms.windows.push_back({std::move(*start), *lasts});
    }
    terms.cost_per_gigabyte = uplink.cost_per_gigabyte();
    return terms;
}

Meters::Link* Meters::find(const std::string& tag) {
    auto at = links_.find(tag);
    if (at == links_.end()) {
        std::optional<std::string> note;
        if (!site_of(tag).empty()) note = store_.note(use_space, tag);
        at = links_.emplace(tag, Link{note ? sync::Meter(terms_of(tag), now(), *note) : sync::Meter(terms_of(tag), now())}).first;
        at->second.hold = at->second.meter.hold();
        look_later();
    } else if (env_.clock.now() >= at->second.meter.next_look()) {
        at->second.meter.look(now());
    }
    return &at->second;
}

void Meters::write(const std::string& tag, std::string note) {
    store::Transaction transaction;
    transaction.note(use_space, tag, std::move(note));
    store_.commit(std::move(transaction), [this, tag, alive = std::weak_ptr(alive_)](Result<store::Number> done) {
        if (done || alive.expired()) return;
        log(Level::warning, "cell", "what the link of {} has used today is not noted: {}", tag, done.error().message);
        if (auto at = links_.find(tag); at != links_.end()) at->second.meter.note_lost();
    });
}

/// Tells of what has to wait now, or no longer has to: not from within the call that found it.
void Meters::looked(const std::string& tag, Link& link) {
    if (!site_of(tag).empty())
        if (auto note = link.meter.note_due()) write(tag, std::move(*note));
    if (std::exchange(link.hold, link.meter.hold()) == link.hold) return;
    env_.timers.post([this, tag, alive = std::weak_ptr(alive_)] {
        if (alive.expired()) return;
        for (const Turned& turned : turned_) turned(tag);
        look_later();
    });
}

/// Only links that are bounded have moments to wait for.
void Meters::look_later() {
    Instant next = Instant::never();
    for (const auto& [tag, link] : links_)
        if (link.meter.terms().budget || !link.meter.terms().windows.empty()) next = std::min(next, link.meter.next_look());
    if (next >= rings_) return;
    rings_ = next;
    timer_ = env_.timers.after(std::max<Duration>(next - env_.clock.now(), 0ns), [this] {
        rings_ = Instant::never();
        for (auto& [tag, link] : links_) {
            link.meter.look(now());
            looked(tag, link);
        }
        look_later();
    });
}

void Meters::count(const std::string& tag, sync::Flow flow, sync::Use use) {
    if (use.both() == 0) return;
    Link& link = *find(tag);
    link.meter.count(flow, use, now());
    looked(tag, link);
}

void Meters::count(const std::string& tag, const sync::Uses& uses) {
    for (std::size_t n = 0; n < sync::flows; ++n) count(tag, static_cast<sync::Flow>(n), uses.of[n]);
}

std::optional<std::uint64_t> Meters::status_room(const std::string& tag) { return find(tag)->meter.status_room(); }
std::optional<std::uint64_t> Meters::bulk_room(const std::string& tag) { return find(tag)->meter.bulk_room(); }

Waiting Meters::waiting(const std::string& tag) {
    using Hold = sync::Meter::Hold;
    const sync::Meter& meter = find(tag)->meter;
    if (meter.hold() == Hold::none) return {};
    const auto* site = store_.get<model::Site>({model::Kind::site, "", site_of(tag)});
    if (!site || site->spec().uplinks().empty()) return {};
    const auto& uplink = site->spec().uplinks(0);
    std::string field = "spec.uplinks[name=" + uplink.name() + "]";
    std::string until = meter.day() ? "until " + clock_time(WallTime{(*meter.day() + 1) * 86'400, 0})
                                    : "for 24 h, or until the site is told the time";
    std::string lift = "; to let them through sooner, write a larger " + field + ".budget";
    switch (meter.hold()) {
    case Hold::none:
        return {};
    case Hold::budget:
        return {"BudgetUsed", fmt::format("today's {} are used up: status and images wait {}; beats, leases and wishes go on{}",
                                          uplink.budget(), until, lift)};
    case Hold::beyond:
        return {"BudgetPassed",
                fmt::format("what is never held back (beats, leases, wishes, logs) takes more than the {} of a day: "
                            "status and images wait {}{}",
                            uplink.budget(), until, lift)};
    case Hold::bulk:
        return {"BulkBudgetUsed",
                fmt::format("what is left of today's {} is for status: images wait {}{}", uplink.budget(), until, lift)};
    case Hold::window:
        return {std::string(outside_window),
                fmt::format("images wait for the next window{}; to let them through sooner, add a window to {}.windows, or leave "
                            "them out",
                            meter.opens() ? ", at " + clock_time(*meter.opens()) : "", field)};
    }
    return {};
}

void Meters::report(const std::string& tag, model::Conditions& conditions) {
    const sync::Meter& meter = find(tag)->meter;
    Waiting why = waiting(tag);
    std::string now = rfc3339(env_.clock.wall());
    bool outside = why.reason == outside_window;
    if (!meter.terms().budget)
        model::remove_condition(conditions, "WithinBudget");
    else if (why.reason.empty() || outside)
        model::set_condition(conditions, "WithinBudget", "True", "Within", "", now);
    else
        model::set_condition(conditions, "WithinBudget", "False", why.reason, why.message, now);
    if (meter.terms().windows.empty())
        model::remove_condition(conditions, "WindowOpen");
    else if (!meter.opens())
        model::set_condition(conditions, "WindowOpen", "True", "Open", "", now);
    else
        model::set_condition(conditions, "WindowOpen", "False", std::string(outside_window),
                             "images wait until " + clock_time(*meter.opens()), now);
}

model::LinkUse Meters::use(const std::string& tag) {
    const sync::Meter& meter = find(tag)->meter;
    model::LinkUse use;
    if (meter.day()) use.set_day(rfc3339(WallTime{*meter.day() * 86'400, 0}).substr(0, 10));
    std::uint64_t all = meter.unseen();
    for (std::size_t n = 0; n < sync::flows; ++n) {
        const sync::Use& of = meter.today().of[n];
        if (of.both() == 0) continue;
        auto& lane = *use.add_lanes();
        lane.set_name(std::string(sync::word(static_cast<sync::Flow>(n))));
        lane.set_sent(std::to_string(of.sent));
        lane.set_received(std::to_string(of.received));
        all += of.both();
    }
    if (meter.unseen() > 0) {
        auto& lane = *use.add_lanes();
        lane.set_name("unseen");
        lane.set_sent(std::to_string(meter.unseen()));
        lane.set_received("0");
    }
    if (meter.terms().cost_per_gigabyte > 0)
        use.set_cost(fmt::format("{:.4f}", static_cast<double>(all) / 1e9 * meter.terms().cost_per_gigabyte));
    return use;
}

void Meters::site_changed(const std::string& name) {
    std::string child = peer_tag(env::Peer::Role::site, name);
    if (!store_.get({model::Kind::site, "", name}) && links_.erase(child) > 0) {
        store::Transaction forget;
        forget.erase_note(use_space, child);
        store_.commit(std::move(forget), nullptr);
    }
    for (auto& [tag, link] : links_) {
        if (site_of(tag) != name) continue;
        link.meter.set_terms(terms_of(tag), now());
        looked(tag, link);
        // There may be room for something that waited with some left.
        env_.timers.post([this, tag, alive = std::weak_ptr(alive_)] {
            if (alive.expired()) return;
            for (const Turned& turned : turned_) turned(tag);
        });
    }
    look_later();
}

void Meters::settle() {
    store::Transaction notes;
    for (const auto& [tag, link] : links_) {
        if (site_of(tag).empty()) continue;
        notes.note(use_space, tag, link.meter.note());
        if (notes.fits(1 << 10)) continue;
        store_.commit(std::exchange(notes, {}), nullptr);
    }
    if (!notes.empty()) store_.commit(std::move(notes), nullptr);
}

} // namespace skerry::cell
