#include "cli/client/client.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"

#include <cstdio>

namespace skerry::cli {

namespace {

Result<int> revoke(Session& session, const Invocation& call, const char* kind) {
    http::Request request;
    request.method = "POST";
    request.path = "/revocations/v1";
    request.headers.set("Content-Type", "application/json");
    request.body = write_json(Json::object({{"kind", kind}, {"name", call.arguments.at(0)}, {"reason", call.get("reason")}}));
    Json answer = TRY(session.ask(std::move(request)));
    std::printf("%s/%s revoked\n", kind, printable(answer.text("name")).c_str());
    if (const Json* keys = answer.find("keys"); keys && keys->array_items())
        for (const Json& key : *keys->array_items())
            if (key.string()) std::printf("  key %s\n", printable(*key.string()).c_str());
    if (!answer.text("note").empty()) std::printf("  %s\n", printable(answer.text("note")).c_str());
    return 0;
}

Command command(const char* name, const char* kind, std::string summary, std::string details, std::vector<std::string> examples) {
    return {.name = name,
            .summary = std::move(summary),
            .details = std::move(details),
            .examples = std::move(examples),
            .arguments = {{.name = "NAME", .help = "as in `skerry get`"}},
            .options = with_connection({{.names = "--reason", .value = "TEXT", .help = "for those who wonder later"}}),
            .run =
                [kind](const Invocation& call) {
                    return with_session(call, [&](Session& session) { return revoke(session, call, kind); });
                },
            .group = access_group};
}

} // namespace

Command site_revoke_command() {
    return command(
        "site revoke", "site", "Let no key of a site speak here any more",
        "For a site that was stolen or copied. Its link ends at once; its keys are refused at links, renewals and joins, for "
        "ever. What it runs it runs on, since nobody can reach it; its objects here stay. To take it back, let it join again "
        "with a new token: it then makes new keys.",
        {"skerry site revoke store-17 --reason \"box was stolen\""});
}

Command node_revoke_command() {
    return command(
        "node revoke", "node", "Let no key of a node speak at its site any more",
        "Asked of the node's site it is in force at once, also while the site is cut off. Asked of the core, the site hears "
        "of it as soon as it is in touch.",
        {"skerry node revoke store-17.box-2 --reason \"sold\""});
}

} // namespace skerry::cli
