#pragma once

#include "base/json.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

/// A way to one field of an object: `status.readyReplicas`, `spec.components[0].image`, `spec.components[name=pos].image`. Also
/// as kubectl writes it: `{.status.phase}`. At most 32 steps.
class FieldPath {
public:
    static Result<FieldPath> parse(std::string_view text);

    /// Null where the way ends early.
    const Json* find(const Json& object) const;
    /// The value as text: strings as they are, others as JSON; "" for null.
    std::string text(const Json& object) const;

private:
    struct Step {
        std::string name; ///< of a member; or of the key within an item
        std::string value;
        std::size_t index = 0;
        enum class Kind { member, index, key } kind = Kind::member;
    };
    std::vector<Step> steps_;
};

} // namespace skerry::cli
