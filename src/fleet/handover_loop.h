#pragma once

#include "cell/cell.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace skerry::fleet {

/// The loop "handover" of a site's cell: once people at the parent decommission the site, all that it decides becomes the parent's
/// (rule H6, `cell/handover.h`).
///
/// What goes: its Apps with their Allocations, the Revisions that these are on and the newest one, with what those pin, and the
/// Secrets and Configs that the Apps read. What they need goes before them. Images stay: the parent needs copies of its own.
/// The Site's condition `Leaving` says how far it is; nothing is restarted or stopped for it.
class HandoverLoop final : public cell::Loop {
public:
    HandoverLoop(cell::Cell& cell, std::string site) : cell_(cell), site_(std::move(site)) {}

    std::string_view name() const override { return "handover"; }
    bool wakes(const store::Change&) const override;
    void turn() override;

private:
    std::vector<store::ObjectPtr> decided_here() const;
    void add_revision(std::set<store::Key>&, const store::Key&) const;
    void send(const std::vector<store::ObjectPtr>&, CellId to);
    void report(const store::Object& site, std::size_t here, std::size_t under_way);
    void commit(store::Transaction);

    cell::Cell& cell_;
    std::string site_;
    bool busy_ = false;
    std::unique_ptr<env::Timer> timer_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

} // namespace skerry::fleet
