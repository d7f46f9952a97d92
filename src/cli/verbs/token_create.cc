#include "cli/client/client.h"
#include "cli/line/terminal.h"
#include "cli/verbs/verbs.h"

#include <cstdio>

namespace skerry::cli {

namespace {

Result<Json> parse_pairs(const Invocation& call, const char* option) {
    Json pairs = Json::object();
    for (auto& text : call.all(option)) {
        std::size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail(Code::invalid, "--" + std::string(option) + ": \"" + text + "\" is not NAME=VALUE");
        pairs.set(text.substr(0, equals), text.substr(equals + 1));
    }
    return pairs;
}

Result<Json> request_of(const Invocation& call) {
    const char* kind = call.has("site") ? "site" : call.has("region") ? "region" : "node";
    Json body = Json::object({{"kind", kind}, {"name", call.get(kind)}});
    Json labels = TRY(parse_pairs(call, "label")), values = TRY(parse_pairs(call, "value"));
    if (!labels.members()->empty()) body.set("labels", std::move(labels));
    if (!values.members()->empty()) body.set("values", std::move(values));
    for (const char* option : {"profile", "jurisdiction", "ttl"})
        if (call.has(option)) body.set(option, call.get(option));
    Json addresses = Json::array();
    for (auto& address : call.all("advertise")) addresses.push(address);
    if (!addresses.array_items()->empty()) body.set("advertise", std::move(addresses));
    if (call.has("replace")) body.set("replace", true);
    return body;
}

Result<int> create(Session& session, const Invocation& call, const Json& body) {
    http::Request request;
    request.method = "POST";
    request.path = "/tokens/v1";
    request.headers.set("Content-Type", "application/json");
    request.body = write_json(body);
    Json answer = TRY(session.ask(std::move(request)));
    if (call.get("output") == "json") {
        std::puts(write_json(answer, Layout::indented).c_str());
        return 0;
    }
    std::string token(answer.text("token"));
    if (token.empty()) return fail(Code::corrupt, session.connection().server + " answered without a token");
    if (call.get("output") == "token") {
        std::puts(token.c_str());
        return 0;
    }
    std::string kind(body.text("kind"));
    std::printf(
        "Token for %s %s, good once, until %s:\n\n%s\n\nOn the machine that shall join, as root:\n\n    skerry %s --join %s\n",
        kind.c_str(), painted(Paint::bold, printable(answer.text("name"))).c_str(), printable(answer.text("expires")).c_str(),
        token.c_str(), kind.c_str(), token.c_str());
    return 0;
}

} // namespace

Command token_create_command() {
    return {.name = "token create",
            .summary = "Make a token with which a site, a region or a node joins",
            .details =
                "The token holds the fingerprint of the authority and the addresses of this server, and works once. Joining "
                "again with the same token and key gives the same certificate, so a lost answer costs nothing. Whoever has the "
                "token can join in that name: hand it over as you would a password. A region is asked of the core, a site of "
                "its core or region, a node of its site (also while the site is cut off). For a name that a machine has joined "
                "by it takes --replace: the new machine takes the place of that one, which loses its link and may read nothing "
                "more.",
            .examples = {"skerry token create --site store-17 --label tier=store --profile dsl",
                         "skerry token create --node box-2", "skerry token create --region emea --label continent=europe",
                         "skerry token create --site store-17 --replace", "skerry token create --site ship-3 -o token"},
            .arguments = {},
            .options = with_connection({
                {.names = "--site", .value = "NAME", .help = "a new site; made if it is not there"},
                {.names = "--region", .value = "NAME", .help = "a new region, a site with sites below it"},
                {.names = "--node", .value = "NAME", .help = "a further machine of this site"},
                {.names = "--label", .value = "NAME=VALUE", .help = "of the site or node; may be repeated", .repeatable = true},
                {.names = "--value",
                 .value = "NAME=VALUE",
                 .help = "of the site, for $(site.values.NAME); may be repeated",
                 .repeatable = true},
                {.names = "--profile",
                 .value = "PROFILE",
                 .help = "of the site's link",
                 .choices = {"lan", "dsl", "cellular", "satellite"}},
                {.names = "--jurisdiction", .value = "CC", .help = "the country whose law holds at the site, such as FR"},
                {.names = "--ttl", .value = "DURATION", .help = "how long the token is good (default 24h)"},
                {.names = "--advertise",
                 .value = "HOST[:PORT]",
                 .help = "an address at which the site reaches this server; may be repeated",
                 .repeatable = true},
                {.names = "--replace",
                 .value = "",
                 .help = "whoever uses the token takes the place of the machine that has joined by this name, which is out then"},
                {.names = "-o,--output", .value = "FORMAT", .help = "text, token or json", .choices = {"text", "token", "json"}},
            }),
            .run =
                [](const Invocation& call) {
                    if (int(call.has("site")) + int(call.has("region")) + int(call.has("node")) != 1)
                        return misused("token create", "give one of --site NAME, --region NAME and --node NAME");
                    if (call.has("node"))
                        for (const char* option : {"value", "profile", "jurisdiction"})
                            if (call.has(option))
                                return misused("token create", "--" + std::string(option) + ": belongs to a site, not to a node");
                    auto body = request_of(call);
                    if (!body) return misused("token create", body.error().message);
                    return with_session(call, [&](Session& session) { return create(session, call, *body); });
                },
            .group = access_group};
}

} // namespace skerry::cli
