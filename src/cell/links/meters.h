#pragma once

#include "env/env.h"
#include "model/conditions.h"
#include "store/object.h"
#include "store/store.h"
#include "sync/meter.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::model {
class LinkUse;
class SiteSpec;
} // namespace skerry::model

namespace skerry::cell {

/// Why something waits at a link, for people.
struct Waiting {
    std::string reason;  ///< empty: nothing has to wait
    std::string message; ///< with the way out; the same as long as the reason is
    bool operator==(const Waiting&) const = default;
};

/// What crosses each link of a cell, against the budgets and windows of the sites (rule L6). Links and tunnels count here, and ask
/// here before they set status or bulk going. Links to nodes are counted and bounded by nothing.
///
/// What was counted today is in the store's notes, so that a restart gives no second budget:
///
///     notes space "link.use":  <tag of the child, or of the parent> → day, unseen, sent and received for each lane
///
/// Notes run ahead of the count (see sync::Meter), a few dozen a day of a full budget, and none while only beats cross. A crash can
/// lose what crossed while one of them was on its way to disk.
class Meters {
public:
    /// `own_site`: the site whose uplink leads to the parent; empty: there is no such.
    Meters(env::Env, store::Store&, std::string own_site, bool has_parent);
    ~Meters();

    void count(const std::string& tag, sync::Flow, sync::Use);
    void count(const std::string& tag, const sync::Uses&);
    /// What status, or bulk, may take on that link now; none: no bound.
    std::optional<std::uint64_t> status_room(const std::string& tag);
    std::optional<std::uint64_t> bulk_room(const std::string& tag);
    Waiting waiting(const std::string& tag);
    /// Sets conditions `WithinBudget` and `WindowOpen`, where the uplink has a budget or windows.
    void report(const std::string& tag, model::Conditions&);
    /// Today's bytes; how well the way carries is for others to add.
    model::LinkUse use(const std::string& tag);

    /// A Site changed; its terms with it.
    void site_changed(const std::string& name);
    /// Called when something may cross now that waited, or has to wait now, at the link of this tag. For as long as this lives.
    using Turned = std::function<void(const std::string& tag)>;
    void on_turn(Turned turned) { turned_.push_back(std::move(turned)); }
    /// Writes down exactly what was counted: for a clean end.
    void settle();

private:
    struct Link {
        sync::Meter meter;
        sync::Meter::Hold hold = sync::Meter::Hold::none; ///< as it was told
    };
    Link* find(const std::string& tag);
    sync::Terms terms_of(const std::string& tag) const;
    /// The Site whose uplink that is; empty: of a node.
    std::string site_of(const std::string& tag) const;
    sync::Meter::Now now() const;
    void looked(const std::string& tag, Link&);
    void look_later();
    void write(const std::string& tag, std::string note);

    env::Env env_;
    store::Store& store_;
    std::string own_site_;
    bool has_parent_;
    std::map<std::string, Link, std::less<>> links_;
    std::vector<Turned> turned_;
    std::unique_ptr<env::Timer> timer_;
    Instant rings_ = Instant::never();
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

} // namespace skerry::cell
