#pragma once

#include "cell/cell.h"
#include "env/env.h"
#include "fleet/fleet.h"
#include "fleet/rest.h"

#include <map>
#include <memory>
#include <string>

namespace skerry::fleet {

/// The loop "sites": who is in touch, as the part of a Site's status that its parent adds. Changes only when somebody comes or
/// goes, or together with something that a site reports, so that an idle fleet writes nothing.
class SitesLoop final : public cell::Loop {
public:
    SitesLoop(cell::Cell& cell, Options options) : cell_(cell), options_(std::move(options)), rest_(cell, "sites") {}

    std::string_view name() const override { return "sites"; }
    bool wakes(const store::Change&) const override;
    Duration period() const override { return 2s; }
    void turn() override;

private:
    cell::Cell& cell_;
    Options options_;
    Rest rest_;
    /// Number of the last report for which the bytes of the link were counted.
    std::map<std::string, store::Number> counted_;
    std::map<std::string, bool> in_touch_;
};

} // namespace skerry::fleet
