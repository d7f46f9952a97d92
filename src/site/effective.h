#pragma once

#include "cell/gate/overrides.h"
#include "model/revision.pb.h"
#include "store/store.h"

#include <optional>
#include <string>

namespace skerry::site {

/// Which Revision the instances of an Allocation have here: the one it names, or, where Overrides of this site change it, a copy
/// that this cell makes (rules W2 and A6). Pins stay those of the original.
struct Effective {
    std::string revision;                   ///< its name
    store::ObjectPtr object;                ///< null: not here yet
    std::optional<model::Revision> to_make; ///< the copy, where it is still to be made
    std::string obstacle;                   ///< why it cannot be made: what runs stays as it is
    std::optional<std::string> revoked;     ///< why it may not start any more (rule A1)
};
Effective effective_of(const store::Store&, const std::string& site, const store::Object& allocation);

} // namespace skerry::site
