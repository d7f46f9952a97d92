#include "model/rules/law.h"

#include "model/app.pb.h"
#include "model/rules/rule.h"

#include <algorithm>

namespace skerry::model {

Result<void> may_hold(std::string_view jurisdiction, const Within& within) {
    const auto& allowed = within.jurisdictions();
    if (allowed.empty() || std::find(allowed.begin(), allowed.end(), jurisdiction) != allowed.end()) return {};
    std::string bound = "must stay within " + choices(allowed);
    if (jurisdiction.empty())
        return fail(Code::forbidden, bound + ", and the place has no jurisdiction (set spec.location.jurisdiction of its Site)");
    return fail(Code::forbidden, bound + ", and the place is in " + std::string(jurisdiction));
}

} // namespace skerry::model
