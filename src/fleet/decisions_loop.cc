#include "fleet/decisions_loop.h"

#include "model/override.pb.h"

#include <algorithm>

namespace skerry::fleet {

using model::Kind;

bool DecisionsLoop::wakes(const store::Change& change) const {
    return change.key.kind == Kind::override_ && change.changed(store::Part::wish);
}

void DecisionsLoop::turn() {
    if (!writing_.begin()) return;
    auto& store = cell_.store();
    auto all = store.list(Kind::override_);
    for (const auto& decision : all) {
        const auto& settles = store::as<model::Override>(*decision).spec().settles();
        if (decision->home != store.cell() || (settles.by() != "promote" && settles.by() != "drop")) continue;
        bool open = std::ranges::any_of(all, [&](const store::ObjectPtr& each) {
            return each->home != store.cell() && each->uid.text() == settles.uid() && each->generation <= settles.generation();
        });
        if (!open) writing_.erase(*decision);
    }
    writing_.end();
}

} // namespace skerry::fleet
