#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

struct Option {
    std::string names;      ///< "-o,--output"; the last long name is the key in Invocation
    std::string value;      ///< name of its value in the help, "FORMAT"; empty: a flag
    std::string help;
    std::vector<std::string> choices; ///< none: anything
    bool repeatable = false;
};

struct Argument {
    std::string name; ///< "NAME"
    std::string help;
    bool required = true;
    bool repeatable = false; ///< takes all that follow; last only
};

/// What the user typed, already held against the command's options.
class Invocation {
public:
    std::map<std::string, std::vector<std::string>, std::less<>> options; ///< by long name without dashes; a flag has one empty value
    std::vector<std::string> arguments;

    bool has(std::string_view option) const { return options.contains(option); }
    /// The last value, or "".
    std::string get(std::string_view option) const;
    std::vector<std::string> all(std::string_view option) const;
};

/// One verb, or one verb of a noun ("token create"). The same table gives parsing, `--help` and completion.
struct Command {
    std::string name;
    std::string summary;               ///< one line, no full stop
    std::string details;               ///< paragraphs for `--help`; may be empty
    std::vector<std::string> examples; ///< lines "skerry get apps -A" or "# comment"
    std::vector<Argument> arguments;
    std::vector<Option> options;
    std::function<int(const Invocation&)> run; ///< the exit status
    bool hidden = false;
};

/// Exit statuses: 0 done; 1 the thing asked for failed; 2 the command line is wrong.
int run_commands(int argc, const char* const* argv, std::span<const Command> commands, std::string_view version);

/// apply, get, describe, delete, logs, wait, label, image push, token create, login, version, completion …: everything that talks to an API.
std::vector<Command> client_commands(std::string version);

} // namespace skerry::cli
