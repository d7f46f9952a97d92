#pragma once

#include "cell/writing.h"
#include "fleet/rest.h"

#include <set>
#include <string>
#include <tuple>

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
    using PinKey = std::tuple<model::Kind, std::string, std::string>; ///< kind, project, name of the copy

    void make_revision(const store::Object& app, std::set<PinKey>& wanted);
    bool make_pins(const store::Object& app, const model::Revision&, std::set<PinKey>& wanted);
    std::set<store::Key> erase_revisions();
    void let_go_of_missing();
    void erase_pins(const std::set<store::Key>& gone, const std::set<PinKey>& wanted);

    cell::Cell& cell_;
    cell::Writing writing_;
    Rest rest_;
};

} // namespace skerry::fleet
