#include "site/effective.h"

#include "model/allocation.pb.h"

#include <utility>

namespace skerry::site {

using model::Kind;
using store::Key;

Effective effective_of(const store::Store& store, const std::string& site, const store::Object& allocation) {
    const auto& spec = store::as<model::Allocation>(allocation).spec();
    const std::string& project = allocation.key.project;
    Effective effective{.revision = spec.revision(),
                        .object = store.get(Key{Kind::revision, project, spec.revision()}),
                        .to_make = {},
                        .obstacle = {},
                        .revoked = {}};
    // One of this site's own may have its name (rule H5); what it says is not what was allocated.
    auto is_own = [&](const store::Object& object) { return object.home == store.cell(); };
    if (effective.object && is_own(*effective.object) != is_own(allocation)) effective.object = nullptr;
    if (!effective.object) return effective;
    const auto& original = store::as<model::Revision>(*effective.object);
    if (original.spec().has_revoked()) effective.revoked = original.spec().revoked().reason();
    // What a lost Override said is not known: all stays as it is until the parent or a human says it again (rule S5).
    for (const Key& key : store.missing())
        if (key.kind == Kind::override_ && key.project == project) {
            effective.obstacle = "the row of " + key.text() + " is damaged: apply that Override again, or drop it";
            return effective;
        }
    auto overrides = cell::overrides_of(store, site, project, spec.app(), original.spec().app_uid());
    if (overrides.own.empty() && overrides.adopted.empty()) return effective;
    auto made = model::effective_revision(original, cell::patches_of(overrides), cell::digests_of(overrides));
    if (!made) {
        effective.obstacle = made.error().message;
        return effective;
    }
    if (!*made) return effective;
    effective.revision = (*made)->metadata().name();
    effective.object = store.get(Key{Kind::revision, project, effective.revision});
    if (!effective.object)
        effective.to_make = std::move(**made);
    else if (const auto& spec_here = store::as<model::Revision>(*effective.object).spec();
             spec_here.has_revoked() && !effective.revoked)
        effective.revoked = spec_here.revoked().reason();
    return effective;
}

} // namespace skerry::site
