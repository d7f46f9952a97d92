#include "cli/line/completion.h"

#include "cli/line/option_names.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace skerry::cli {

namespace {

constexpr std::string_view bash_script = R"(# Completion of skerry for bash: source <(skerry completion bash)
_skerry() {
    local words=("${COMP_WORDS[@]:1:COMP_CWORD}") line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("${line%%$'\t'*}")
    done < <(skerry __complete -- "${words[@]}" 2>/dev/null)
}
complete -o default -F _skerry skerry
)";

constexpr std::string_view zsh_script = R"(#compdef skerry
# Completion of skerry for zsh: source <(skerry completion zsh)
_skerry() {
    local -a lines words_now
    words_now=("${(@)words[2,CURRENT]}")
    lines=("${(@f)$(skerry __complete -- "${words_now[@]}" 2>/dev/null)}")
    lines=("${(@)lines:#}")
    if (( ${#lines} == 0 )); then
        _files
        return
    fi
    local -a described
    described=("${(@)lines//:/\\:}")
    described=("${(@)described//$'\t'/:}")
    _describe skerry described
}
compdef _skerry skerry
)";

constexpr std::string_view fish_script = R"(# Completion of skerry for fish: skerry completion fish | source
function __skerry_complete
    set -l words (commandline -opc) (commandline -ct)
    skerry __complete -- $words[2..-1] 2>/dev/null
end
complete -c skerry -a '(__skerry_complete)'
)";

/// The typed words, walked through up to the last.
class Walk {
public:
    Walk(std::span<const Command> all, const std::vector<std::string>& words) : all_(all) {
        for (std::size_t i = 0; i + 1 < words.size(); ++i) step(words[i]);
    }

    std::vector<std::string> end(const std::string& begun) const {
        std::vector<std::string> out;
        auto offer = [&](std::string word, std::string_view about = {}) {
            if (!word.starts_with(begun)) return;
            if (!about.empty()) word += "\t" + std::string(about);
            out.push_back(std::move(word));
        };
        if (waiting_) {
            for (auto& choice : waiting_->choices) offer(choice);
            if (waiting_->suggest)
                for (auto& word : waiting_->suggest(so_far_)) offer(word);
        } else if (!command_) {
            offer_commands(offer);
        } else if (begun.starts_with('-') && !words_only_) {
            for (const Option& option : command_->options)
                for (auto& name : split_names(option.names))
                    if (name.starts_with("--")) offer(name, option.help);
            offer("--help", "print its help");
        } else if (const Argument* argument = next_argument(); argument && argument->suggest) {
            for (auto& word : argument->suggest(so_far_)) offer(word);
        }
        return out;
    }

private:
    void step(const std::string& word) {
        if (waiting_) {
            so_far_.options[key_of(*waiting_)].push_back(word);
            waiting_ = nullptr;
        } else if (word == "--") {
            words_only_ = true;
        } else if (word.size() > 1 && word[0] == '-' && !words_only_) {
            std::size_t equals = word.find('=');
            const Option* option = find(word.substr(0, equals));
            if (!option) return;
            if (equals != std::string::npos)
                so_far_.options[key_of(*option)].push_back(word.substr(equals + 1));
            else if (option->value.empty())
                so_far_.options[key_of(*option)].emplace_back();
            else
                waiting_ = option;
        } else if (!command_) {
            name_ += (name_.empty() ? "" : " ") + word;
            for (const Command& command : all_)
                if (command.name == name_) command_ = &command;
        } else {
            so_far_.arguments.push_back(word);
        }
    }

    const Option* find(std::string_view name) const {
        if (command_) return find_option(*command_, name);
        for (const Option* option : shared_options(all_))
            for (auto& each : split_names(option->names))
                if (each == name) return option;
        return nullptr;
    }

    template<class Offer>
    void offer_commands(const Offer& offer) const {
        std::set<std::string_view> nouns;
        for (const Command& command : all_) {
            if (command.hidden) continue;
            auto noun = noun_of(command);
            if (noun == name_)
                offer(noun.empty() ? command.name : command.name.substr(noun.size() + 1), command.summary);
            else if (name_.empty() && nouns.insert(noun).second)
                offer(std::string(noun));
        }
    }

    const Argument* next_argument() const {
        auto& arguments = command_->arguments;
        if (so_far_.arguments.size() < arguments.size()) return &arguments[so_far_.arguments.size()];
        return !arguments.empty() && arguments.back().repeatable ? &arguments.back() : nullptr;
    }

    std::span<const Command> all_;
    std::string name_;
    const Command* command_ = nullptr;
    const Option* waiting_ = nullptr;
    bool words_only_ = false;
    Invocation so_far_;
};

} // namespace

std::vector<std::string> complete(std::span<const Command> commands, const std::vector<std::string>& words) {
    return Walk(commands, words).end(words.empty() ? std::string() : words.back());
}

std::string completion_script(std::string_view shell) {
    return std::string(shell == "bash" ? bash_script : shell == "zsh" ? zsh_script : shell == "fish" ? fish_script : "");
}

Command completion_command() {
    return {.name = "completion",
            .summary = "Print a script that completes command lines in a shell",
            .details = "Names of objects are asked of the server that the command line names.",
            .examples = {"source <(skerry completion bash)", "skerry completion zsh > ~/.zfunc/_skerry",
                         "skerry completion fish | source"},
            .arguments = {{.name = "SHELL",
                           .help = "bash, zsh or fish",
                           .suggest =
                               [](const Invocation&) {
                                   return std::vector<std::string>{"bash", "zsh", "fish"};
                               }}},
            .options = {},
            .run =
                [](const Invocation& call) {
                    std::string script = completion_script(call.arguments[0]);
                    if (script.empty()) {
                        std::fprintf(stderr, "skerry completion: \"%s\" is not one of bash, zsh, fish\n",
                                     call.arguments[0].c_str());
                        return wrong_usage;
                    }
                    std::fputs(script.c_str(), stdout);
                    return 0;
                },
            .group = "Sites and access"};
}

Command complete_command(std::span<const Command> all) {
    return {.name = "__complete",
            .summary = "Words that may follow",
            .details = {},
            .examples = {},
            .arguments = {{.name = "WORD", .help = {}, .required = false, .repeatable = true}},
            .options = {},
            .run =
                [all](const Invocation& call) {
                    for (auto& line : complete(all, call.arguments)) std::puts(line.c_str());
                    return 0;
                },
            .hidden = true};
}

} // namespace skerry::cli
