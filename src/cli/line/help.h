#pragma once

#include "cli/line/command.h"

#include <span>
#include <string>
#include <string_view>

namespace skerry::cli {

/// What `skerry --help` prints: every command, under its group's heading.
std::string help_of_all(std::span<const Command>, std::string_view version);
/// What `skerry image --help` prints.
std::string help_of_noun(std::string_view noun, std::span<const Command>);
std::string help_of(const Command&);
/// "skerry get KIND [NAME...] [options]".
std::string usage_of(const Command&);

} // namespace skerry::cli
