#include "cli/line/help.h"

#include "cli/line/option_names.h"

#include <algorithm>
#include <utility>

namespace skerry::cli {

namespace {

constexpr std::size_t line_width = 100;

/// Text in lines of at most `line_width`, each behind `indent` spaces; the first continues a line that has `used` characters.
std::string wrap(std::string_view text, std::size_t indent, std::size_t used) {
    std::string out;
    std::size_t column = used;
    bool fresh = true;
    while (!text.empty()) {
        std::size_t space = std::min(text.find_first_of(" \n"), text.size());
        std::string_view word = text.substr(0, space);
        if (!fresh && column + 1 + word.size() > line_width) {
            out += "\n" + std::string(indent, ' ');
            column = indent;
            fresh = true;
        }
        if (!fresh) out += ' ', ++column;
        out += word;
        column += word.size();
        fresh = false;
        if (space < text.size() && text[space] == '\n') {
            out += "\n" + std::string(indent, ' ');
            column = indent;
            fresh = true;
        }
        text.remove_prefix(std::min(space + 1, text.size()));
    }
    return out;
}

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string two_columns(const Rows& rows) {
    std::size_t width = 0;
    for (auto& [left, right] : rows)
        if (left.size() <= 30) width = std::max(width, left.size());
    std::string out;
    for (auto& [left, right] : rows) {
        out += "  " + left;
        if (left.size() > width)
            out += "\n" + std::string(width + 4, ' ');
        else
            out += std::string(width - left.size() + 2, ' ');
        out += wrap(right, width + 4, width + 4) + "\n";
    }
    return out;
}

std::string shown_names(const Option& option) {
    std::string out;
    for (const std::string& name : split_names(option.names)) {
        if (out.empty() && name.starts_with("--"))
            out = "    ";
        else if (!out.empty())
            out += ", ";
        out += name;
    }
    if (!option.value.empty()) out += " " + option.value;
    return out;
}

Rows rows_of(const Command& command, bool shared) {
    Rows rows;
    for (const Option& option : command.options) {
        if (option.shared != shared) continue;
        std::string help = option.help;
        if (!option.choices.empty() && !option.value.empty() && option.choices.size() <= 8 &&
            help.find(option.choices[0]) == std::string::npos) {
            std::string list;
            for (auto& choice : option.choices) list += (list.empty() ? "" : "|") + choice;
            if (list != option.value) help += " (" + list + ")";
        }
        rows.emplace_back(shown_names(option), std::move(help));
    }
    return rows;
}

} // namespace

std::string usage_of(const Command& command) {
    std::string out = "skerry " + command.name;
    for (const Argument& argument : command.arguments) {
        std::string name = argument.name + (argument.repeatable ? "..." : "");
        out += argument.required ? " " + name : " [" + name + "]";
    }
    return out + (command.options.empty() ? "" : " [options]");
}

std::string help_of(const Command& command) {
    std::string out = command.summary + ".\n\nUsage: " + usage_of(command) + "\n";
    if (!command.details.empty()) out += "\n" + wrap(command.details, 0, 0) + "\n";
    if (!command.examples.empty()) {
        out += "\nExamples:\n";
        for (auto& line : command.examples) out += "  " + line + "\n";
    }
    Rows arguments;
    for (const Argument& argument : command.arguments)
        if (!argument.help.empty()) arguments.emplace_back(argument.name, argument.help);
    if (!arguments.empty()) out += "\nArguments:\n" + two_columns(arguments);
    Rows own = rows_of(command, false);
    own.emplace_back("-h, --help", "print this");
    out += "\nOptions:\n" + two_columns(own);
    if (Rows shared = rows_of(command, true); !shared.empty()) out += "\nWhich server:\n" + two_columns(shared);
    return out;
}

std::string help_of_noun(std::string_view noun, std::span<const Command> commands) {
    Rows rows;
    for (const Command& command : commands)
        if (noun_of(command) == noun && !command.hidden) rows.emplace_back(command.name, command.summary);
    return "Usage: skerry " + std::string(noun) + " COMMAND [options]\n\nCommands:\n" + two_columns(rows) + "\nskerry " +
           std::string(noun) + " COMMAND --help tells more.\n";
}

std::string help_of_all(std::span<const Command> commands, std::string_view version) {
    std::vector<std::pair<std::string, Rows>> groups;
    for (const Command& command : commands) {
        if (command.hidden) continue;
        std::string heading = command.group.empty() ? "Run Skerry on this machine" : command.group;
        auto group = std::ranges::find(groups, heading, &std::pair<std::string, Rows>::first);
        if (group == groups.end()) group = groups.insert(groups.end(), {heading, {}});
        group->second.emplace_back(command.name, command.summary);
    }
    std::string out = "Skerry " + std::string(version) + ": an edge cloud in one program.\n\nUsage: skerry COMMAND [options]\n";
    for (auto& [heading, rows] : groups) out += "\n" + heading + ":\n" + two_columns(rows);
    return out + "\nskerry COMMAND --help tells more, with examples. First steps: skerry up\n";
}

} // namespace skerry::cli
