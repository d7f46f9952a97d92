#include "cli/client/client.h"
#include "cli/client/lists.h"
#include "cli/client/targets.h"
#include "cli/verbs/verbs.h"
#include "model/rules/problems.h"

#include <cstdio>

namespace skerry::cli {

namespace {

/// `tier=store`, `tier-`.
struct Change {
    std::string label;
    Json value; ///< null: remove
};

bool is_change(const std::string& word) {
    return word.find('=') != std::string::npos || (word.ends_with('-') && word.size() > 1);
}

Result<std::string> label_one(Session& session, const Target& target, const std::vector<Change>& changes, bool overwrite,
                              bool dry_run) {
    http::Request look;
    look.path = target.path();
    Json object = TRY(session.ask(std::move(look)));
    Json labels = Json::object();
    for (const Change& change : changes) {
        const Json& now = object.at({"metadata", "labels", change.label});
        if (now == change.value) continue;
        if (!now.is_null() && !change.value.is_null() && !overwrite)
            return fail(Code::conflict, "label " + change.label + " is " + model::quoted(now.string() ? *now.string() : "") +
                                            " already; change it with --overwrite");
        labels.set(change.label, change.value);
    }
    if (labels.members()->empty()) return "unchanged";
    http::Request write;
    write.method = "PATCH";
    write.path = target.path();
    if (dry_run) write.query.add("dryRun", "All");
    write.headers.set("Content-Type", "application/merge-patch+json");
    // With its version, so that what was looked at is what is changed.
    write.body =
        write_json(Json::object({{"metadata", Json::object({{"resourceVersion", metadata_text(object, "resourceVersion")},
                                                            {"labels", std::move(labels)}})}}));
    TRY(session.ask(std::move(write)));
    return "labeled";
}

Result<int> label_all(Session& session, const Invocation& call, const std::vector<std::string>& words,
                      const std::vector<Change>& changes) {
    Targets targets = TRY(parse_targets(words, session.project()));
    std::vector<Target> objects = targets.named;
    for (auto* kind : targets.kinds) {
        Json list = TRY(list_all(session, *kind, choice_of(call, session.project())));
        for (const Json& object : items_of(list))
            objects.push_back(
                {kind, std::string(metadata_text(object, "namespace")), std::string(metadata_text(object, "name"))});
    }
    int status = 0;
    for (const Target& target : objects) {
        auto outcome = label_one(session, target, changes, call.has("overwrite"), call.has("dry-run"));
        if (!outcome)
            status = report({outcome.error().code, target.title() + ": " + outcome.error().message});
        else
            std::printf("%s %s%s\n", target.title().c_str(), outcome->c_str(), call.has("dry-run") ? " (dry run)" : "");
    }
    return status;
}

} // namespace

Command label_command() {
    std::vector<Option> options{
        {.names = "--overwrite", .value = "", .help = "change labels that have another value"},
        {.names = "--all", .value = "", .help = "all objects of the kind"},
        {.names = "--dry-run", .value = "", .help = "let the server check, and change nothing", .choices = {"server"}}};
    for (Option& option : choice_options()) options.push_back(std::move(option));
    return {.name = "label",
            .summary = "Add, change or remove labels",
            .details = "NAME=VALUE sets a label, NAME- removes it.",
            .examples = {"skerry label site store-17 tier=store region=emea", "skerry label site/store-17 tier-",
                         "skerry label sites --all --overwrite season=summer"},
            .arguments = {{.name = "KIND", .help = "or KIND/NAME", .suggest = suggest_kinds_and_names},
                          {.name = "NAME|LABEL",
                           .help = "names of objects, then labels",
                           .repeatable = true,
                           .suggest = suggest_kinds_and_names}},
            .options = with_connection(std::move(options)),
            .run =
                [](const Invocation& call) {
                    std::vector<std::string> words;
                    std::vector<Change> changes;
                    for (auto& word : call.arguments) {
                        if (words.empty() || !is_change(word)) {
                            if (!changes.empty())
                                return misused("label",
                                               "\"" + word + "\": names stand before labels; a label is NAME=VALUE or NAME-");
                            words.push_back(word);
                            continue;
                        }
                        std::size_t equals = word.find('=');
                        changes.push_back(equals == std::string::npos
                                              ? Change{word.substr(0, word.size() - 1), Json()}
                                              : Change{word.substr(0, equals), Json(word.substr(equals + 1))});
                        if (changes.back().label.empty())
                            return misused("label", "\"" + word + "\": the label's name is missing");
                    }
                    if (changes.empty()) return misused("label", "a label is missing: NAME=VALUE, or NAME- to remove it");
                    auto targets = parse_targets(words, "default");
                    if (!targets) return misused("label", targets.error().message);
                    if (targets->named.empty() && !call.has("all") && !call.has("selector") && !call.has("field-selector"))
                        return misused("label", "say which: names, -l SELECTOR or --all");
                    return with_session(call, [&](Session& session) { return label_all(session, call, words, changes); });
                },
            .group = objects_group};
}

} // namespace skerry::cli
