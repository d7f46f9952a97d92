#include "cli/client/client.h"
#include "cli/client/targets.h"
#include "cli/line/terminal.h"
#include "cli/manifests.h"
#include "cli/three_way.h"
#include "cli/verbs/verbs.h"

#include <cstdio>

namespace skerry::cli {

namespace {

struct Mode {
    bool dry_run = false;
    std::string validation = "Strict";
    std::string format; ///< "", json, yaml, name are printed elsewhere
};

void set_modes(http::Request& request, const Mode& mode) {
    request.query.add("fieldValidation", mode.validation);
    if (mode.dry_run) request.query.add("dryRun", "All");
}

/// Everything but the number that every write moves.
Json without_version(Json object) {
    if (Json* metadata = object.find("metadata")) metadata->erase("resourceVersion"), metadata->erase("generation");
    return object;
}

/// "created", "configured" or "unchanged".
Result<std::string> apply_one(Session& session, const Target& target, const Json& manifest, const Mode& mode) {
    Json wanted = annotated(manifest);
    http::Request look;
    look.path = target.path();
    auto current = session.ask(std::move(look));
    if (!current && current.error().code != Code::not_found) return std::unexpected(current.error());
    http::Request write;
    set_modes(write, mode);
    if (!current) {
        write.method = "POST";
        write.path = target.collection();
        write.headers.set("Content-Type", "application/json");
        write.body = write_json(wanted);
        TRY(session.ask(std::move(write)));
        return "created";
    }
    Json patch = three_way_patch(read_last_applied(*current).value_or(Json::object()), wanted, *current);
    if (patch.members()->empty()) return "unchanged";
    write.method = "PATCH";
    write.path = target.path();
    write.headers.set("Content-Type", "application/merge-patch+json");
    write.body = write_json(patch);
    Json after = TRY(session.ask(std::move(write)));
    // Defaults that the server fills into lists make a patch that changes nothing.
    return without_version(std::move(after)) == without_version(std::move(*current)) ? "unchanged" : "configured";
}

Result<int> apply_all(Session& session, const Invocation& call) {
    Mode mode{.dry_run = call.has("dry-run"), .validation = call.has("validate") ? call.get("validate") : "Strict"};
    auto manifests = TRY(read_manifests(call));
    int status = 0;
    for (const Manifest& manifest : manifests) {
        auto target = target_of(manifest.content, session.project());
        if (target && call.has("project") && !target->kind->fleet_wide && target->project != session.project())
            target = fail(Code::invalid, target->title() + ": metadata.namespace: \"" + target->project +
                                             "\" is not the project of --project, \"" + session.project() + "\"");
        if (!target) {
            status = report({target.error().code, manifest.source + ": " + target.error().message});
            continue;
        }
        auto outcome = apply_one(session, *target, manifest.content, mode);
        if (!outcome) {
            // No answer to this one is none to the others either.
            if (outcome.error().code == Code::unauthenticated || outcome.error().message.starts_with("cannot reach"))
                return std::unexpected(outcome.error());
            bool known = outcome.error().code != Code::timeout && outcome.error().code != Code::unavailable;
            status =
                report({outcome.error().code, printable(target->title()) +
                                                  (known ? " refused: " : ": not known whether it was taken (apply again): ") +
                                                  outcome.error().message});
            continue;
        }
        std::printf("%s %s%s\n", printable(target->title()).c_str(), outcome->c_str(), mode.dry_run ? " (dry run)" : "");
    }
    return status;
}

} // namespace

Command apply_command() {
    std::vector<Option> options = manifest_options();
    options.push_back({.names = "--dry-run",
                       .value = "",
                       .help = "let the server check everything, and change nothing",
                       .choices = {"server"}});
    options.push_back({.names = "--validate",
                       .value = "MODE",
                       .help = "what becomes of unknown fields: Strict refuses, Warn tells, Ignore drops",
                       .choices = {"Strict", "Warn", "Ignore"}});
    return {.name = "apply",
            .summary = "Create objects, or bring them to what manifests say",
            .details = "What an earlier apply set and the manifest no longer says is removed; what others set stays. The same "
                       "object may be applied with kubectl in "
                       "turns. Every object is tried; the exit status is 1 if any was refused.",
            .examples = {"skerry apply -f till.yaml", "skerry apply -R -f fleet/", "cat till.yaml | skerry apply -f - --dry-run"},
            .arguments = {},
            .options = with_connection(std::move(options)),
            .run =
                [](const Invocation& call) {
                    if (!call.has("filename")) return misused("apply", "-f FILE is missing");
                    return with_session(call, [&](Session& session) { return apply_all(session, call); });
                },
            .group = objects_group};
}

} // namespace skerry::cli
