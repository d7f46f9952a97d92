#pragma once

#include "cell/writing.h"
#include "fleet/app_world.h"
#include "fleet/rest.h"

#include <optional>
#include <set>
#include <string_view>

namespace skerry::model {
class Revision;
}

namespace skerry::fleet {

/// The loop "revisions": App → Revision (rule A1) with the copies that it pins; then what nobody refers to any more goes.
class RevisionsLoop final : public cell::Loop {
public:
    explicit RevisionsLoop(cell::Cell& cell) : cell_(cell), writing_(cell, "revisions"), rest_(cell, "revisions") {}

    std::string_view name() const override { return "revisions"; }
    bool wakes(const store::Change&) const override;
    void turn() override;

    /// Revisions kept of each app beside those in use.
    static constexpr std::size_t kept = 3;

private:
    /// `wanted`: copies of Secrets and Configs, to be there before the Revision.
    void make_revision(const store::Object& app, const RevisionList&, std::set<store::Key>& wanted);
    bool make_pins(const store::Object& app, const model::Revision&, std::set<store::Key>& wanted);
    std::set<store::Key> erase_revisions();
    void let_go_of_missing();
    void erase_pins(const std::set<store::Key>& gone, const std::set<store::Key>& wanted);

    cell::Cell& cell_;
    cell::Writing writing_;
    Rest rest_;
    Reads reads_;                      ///< copies among them
    bool has_wanted_ = false;          ///< copies were wanted then
    std::optional<std::size_t> count_; ///< Revisions there were then
};

} // namespace skerry::fleet
