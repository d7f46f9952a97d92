#pragma once

#include "cell/gate/overrides.h"
#include "cell/writing.h"
#include "site/site.h"

#include <string>

namespace skerry::site {

/// The loop "overrides": keeps the Revisions that Overrides of this site make (see `Effective`), lets go of Overrides that the
/// parent has decided about (rule W5), and says how each stands (rule W3) and how Apps of other homes are here.
class OverridesLoop final : public cell::Loop {
public:
    OverridesLoop(cell::Cell& cell, Options options) : cell_(cell), options_(std::move(options)), writing_(cell, "overrides") {}

    std::string_view name() const override { return "overrides"; }
    bool wakes(const store::Change&) const override;
    void turn() override;

private:
    void settle();
    void keep_revisions();
    void report_overrides();
    void report_apps();
    void report(const store::Object&, const model::App& beneath, const std::string& obstacle);
    void report_astray(const store::Object&, bool app_exists);
    std::string wall() const { return rfc3339(cell_.env().clock.wall()); }

    cell::Cell& cell_;
    Options options_;
    cell::Writing writing_;
};

} // namespace skerry::site
