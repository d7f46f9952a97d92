#pragma once

#include "base/result.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::model {

/// Replaces `$(name)` by what `lookup` gives; `$$(` stands for `$(` itself; any other `$` is left alone. A name that `lookup`
/// does not know is `not_found`, an unclosed `$(` is `invalid`, more than 128 KiB of result (the kernel's bound for one variable)
/// `exhausted`.
Result<std::string> substitute(std::string_view text, const std::function<std::optional<std::string>(std::string_view)>& lookup);

/// The names that `text` refers to, in order, each as often as it stands there.
Result<std::vector<std::string>> references(std::string_view text);

/// Whether `name` is one of site.name, site.values.NAME, node.name, instance.name and app.name.
bool is_known_reference(std::string_view name);

} // namespace skerry::model
