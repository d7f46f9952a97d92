#include "fleet/fleet.h"

#include "base/log.h"
#include "cell/writing.h"
#include "fleet/decisions_loop.h"
#include "fleet/handover_loop.h"
#include "fleet/leavers_loop.h"
#include "fleet/revisions_loop.h"
#include "fleet/rollouts_loop.h"
#include "fleet/sites_loop.h"
#include "model/places/difference.h"
#include "model/rules/defaults.h"
#include "model/tier.h"

#include <algorithm>
#include <utility>

namespace skerry::fleet {

namespace {

class OwnSiteLoop final : public cell::Loop {
public:
    OwnSiteLoop(cell::Cell& cell, SiteWish wish) : cell_(cell), wish_(std::move(wish)) {}
    std::string_view name() const override { return "own-site"; }
    bool wakes(const store::Change& change) const override { return change.key.kind == model::Kind::site && !change.after; }
    void turn() override {
        if (cell_.store().get({model::Kind::site, "", wish_.name})) return;
        ensure_site(cell_, wish_, [](Result<store::Key> made) {
            if (!made) log(Level::warning, "fleet", "own site: {}", made.error().message);
        });
    }

private:
    cell::Cell& cell_;
    SiteWish wish_;
};

} // namespace

void add_loops(cell::Cell& cell, Options options) {
    if (options.makes_site) cell.add(std::make_unique<OwnSiteLoop>(cell, *options.makes_site));
    cell.add(std::make_unique<RevisionsLoop>(cell));
    // Before the rollouts, which ask it.
    std::unique_ptr<LeaversLoop> leavers = options.only_own_site ? nullptr : std::make_unique<LeaversLoop>(cell);
    const LeaversLoop* left = leavers.get();
    if (leavers) cell.add(std::move(leavers));
    cell.add(std::make_unique<RolloutsLoop>(cell, options, left));
    if (options.only_own_site) {
        cell.add(std::make_unique<HandoverLoop>(cell, options.own_site));
        return;
    }
    cell.add(std::make_unique<DecisionsLoop>(cell));
    cell.add(std::make_unique<SitesLoop>(cell, std::move(options)));
}

void ensure_site(cell::Cell& cell, SiteWish wish, std::function<void(Result<store::Key>)> then) {
    store::Key key{model::Kind::site, "", wish.name};
    // One whose row is damaged is not made anew here: its labels say what belongs to it, and only people know them (rule S5).
    if (cell.store().get(key) || cell.store().missing().contains(key))
        return cell.env().timers.post([key, then = std::move(then)] { then(key); });
    model::Site site;
    site.mutable_metadata()->set_name(wish.name);
    for (auto& [label, value] : wish.labels) (*site.mutable_metadata()->mutable_labels())[label] = value;
    auto& spec = *site.mutable_spec();
    for (auto& [name, value] : wish.values) (*spec.mutable_values())[name] = value;
    for (auto& parent : wish.parents) spec.add_parents(parent);
    if (wish.jurisdiction) spec.mutable_location()->set_jurisdiction(*wish.jurisdiction);
    if (wish.region) spec.set_tier(std::string(model::region_tier));
    if (wish.profile) {
        auto& uplink = *spec.add_uplinks();
        uplink.set_name("wan");
        uplink.set_profile(*wish.profile);
    }
    model::apply_presets(site);
    // Alive until its answer has come.
    auto writing = std::make_shared<cell::Writing>(cell, "sites");
    writing->begin();
    writing->create(model::Kind::site, site);
    writing->end([&cell, key, writing, then = std::move(then)](Result<void> made) {
        if (made || cell.store().get(key))
            then(key);
        else
            then(std::unexpected(made.error()));
    });
}

std::string difference(const store::Store& store, const SiteWish& wish) {
    auto object = store.get({model::Kind::site, "", wish.name});
    if (!object) return {};
    auto& site = store::as<model::Site>(*object);
    if (model::is_region(site) != wish.region)
        return wish.region ? "it is a site with machines of its own, not a region (delete it first)"
                           : "it is a region (skerry token create --region " + wish.name + ")";
    if (auto other = model::difference("label", site.metadata().labels(), wish.labels); !other.empty()) return other;
    if (auto other = model::difference("value", site.spec().values(), wish.values); !other.empty()) return other;
    if (wish.jurisdiction && site.spec().location().jurisdiction() != *wish.jurisdiction)
        return "its jurisdiction is \"" + site.spec().location().jurisdiction() + "\", not " + *wish.jurisdiction;
    if (wish.profile &&
        std::ranges::none_of(site.spec().uplinks(), [&](auto& uplink) { return uplink.profile() == *wish.profile; }))
        return "none of its uplinks has the profile " + *wish.profile;
    return {};
}

} // namespace skerry::fleet
