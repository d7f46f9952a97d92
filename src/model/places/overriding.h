#pragma once

#include "base/json.h"
#include "base/result.h"
#include "model/places/path.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::model {

class App;
class OverrideSpec;
class Problems;
class Revision;

/// Values that hold at one site instead of those decided at the App's home: rules W2 to W4, and what an instance there runs (A6).
///
/// What the parent says for a site is the App with the overrides that are decided at the parent (adopted ones). Over that come
/// those of the site itself. Each is held against what lies beneath it.

/// The place in an App, if a site may decide it: labels, annotations, the state, and what is within a component but its name,
/// placement and partition. `forbidden` with the reason and the remedy for the rest (rule W4).
Result<Path> overridable(std::string_view path);

/// One value at one place.
struct Patch {
    Path path;
    std::optional<Json> value; ///< none: absent
};
/// Of an Override that was admitted; an error where this build cannot read it.
Result<Patch> patch_of(const OverrideSpec&);

/// How an override stands to what is beneath it.
struct Standing {
    enum class What {
        applied,
        conflict, ///< applied; what is beneath says something else than when it was made, and than it says itself (rule W3)
        detached, ///< not applied: what the path leads through is gone
    } what = What::applied;
    std::optional<Json> beneath; ///< what is there without it
};
Standing standing(const App& beneath, const Patch&, const std::optional<Json>& base);

/// Changes the App; paths that are longer later. What leads nowhere or does not fit is left out: true for each that holds.
std::vector<bool> apply(App&, const std::vector<Patch>&);

/// An edit of what a site shows of an App, as overrides.
struct OverridePlan {
    struct Put {
        Path path;
        std::optional<Json> base, value;
    };
    std::vector<Put> puts;
    std::vector<std::size_t> drops; ///< indexes into `own`: these say no more than what is beneath, or lie within a put
};
/// From what was shown to what is wanted, over what lies beneath; `own` are the site's overrides of this App so far. Those that
/// the edit does not touch stay as they are, in conflict or not; one that it touches is decided anew. What may not be overridden
/// becomes a problem. Notes of clients (kubectl's last-applied) are left out.
OverridePlan plan_override(const App& beneath, const App& shown, const App& wanted, const std::vector<Path>& own, Problems&);

/// The Revision that holds at a site: each component as the overrides have it, closed as the original is (rule A6: its hash is
/// that of what runs). `digest_of` gives the digest that an image's tag meant, for images that are not the original's. Null where
/// nothing of it differs. `invalid` where it would be no right App, or would read a Secret or Config that the original does not
/// pin. Its name is `<original>.at.<hash>`, so that equal ones have equal names. Of a revoked one it is revoked (rule A1).
struct ImageDigest {
    std::string image, digest;
};
Result<std::optional<Revision>> effective_revision(const Revision&, const std::vector<Patch>&, const std::vector<ImageDigest>&);
/// Label of such Revisions, with the home of the original: made at the site, of no App's own line.
inline constexpr std::string_view effective_label = "skerry/overridden";
bool is_effective(const Revision&);
/// The cell that decides about the App: no Override makes it the site's own, whose leases would be nobody's matter.
const std::string& decided_at(const Revision&);
/// The name of the Revision that one at a site was made of; of any other its own.
std::string_view original_of(std::string_view revision);

} // namespace skerry::model
