#include "cell/missing.h"

#include "model/instance.pb.h"
#include "model/revision.pb.h"

#include <algorithm>

namespace skerry::cell {

using model::Kind;

bool lacks_wishes(const store::Store& store) {
    return std::ranges::any_of(store.missing(), [](const store::Key& key) {
        switch (key.kind) {
        case Kind::project: // nothing is removed for want of one of these
        case Kind::secret:
        case Kind::config:
        case Kind::image:
        case Kind::instance:
        case Kind::event:
            return false;
        default:
            return true;
        }
    });
}

bool lacks_objects(const store::Store& store) {
    return std::ranges::any_of(store.missing(), [](const store::Key& key) { return key.kind != Kind::event; });
}

std::optional<Remains> remains_of(const store::Store& store, const store::Key& key) {
    if (!store.missing().contains(key)) return {};
    std::optional<Remains> remains;
    auto see = [&](const std::string& text, std::uint32_t generation) {
        auto uid = Id::parse(text);
        if (uid && (!remains || generation > remains->generation)) remains = Remains{Uid(*uid), generation};
    };
    if (key.kind == Kind::app) {
        for (const auto& object : store.list(Kind::revision, key.project)) {
            const auto& spec = store::as<model::Revision>(*object).spec();
            if (spec.app() == key.name) see(spec.app_uid(), spec.app_generation());
        }
    } else if (key.kind == Kind::allocation) {
        for (const auto& object : store.list(Kind::instance, key.project)) {
            const auto& spec = store::as<model::Instance>(*object).spec();
            if (spec.allocation() == key.name) see(spec.allocation_uid(), 1);
        }
    }
    return remains;
}

} // namespace skerry::cell
