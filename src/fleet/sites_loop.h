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
    Duration period() const override { return rest_.period(2s); }
    void turn() override;

private:
    cell::Cell& cell_;
    Options options_;
    Rest rest_;
    /// All that a report is made of. Most sites are as they were, and cost a turn no more than this comparison.
    struct Known {
        bool own = false, called = false, in_touch = false;
        std::string trouble, doubled, witness, orphans;
        cell::Waiting waiting;             ///< at its link
        store::Number found = 0, seen = 0; ///< of the last changes of these parts
        bool operator==(const Known&) const = default;
    };
    /// `counted`: the bytes of its link were counted since it last reported.
    void report(const store::Object& site, const Known&, std::uint64_t link_bytes, bool counted);
    void report_budget(const store::Object& site, const cell::Waiting&, model::Conditions&);
    std::map<std::string, Known> known_;
};

} // namespace skerry::fleet
