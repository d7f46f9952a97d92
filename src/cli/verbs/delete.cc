#include "cli/client/await.h"
#include "cli/client/client.h"
#include "cli/client/lists.h"
#include "cli/line/terminal.h"
#include "cli/manifests.h"
#include "cli/verbs/verbs.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace skerry::cli {

namespace {

constexpr Duration look_again = 500ms;

Result<std::vector<Target>> chosen(Session& session, const Invocation& call) {
    std::vector<Target> objects;
    if (call.has("filename")) {
        for (const Manifest& manifest : TRY(read_manifests(call)))
            objects.push_back(TRY(target_of(manifest.content, session.project()) | during(manifest.source)));
        // What refers goes before what it refers to.
        std::ranges::reverse(objects);
        return objects;
    }
    Targets targets = TRY(parse_targets(call.arguments, session.project()));
    objects = targets.named;
    for (auto* kind : targets.kinds) {
        Json list = TRY(list_all(session, *kind, choice_of(call, session.project())));
        for (const Json& object : items_of(list))
            objects.push_back(
                {kind, std::string(metadata_text(object, "namespace")), std::string(metadata_text(object, "name"))});
    }
    return objects;
}

/// An App's instances stop after it is gone; those at sites out of touch stop when these are back. A Site's are shown until nothing
/// can run there under a lease. Whether all are gone by then.
Result<bool> await_instances(Session& session, const Target& gone, Instant until) {
    bool is_app = gone.kind->kind == model::Kind::app;
    std::size_t told = 0;
    for (;;) {
        Json list = TRY(list_all(session, model::facts(model::Kind::instance),
                                 {.project = is_app ? gone.project : "",
                                  .label_selector = {},
                                  .field_selector = (is_app ? "spec.app=" : "spec.site=") + gone.name}));
        auto& left = items_of(list);
        if (left.empty()) return true;
        if (session.clock().now() >= until) {
            std::set<std::string> sites;
            for (const Json& each : left) sites.emplace(each.at({"spec"}).text("site"));
            std::string names;
            for (auto& site : sites) names += (names.empty() ? "" : ", ") + site;
            std::fprintf(stderr, "%s: not gone yet: %zu of its instances, at %s; %s (skerry get instances)\n",
                         gone.title().c_str(), left.size(), printable(names).c_str(),
                         is_app ? "a site out of touch stops them when it is back" : "they go when the lease there is over");
            return false;
        }
        if (left.size() != told)
            std::fprintf(stderr, "%s: waiting for %zu of its instances to %s\n", gone.title().c_str(), left.size(),
                         is_app ? "stop" : "go");
        told = left.size();
        TRY_VOID(session.pause(look_again));
    }
}

Result<int> delete_all(Session& session, const Invocation& call, Duration patience) {
    auto objects = TRY(chosen(session, call));
    bool dry_run = call.has("dry-run");
    bool waits = call.get("wait") != "false" && !dry_run;
    if (objects.empty()) std::fprintf(stderr, "No resources found.\n");
    int status = 0;
    std::vector<Target> gone;
    for (const Target& target : objects) {
        http::Request request;
        request.method = "DELETE";
        request.path = target.path();
        if (dry_run) request.query.add("dryRun", "All");
        auto answer = session.ask(std::move(request));
        if (!answer && answer.error().code == Code::not_found && call.has("ignore-not-found")) continue;
        if (!answer) {
            if (answer.error().code == Code::unauthenticated || answer.error().message.starts_with("cannot reach"))
                return std::unexpected(answer.error());
            status = report({answer.error().code, target.title() + ": " + answer.error().message});
            continue;
        }
        std::printf("%s deleted%s\n", target.title().c_str(), dry_run ? " (dry run)" : "");
        std::fflush(stdout);
        gone.push_back(target);
    }
    if (!waits) return status;
    Instant until = session.clock().now() + patience;
    for (const Target& target : gone)
        if (target.kind->kind == model::Kind::app || target.kind->kind == model::Kind::site)
            if (!TRY(await_instances(session, target, until))) status = status == 0 ? 1 : status;
    return status;
}

} // namespace

Command delete_command() {
    std::vector<Option> options = manifest_options();
    options.push_back({.names = "--all", .value = "", .help = "all objects of the kind"});
    options.push_back({.names = "--ignore-not-found", .value = "", .help = "a missing object is no failure"});
    options.push_back({.names = "--wait",
                       .value = "",
                       .help = "wait until an app's instances have stopped, and a site's are gone (default; --wait=false)",
                       .choices = {"true", "false"}});
    options.push_back({.names = "--timeout",
                       .value = "DURATION",
                       .help = "how long to wait for instances (default 60s); the exit code is 1 after that"});
    options.push_back(
        {.names = "--dry-run", .value = "", .help = "let the server check, and change nothing", .choices = {"server"}});
    for (Option& option : choice_options()) options.push_back(std::move(option));
    return {
        .name = "delete",
        .summary = "Delete objects",
        .details = "A delete is done when the server has it on its disk; it waits for no link. The machine of a deleted site "
                   "or node loses its link and runs on with what it runs; see first with --dry-run.",
        .examples = {"skerry delete app till", "skerry delete -f till.yaml", "skerry delete apps -l season=winter",
                     "skerry delete configs --all -n retail"},
        .arguments = {{.name = "KIND", .help = "or KIND/NAME", .required = false, .suggest = suggest_kinds_and_names},
                      {.name = "NAME", .help = {}, .required = false, .repeatable = true, .suggest = suggest_kinds_and_names}},
        .options = with_connection(std::move(options)),
        .run =
            [](const Invocation& call) {
                Duration patience = 60s;
                if (call.has("timeout")) {
                    auto given = parse_duration(call.get("timeout"));
                    if (!given) return misused("delete", "--timeout: " + given.error().message);
                    patience = *given;
                }
                bool choosing = call.has("all") || call.has("selector") || call.has("field-selector");
                if (call.has("filename") && (!call.arguments.empty() || choosing))
                    return misused("delete", "-f does not go with kinds and names");
                if (!call.has("filename")) {
                    auto targets = parse_targets(call.arguments, "default");
                    if (!targets) return misused("delete", targets.error().message);
                    if (targets->named.empty() && !choosing) return misused("delete", "say which: names, -l SELECTOR or --all");
                    if (!targets->named.empty() && choosing)
                        return misused("delete", "names do not go with --all, -l or --field-selector");
                }
                return with_session(call, [&](Session& session) { return delete_all(session, call, patience); });
            },
        .group = objects_group};
}

} // namespace skerry::cli
