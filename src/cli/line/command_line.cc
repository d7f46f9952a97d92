#include "cli/line/command.h"
#include "cli/line/completion.h"
#include "cli/line/help.h"
#include "cli/line/option_names.h"

#include "base/result.h"
#include "model/rules/problems.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <list>
#include <utility>

namespace skerry::cli {

namespace {

bool is_option(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

std::string hint(std::string_view word, const std::vector<std::string>& known) {
    std::vector<std::string_view> views(known.begin(), known.end());
    auto best = model::closest(word, views);
    return best.empty() ? "" : "; did you mean " + std::string(best) + "?";
}

/// Options of one stage of parsing, joined to CLI11.
class Stage {
public:
    explicit Stage(std::span<const Option* const> options) : options_(options) {
        app_.set_help_flag();
        app_.allow_extras();
        for (const Option* option : options) {
            if (option->value.empty())
                taken_.push_back(app_.add_flag(option->names)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll));
            else
                taken_.push_back(app_.add_option(option->names, values_.emplace_back())->allow_extra_args(false));
        }
        app_.add_flag("-h,--help", help_);
    }

    void stop_at_first_word() { app_.prefix_command(); }

    /// What is no option of ours, in order; `into` gets the options.
    Result<std::vector<std::string>> parse(std::vector<std::string> words, Invocation& into) {
        std::reverse(words.begin(), words.end());
        try {
            app_.parse(words);
        } catch (const CLI::Error& error) {
            return fail(Code::invalid, error.what());
        }
        for (std::size_t i = 0; i < options_.size(); ++i) TRY_VOID(take(*options_[i], taken_[i]->results(), into));
        return app_.remaining();
    }

    bool wants_help() const { return help_; }

private:
    static Result<void> take(const Option& option, const std::vector<std::string>& results, Invocation& into) {
        for (std::string value : results) {
            bool listed = std::ranges::find(option.choices, value) != option.choices.end();
            if (option.value.empty() && !listed) {
                if (value == "false") {
                    into.options.erase(key_of(option));
                    continue;
                }
                if (value != "true" && !value.empty())
                    return fail(Code::invalid, "--" + key_of(option) + ": takes no value \"" + value + "\"");
                value.clear();
            } else if (!option.choices.empty() && !listed) {
                std::string known;
                for (auto& choice : option.choices) known += (known.empty() ? "" : ", ") + choice;
                return fail(Code::invalid,
                            "--" + key_of(option) + ": \"" + value + "\" is not one of " + known + hint(value, option.choices));
            }
            into.options[key_of(option)].push_back(value);
        }
        return {};
    }

    CLI::App app_;
    std::span<const Option* const> options_;
    std::vector<CLI::Option*> taken_;
    std::list<std::vector<std::string>> values_;
    bool help_ = false;
};

int wrong(std::string_view where, std::string_view why) {
    std::string title(where);
    std::fprintf(stderr, "skerry%s: %.*s\nTry: skerry%s --help\n", title.c_str(), static_cast<int>(why.size()), why.data(),
                 title.c_str());
    return wrong_usage;
}

/// The command that the words begin with; takes its words off. Two words before one: `site revoke` is not `site`.
const Command* take_command(std::span<const Command> commands, std::vector<std::string>& words) {
    for (std::ptrdiff_t count : {2, 1}) {
        if (std::ssize(words) < count) continue;
        std::string name = count == 2 ? words[0] + " " + words[1] : words[0];
        for (const Command& command : commands) {
            if (command.name != name) continue;
            words.erase(words.begin(), words.begin() + count);
            return &command;
        }
    }
    return nullptr;
}

int no_such_command(std::span<const Command> commands, const std::vector<std::string>& words) {
    std::vector<std::string> known;
    for (const Command& command : commands)
        if (noun_of(command) == words[0] && !command.hidden) known.push_back(command.name.substr(words[0].size() + 1));
    if (!known.empty()) {
        if (words.size() == 1 || words[1] == "-h" || words[1] == "--help") {
            std::fputs(help_of_noun(words[0], commands).c_str(), words.size() == 1 ? stderr : stdout);
            return words.size() == 1 ? wrong_usage : 0;
        }
        return wrong(" " + words[0], "there is no command \"" + words[1] + "\"" + hint(words[1], known));
    }
    for (const Command& command : commands)
        if (!command.hidden) known.emplace_back(first_word(command));
    return wrong("", "there is no command \"" + words[0] + "\"" + hint(words[0], known));
}

/// Sorts what is no option into arguments.
Result<std::vector<std::string>> take_arguments(const Command& command, const std::vector<std::string>& rest) {
    std::vector<std::string> arguments;
    bool words_only = false;
    for (const std::string& word : rest) {
        if (word == "--" && !words_only) {
            words_only = true;
        } else if (is_option(word) && !words_only) {
            std::vector<std::string> known;
            for (const Option& option : command.options)
                for (auto& name : split_names(option.names))
                    if (name.starts_with("--")) known.push_back(name);
            std::string name = word.substr(0, word.find('='));
            return fail(Code::invalid, "there is no option " + name + hint(name, known));
        } else {
            arguments.push_back(word);
        }
    }
    std::size_t required = static_cast<std::size_t>(std::ranges::count_if(command.arguments, &Argument::required));
    if (arguments.size() < required)
        return fail(Code::invalid, command.arguments[arguments.size()].name + " is missing: " + usage_of(command));
    bool open = !command.arguments.empty() && command.arguments.back().repeatable;
    if (!open && arguments.size() > command.arguments.size())
        return fail(Code::invalid, "\"" + arguments[command.arguments.size()] + "\" is one word too many: " + usage_of(command));
    return arguments;
}

int run_command(const Command& command, const std::vector<std::string>& words, Invocation before) {
    for (auto& [key, values] : before.options)
        if (std::ranges::none_of(command.options, [&](const Option& option) { return key_of(option) == key; }))
            return wrong(" " + command.name, "there is no option --" + key + " here");
    std::vector<const Option*> options;
    for (const Option& option : command.options) options.push_back(&option);
    Stage stage(options);
    Invocation call;
    auto rest = stage.parse(words, call);
    if (stage.wants_help()) {
        std::fputs(help_of(command).c_str(), stdout);
        return 0;
    }
    if (!rest) return wrong(" " + command.name, rest.error().message);
    for (auto& [key, values] : before.options) {
        auto& all = call.options[key];
        all.insert(all.begin(), values.begin(), values.end());
    }
    auto arguments = take_arguments(command, *rest);
    if (!arguments) return wrong(" " + command.name, arguments.error().message);
    call.arguments = std::move(*arguments);
    return command.run(call);
}

int print_help(std::span<const Command> commands, const std::vector<std::string>& about, std::string_view version) {
    std::vector<std::string> words = about;
    if (words.empty()) {
        std::fputs(help_of_all(commands, version).c_str(), stdout);
        return 0;
    }
    const Command* command = take_command(commands, words);
    if (!command) {
        words.resize(std::max<std::size_t>(words.size(), 1));
        if (words.size() == 1) words.push_back("--help");
        return no_such_command(commands, words);
    }
    std::fputs(help_of(*command).c_str(), stdout);
    return 0;
}

} // namespace

int run_commands(int argc, const char* const* argv, std::span<const Command> given, std::string_view version) {
    std::vector<Command> commands(given.begin(), given.end());
    // The two need the whole table, themselves included; it does not move any more.
    std::size_t own = commands.size();
    commands.insert(commands.end(), 3, Command{});
    std::span<const Command> all(commands);
    commands[own] = completion_command();
    commands[own + 1] = complete_command(all);
    commands[own + 2] = {.name = "help",
                         .summary = "Tell about a command",
                         .details = {},
                         .examples = {"skerry help apply"},
                         .arguments = {{.name = "COMMAND", .help = {}, .required = false, .repeatable = true}},
                         .options = {},
                         .run = [all, version](const Invocation& call) { return print_help(all, call.arguments, version); },
                         .hidden = true};

    std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    if (words.size() == 1 && words[0] == "--version") {
        std::printf("skerry %.*s\n", static_cast<int>(version.size()), version.data());
        return 0;
    }
    std::vector<const Option*> shared = shared_options(all);
    Stage stage(shared);
    stage.stop_at_first_word();
    Invocation before;
    auto rest = stage.parse(std::move(words), before);
    if (stage.wants_help()) return print_help(all, {}, version);
    if (!rest) return wrong("", rest.error().message);
    if (rest->empty()) {
        std::fputs(help_of_all(all, version).c_str(), stderr);
        return wrong_usage;
    }
    if (is_option((*rest)[0])) return wrong("", "there is no option " + (*rest)[0] + " before a command");
    const Command* command = take_command(all, *rest);
    if (!command) return no_such_command(all, *rest);
    return run_command(*command, *rest, std::move(before));
}

} // namespace skerry::cli
