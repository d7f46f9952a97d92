#include "base/bytes.h"
#include "cli/client/client.h"
#include "cli/client/kubeconfig.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"
#include "http/message.h"
#include "model/text/yaml.h"

#include <cstdio>

namespace skerry::cli {

namespace {

constexpr const char* access_path = "/access/v1";

const Option text_or_json{.names = "-o,--output", .value = "FORMAT", .help = "text or json", .choices = {"text", "json"}};

/// All that the user needs: the server as this caller reaches it, the authority, the token.
Result<std::string> kubeconfig_of(const Connection& connection, const std::string& user, const std::string& token) {
    Json cluster = Json::object({{"server", connection.server}});
    if (!connection.tls.ca_pem.empty()) cluster.set("certificate-authority-data", base64(connection.tls.ca_pem));
    if (connection.server.find("//localhost") != std::string::npos || connection.server.find("//127.") != std::string::npos)
        std::fprintf(stderr, "Note: %s reaches this server only from this machine; say --server https://HOST:PORT for others\n",
                     connection.server.c_str());
    std::string host = connection.server.substr(connection.server.find("://") + 3);
    Json content;
    TRY_VOID(put_context(content, {.name = user + "@" + host,
                                   .cluster = std::move(cluster),
                                   .user = Json::object({{"token", token}}),
                                   .project = connection.project}));
    return model::write_yaml(content);
}

Result<int> grant_token(Session& session, const Invocation& call) {
    Json body = Json::object({{"user", call.arguments.at(0)}, {"role", call.has("role") ? call.get("role") : "viewer"}});
    if (call.has("ttl")) body.set("ttl", call.get("ttl"));
    http::Request request;
    request.method = "POST";
    request.path = access_path;
    request.headers.set("Content-Type", "application/json");
    request.body = write_json(body);
    Json answer = TRY(session.ask(std::move(request)));
    std::string token = printable(answer.text("token"));
    if (token.empty()) return fail(Code::corrupt, session.connection().server + " answered without a token");
    std::string output = call.get("output");
    if (output == "json")
        std::puts(write_json(answer, Layout::indented).c_str());
    else if (output == "token")
        std::puts(token.c_str());
    else if (output == "kubeconfig")
        std::printf("%s", TRY(kubeconfig_of(session.connection(), call.arguments.at(0), token)).c_str());
    else
        std::printf("Access for %s (%s) until %s, id %s. The token is shown only now:\n\n%s\n\n"
                    "With -o kubeconfig a file comes instead that skerry and kubectl use as it is.\n",
                    painted(Paint::bold, printable(answer.text("user"))).c_str(), printable(answer.text("role")).c_str(),
                    printable(answer.text("expires")).c_str(), printable(answer.text("id")).c_str(), token.c_str());
    return 0;
}

Result<int> list_tokens(Session& session, const Invocation& call) {
    http::Request request;
    request.path = access_path;
    Json answer = TRY(session.ask(std::move(request)));
    if (call.get("output") == "json") {
        std::puts(write_json(answer, Layout::indented).c_str());
        return 0;
    }
    TextTable table;
    table.heading({"ID", "USER", "ROLE", "EXPIRES"});
    if (const Json* tokens = answer.find("tokens"); tokens && tokens->array_items())
        for (const Json& token : *tokens->array_items())
            table.row({printable(token.text("id")), printable(token.text("user")), printable(token.text("role")),
                       printable(token.text("expires"))});
    if (table.empty())
        std::fputs("No access tokens; skerry access grant makes one\n", stderr);
    else
        std::printf("%s", table.take(true).c_str());
    return 0;
}

Result<int> revoke_token(Session& session, const Invocation& call) {
    http::Request request;
    request.method = "DELETE";
    request.path = std::string(access_path) + "/" + http::percent_encode(call.arguments.at(0), {});
    Json answer = TRY(session.ask(std::move(request)));
    std::printf("access/%s of %s revoked\n", printable(answer.text("id")).c_str(), printable(answer.text("user")).c_str());
    return 0;
}

} // namespace

Command access_grant_command() {
    return {.name = "access grant",
            .summary = "Make a bearer token for a person or a program",
            .details =
                "An admin may do everything, a viewer read all but secrets. The token counts at the server that made it, and "
                "is shown once: the server keeps its hash. Kubernetes' tools take it as a token of a kubeconfig.",
            .examples = {"skerry access grant alice --role admin --ttl 24h",
                         "skerry access grant ci --server https://10.0.0.2:7443 -o kubeconfig > ci.kubeconfig",
                         "skerry access grant prometheus -o token > token"},
            .arguments = {{.name = "USER", .help = "in whose name it speaks: letters, digits and .:_@-"}},
            .options = with_connection(
                {{.names = "--role", .value = "ROLE", .help = "viewer (the default) or admin", .choices = {"viewer", "admin"}},
                 {.names = "--ttl", .value = "DURATION", .help = "how long it is good (default 720h)"},
                 {.names = "-o,--output",
                  .value = "FORMAT",
                  .help = "text, token, kubeconfig or json",
                  .choices = {"text", "token", "kubeconfig", "json"}}}),
            .run =
                [](const Invocation& call) {
                    return with_session(call, [&](Session& session) { return grant_token(session, call); });
                },
            .group = access_group};
}

Command access_list_command() {
    return {.name = "access list",
            .summary = "Show the bearer tokens that were made here",
            .details = "Without their secrets. What has ended is shown for another month.",
            .examples = {"skerry access list"},
            .arguments = {},
            .options = with_connection({text_or_json}),
            .run =
                [](const Invocation& call) {
                    return with_session(call, [&](Session& session) { return list_tokens(session, call); });
                },
            .group = access_group};
}

Command access_revoke_command() {
    return {.name = "access revoke",
            .summary = "Take a bearer token back",
            .details = "Its next request is refused; a watch or a log that is open ends within half a minute.",
            .examples = {"skerry access revoke 0d0f0c2be2a04f0f9d8e7a1b2c3d4e5f"},
            .arguments = {{.name = "ID", .help = "as in skerry access list"}},
            .options = with_connection({}),
            .run =
                [](const Invocation& call) {
                    return with_session(call, [&](Session& session) { return revoke_token(session, call); });
                },
            .group = access_group};
}

} // namespace skerry::cli
