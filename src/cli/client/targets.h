#pragma once

#include "base/json.h"
#include "base/result.h"
#include "cli/line/command.h"
#include "model/kind.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

/// One object as people name it.
struct Target {
    const model::KindFacts* kind = nullptr;
    std::string project; ///< empty for kinds that belong to none
    std::string name;

    /// `/apis/skerry/v1/namespaces/retail/apps/till`
    std::string path() const;
    std::string collection() const;
    /// `app/till`
    std::string title() const { return std::string(kind->singular) + "/" + name; }
};

/// Of a kind; an empty project is all projects.
std::string collection_path(const model::KindFacts&, std::string_view project);

/// By name, singular, plural or short name, `ns` and `pods` of Kubernetes' included. Errors suggest the closest.
Result<const model::KindFacts*> find_kind(std::string_view word);

/// What stands behind a verb.
struct Targets {
    std::vector<const model::KindFacts*> kinds; ///< whole kinds; empty where objects are named
    std::vector<Target> named;
};

/// `apps`, `apps,sites`, `all`, `app till shop`, `app/till site/harbour`. Names are the caller's to check against rules; here
/// only what would change the meaning of a path is refused.
Result<Targets> parse_targets(std::span<const std::string> words, std::string_view project);

/// The object that a manifest is about; `project` where it names none.
Result<Target> target_of(const Json& manifest, std::string_view project);

/// Completion: kinds; and names of the kind in the first argument.
std::vector<std::string> suggest_kinds_and_names(const Invocation&);
Suggest suggest_names(model::Kind);

} // namespace skerry::cli
