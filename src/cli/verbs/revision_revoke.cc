#include "cli/client/client.h"
#include "cli/client/targets.h"
#include "cli/verbs/verbs.h"

#include <cstdio>

namespace skerry::cli {

namespace {

Result<int> revoke(Session& session, const std::string& name, const std::string& reason) {
    Target target{&model::facts(model::Kind::revision), session.project(), name};
    http::Request write;
    write.method = "PATCH";
    write.path = target.path();
    write.headers.set("Content-Type", "application/merge-patch+json");
    write.body = write_json(Json::object({{"spec", Json::object({{"revoked", Json::object({{"reason", reason}})}})}}));
    TRY(session.ask(std::move(write)));
    std::printf("%s revoked: no cell starts it any more; what runs of it runs on until an update replaces it or it ends\n",
                target.title().c_str());
    return 0;
}

} // namespace

Command revision_revoke_command() {
    return {.name = "revision revoke",
            .summary = "Say that a revision must not start anywhere any more",
            .details = "Sites in touch learn of it at once, those out of touch on their return. "
                       "What runs of it runs on until an update replaces it, and is not started again when it ends. There is no "
                       "way back: change the app, which makes another revision.",
            .examples = {"skerry revision revoke till.7 --reason 'loses receipts'", "skerry get revisions"},
            .arguments = {{.name = "REVISION",
                           .help = "as `skerry get revisions` shows it",
                           .suggest = suggest_names(model::Kind::revision)}},
            .options = with_connection({{.names = "--reason", .value = "TEXT", .help = "why, for those who meet it at a site"}}),
            .run =
                [](const Invocation& call) {
                    if (call.get("reason").empty()) return misused("revision revoke", "say why: --reason TEXT");
                    return with_session(
                        call, [&](Session& session) { return revoke(session, call.arguments.at(0), call.get("reason")); });
                },
            .group = apps_group};
}

} // namespace skerry::cli
