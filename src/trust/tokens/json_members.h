#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/result.h"

#include <string>
#include <string_view>

/// Members of what crosses between parent and child at joins and renewals, bounded. For the .cc files of this folder.
namespace skerry::trust {

inline constexpr std::size_t max_pem_text = 64 << 10;

/// Empty where it is absent.
Result<std::string> text_member(const Json&, std::string_view member, std::size_t limit = max_pem_text);
Result<Id> id_member(const Json&, std::string_view member);

} // namespace skerry::trust
