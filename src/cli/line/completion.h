#pragma once

#include "cli/line/command.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

/// What may stand in place of the last of `words` (those behind "skerry"; the last may be empty or begun), each as "word" or
/// "word\twhat it is". Nothing: the shell completes names of files.
std::vector<std::string> complete(std::span<const Command>, const std::vector<std::string>& words);

/// `skerry completion bash|zsh|fish`: a short script for the shell that asks `skerry __complete`.
Command completion_command();
Command complete_command(std::span<const Command> all);

/// The script; "" for a shell that is not known.
std::string completion_script(std::string_view shell);

} // namespace skerry::cli
