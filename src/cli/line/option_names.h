#pragma once

#include "cli/line/command.h"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

/// "-o,--output" → {"-o", "--output"}.
std::vector<std::string> split_names(std::string_view names);
/// The key in an Invocation: the last long name, without its dashes.
std::string key_of(const Option&);
/// The option with this name ("-o", "--output"); null: the command has none.
const Option* find_option(const Command&, std::string_view name);
/// Options of all commands that may stand before the verb, each once.
std::vector<const Option*> shared_options(std::span<const Command>);

/// "image push" → "image"; "get" → "".
std::string_view noun_of(const Command&);
/// The word a command's name begins with.
std::string_view first_word(const Command&);

} // namespace skerry::cli
