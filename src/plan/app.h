#pragma once

#include "base/ids.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::model {
class App;
class Config;
class Image;
class Revision;
class Secret;
} // namespace skerry::model

namespace skerry::plan {

/// What an app refers to, looked up by the caller. Null: there is none.
struct AppWorld {
    bool project_exists = false;
    std::function<const model::Image*(const std::string& project, const std::string& name)> image;
    std::function<const model::Secret*(const std::string& name)> secret; ///< of the app's own project, pinned copies too
    std::function<const model::Config*(const std::string& name)> config;
};

/// Why a Revision cannot be made: the word for conditions, and a sentence with the remedy.
struct Obstacle {
    std::string reason;
    std::string message;
};

struct AppPlan {
    /// The Revision to make, without uid; its name is `<app>.<generation>`, or `<app>.<generation>-<n>` for the n-th of one
    /// generation. None: the newest one is what the app wants, or something is in the way.
    std::optional<std::string> revision_bytes;
    /// Everything in the way, in the order of components.
    std::vector<Obstacle> obstacles;
};

/// App → Revision (rule A1). `revisions` are those of this app, in any order; those of an earlier app of the same name are
/// ignored but keep their names.
///
/// - The spec (state, components) differs from the newest Revision's: a new one, all tags resolved afresh.
/// - Only Secrets or Configs that it reads were rotated (uid or content): a new one with the digests of the newest.
/// - A moved tag alone changes nothing; nor do labels, nor the rollout's parameters; nor a Secret, Config or Image that went
/// away.
/// - A revoked newest Revision stays the newest until the spec differs.
AppPlan plan_app(const model::App&, const std::vector<const model::Revision*>& revisions, const AppWorld&);

/// The newest Revision of this very app (by uid): highest generation, then latest of it. Null where there is none.
const model::Revision* newest_revision(const model::App&, const std::vector<const model::Revision*>& revisions);

/// `<app>.<generation>` → 1, `<app>.<generation>-<n>` → n.
std::uint32_t revision_ordinal(const model::Revision&);

/// `<name>.g<generation>.<first 8 hexadecimal digits of uid>`
std::string pin_name(std::string_view name, std::string_view uid, std::uint32_t generation);

} // namespace skerry::plan
