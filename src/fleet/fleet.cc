#include "fleet/fleet.h"

#include "cell/writing.h"
#include "fleet/decisions_loop.h"
#include "fleet/revisions_loop.h"
#include "fleet/rollouts_loop.h"
#include "fleet/sites_loop.h"
#include "model/defaults.h"
#include "model/site.pb.h"

#include <utility>

namespace skerry::fleet {

void add_loops(cell::Cell& cell, Options options) {
    cell.add(std::make_unique<RevisionsLoop>(cell));
    cell.add(std::make_unique<RolloutsLoop>(cell, options));
    if (options.only_own_site) return;
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

} // namespace skerry::fleet
