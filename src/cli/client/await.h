#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"
#include "cli/client/session.h"
#include "cli/client/targets.h"
#include "cli/field_path.h"

#include <optional>
#include <string>
#include <string_view>

namespace skerry::cli {

/// What `wait --for` waits for.
class Goal {
public:
    /// `condition=Available`, `condition=Ready=False`, `delete`, `jsonpath={.status.phase}=Running`, `status.readyReplicas=3`.
    static Result<Goal> parse(std::string_view text);
    static Goal deletion() { return Goal(); }

    bool is_deletion() const { return kind_ == Kind::deletion; }
    /// Null: the object does not exist. A condition counts only once the status speaks of the newest generation.
    bool is_met(const Json* object) const;
    /// How far it is: "Available is False: NoSite: there is no site yet; …".
    std::string found(const Json* object) const;

private:
    enum class Kind { deletion, condition, field } kind_ = Kind::deletion;
    std::string name_, value_;
    std::optional<FieldPath> path_;
};

/// Waits until the object is as it should be. `timeout` says how it was last; `not_found` at once where the object is missing and
/// is not waited to be; `cancelled` by Ctrl-C.
Result<void> await(Session&, const Target&, const Goal&, std::optional<Instant> until);

} // namespace skerry::cli
