#include "cli/client/await.h"
#include "cli/client/client.h"
#include "cli/client/lists.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"

#include <cstdio>

namespace skerry::cli {

namespace {

Result<int> wait_for(Session& session, const Invocation& call, const Goal& goal, std::optional<Duration> timeout) {
    auto targets = parse_targets(call.arguments, session.project());
    if (!targets) return misused("wait", targets.error().message);
    std::optional<Instant> until;
    if (timeout) until = session.clock().now() + *timeout;
    std::vector<Target> objects = targets->named;
    for (auto* kind : targets->kinds) {
        Json list = TRY(list_all(session, *kind, choice_of(call, session.project())));
        for (const Json& object : items_of(list))
            objects.push_back(
                {kind, std::string(metadata_text(object, "namespace")), std::string(metadata_text(object, "name"))});
    }
    if (objects.empty()) {
        if (goal.is_deletion()) return 0;
        return fail(Code::not_found, "no object matches; nothing to wait for");
    }
    int status = 0;
    for (const Target& target : objects) {
        auto outcome = await(session, target, goal, until);
        if (!outcome && outcome.error().code != Code::timeout && outcome.error().code != Code::not_found)
            return std::unexpected(outcome.error());
        if (!outcome)
            status = report(outcome.error());
        else
            std::printf("%s %s\n", target.title().c_str(), goal.is_deletion() ? "is gone" : "condition met");
        std::fflush(stdout);
    }
    return status;
}

} // namespace

Command wait_command() {
    std::vector<Option> options{{.names = "--for",
                                 .value = "WHAT",
                                 .help = "condition=TYPE[=STATUS], delete, or PATH=VALUE such as status.readyReplicas=3"},
                                {.names = "--timeout",
                                 .value = "DURATION",
                                 .help = "for all together; 0 looks once, a negative one waits for ever (default 30s)"},
                                {.names = "--all", .value = "", .help = "all objects of the kind"}};
    for (Option& option : choice_options()) options.push_back(std::move(option));
    return {
        .name = "wait",
        .summary = "Wait until objects are as wanted",
        .details = "When the time is over, the exit status is 1, and the last condition found is printed with its reason.",
        .examples = {"skerry wait app/till --for condition=Available --timeout 2m",
                     "skerry wait sites --all --for condition=InTouch", "skerry wait app till --for status.readyReplicas=3",
                     "skerry wait instance/till-0 --for delete"},
        .arguments = {{.name = "KIND", .help = "or KIND/NAME", .suggest = suggest_kinds_and_names},
                      {.name = "NAME", .help = {}, .required = false, .repeatable = true, .suggest = suggest_kinds_and_names}},
        .options = with_connection(std::move(options)),
        .run =
            [](const Invocation& call) {
                if (!call.has("for")) return misused("wait", "--for WHAT is missing (try condition=Available)");
                auto goal = Goal::parse(call.get("for"));
                if (!goal) return misused("wait", goal.error().message);
                std::optional<Duration> timeout = 30s;
                if (std::string text = call.get("timeout"); text.starts_with('-')) {
                    timeout.reset();
                } else if (!text.empty()) {
                    auto parsed = parse_duration(text);
                    if (!parsed) return misused("wait", "--timeout: " + parsed.error().message);
                    timeout = *parsed;
                }
                auto targets = parse_targets(call.arguments, "default");
                if (!targets) return misused("wait", targets.error().message);
                bool choosing = call.has("all") || call.has("selector") || call.has("field-selector");
                if (targets->named.empty() && !choosing) return misused("wait", "say which: names, -l SELECTOR or --all");
                return with_session(call, [&](Session& session) { return wait_for(session, call, *goal, timeout); });
            },
        .group = objects_group};
}

} // namespace skerry::cli
