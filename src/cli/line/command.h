#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

class Invocation;

/// Words that may stand at this place, for completion: asked with what was typed before it. Must be quick, and silent when it
/// cannot tell.
using Suggest = std::function<std::vector<std::string>(const Invocation& so_far)>;

struct Option {
    std::string names; ///< "-o,--output"; the last long name is the key in Invocation
    std::string value; ///< name of its value in the help, "FORMAT"; empty: a flag
    std::string help;
    std::vector<std::string> choices; ///< none: anything; of a flag: words allowed in "--flag=WORD" besides true and false
    bool repeatable = false;
    bool shared = false; ///< many verbs have it: accepted before the verb, too, and shown apart in the help
    Suggest suggest;
};

struct Argument {
    std::string name; ///< "NAME"
    std::string help;
    bool required = true;
    bool repeatable = false; ///< takes all that follow; last only
    Suggest suggest;
};

/// What the user typed, already held against the command's options.
class Invocation {
public:
    /// By long name without dashes. A flag has one value: "" or the word behind its "="; a flag given as "--flag=false" is absent
    /// unless its choices name "false".
    std::map<std::string, std::vector<std::string>, std::less<>> options;
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
    std::string group; ///< its heading in the list of all commands; empty: those that run Skerry itself
};

/// Exit statuses: 0 done; 1 the thing asked for failed; 2 the command line is wrong; 130 ended by Ctrl-C.
///
/// Adds `completion` and `help`. `run` of a Command may return `wrong_usage` after having said what is wrong.
int run_commands(int argc, const char* const* argv, std::span<const Command> commands, std::string_view version);

inline constexpr int wrong_usage = 2;
inline constexpr int interrupted = 130;

/// apply, get, describe, delete, logs, wait, label, explain, image push, image list, revision revoke, override list, adopt, promote
/// and drop, token create, site revoke, site decommission, node revoke, ca status, ca rotate, courier pack, apply and show, access grant, list and revoke, login, version: everything that
/// talks to an API.
std::vector<Command> client_commands(std::string version);

} // namespace skerry::cli
