#pragma once

#include "cell/writing.h"

namespace skerry::fleet {

/// The loop "decisions": what was decided here about an Override of a site's own (rule W5: promote, drop) goes once the site has
/// let go of that, or has changed it since, so that there is something new to decide. An adopted one stays: it holds in its
/// place.
class DecisionsLoop final : public cell::Loop {
public:
    explicit DecisionsLoop(cell::Cell& cell) : cell_(cell), writing_(cell, "decisions") {}

    std::string_view name() const override { return "decisions"; }
    bool wakes(const store::Change&) const override;
    void turn() override;

private:
    cell::Cell& cell_;
    cell::Writing writing_;
};

} // namespace skerry::fleet
