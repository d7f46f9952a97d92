#pragma once

#include "base/json.h"
#include "base/result.h"
#include "cli/client/session.h"
#include "cli/client/targets.h"
#include "cli/line/command.h"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

/// How the API is asked for a Table of rows instead of objects.
inline constexpr const char* accept_table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Which objects of a kind.
struct Choice {
    std::string project; ///< empty: all
    std::string label_selector;
    std::string field_selector;
};

/// -l, --field-selector, -A.
std::vector<Option> choice_options();
Choice choice_of(const Invocation&, std::string_view project);

http::Request list_request(const model::KindFacts&, const Choice&);
/// The whole collection, asked for in pieces of `chunk` (0: at once) and put together: a List, or a Table with `as_table`.
Result<Json> list_all(Session&, const model::KindFacts&, const Choice&, std::int64_t chunk = 500, bool as_table = false);
/// The objects of a list.
const Json::Array& items_of(const Json& list);

/// `metadata.name` and so on.
std::string_view metadata_text(const Json& object, std::string_view field);
/// The object's own project, `retail/till`, or just its name.
std::string qualified_name(const Json& object);

} // namespace skerry::cli
