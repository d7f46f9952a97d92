#pragma once

#include "env/env.h"

#include <string>
#include <string_view>

namespace skerry::trust {

inline constexpr std::size_t secret_size = 32;

/// 32 random bytes.
std::string draw_secret(env::Chance&);
/// Whether `secret` hashes to `hash`, in time that does not depend on where they differ.
bool matches(std::string_view secret, std::string_view hash);

} // namespace skerry::trust
