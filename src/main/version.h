#pragma once

namespace skerry::main {

inline constexpr const char* version = "0.1.0";

} // namespace skerry::main
